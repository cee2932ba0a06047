// Train: two people's recordings, and the training as it goes.

import { post } from "./api.js";
import { $, keyed } from "./dom.js";
import { intakeOf } from "./intake.js";
import { isActive } from "./job_parts.js";
import { findMissing, readFacts } from "./make_view.js";
import { attempt, say } from "./notices.js";
import { keep } from "./settings.js";
import { store } from "./store.js";
import { trainingCard } from "./training_card.js";

async function submit(event) {
  event.preventDefault();
  const [form, hint] = [event.target, $("#train-hint")];
  const sides = ["train-a", "train-b"].map(intakeOf);
  if (sides.some((side) => side.isBusy)) return say(hint, "A recording is still on its way; wait for it, or stop recording.", true);
  const lacking = sides.find((side) => !side.uploads.length);
  if (lacking) {
    say(hint, "Add recordings on both sides first.", true);
    return lacking.focus();
  }
  const missing = findMissing(form);
  if (missing) return say(hint, missing, true);
  const [a, b] = sides.map((side) => side.uploads.map((upload) => upload.id));
  const minutes = Number($("#train-minutes").value);
  const job = await attempt(() => post("/api/jobs", { kind: "train", a, b, minutes, name_a: $("#train-name-a").value.trim(), ...readFacts(form) }), hint);
  if (!job) return;
  store.takeJob(job);
  $("#train-agreed").checked = false;
  $("#train-results").scrollIntoView({ block: "start" });
}

/** A training that runs stands above the form, those of earlier days below it. */
function place(isFirst) {
  const [form, results] = [$("#train-form"), $("#train-results")];
  const stands = Boolean(form.compareDocumentPosition(results) & Node.DOCUMENT_POSITION_PRECEDING);
  if (stands === isFirst) return;
  if (isFirst) form.before(results);
  else form.after(results);
}

function showMissing(state) {
  const missing = state.can_train ? null : state.missing?.train ?? "Trainings need the extra [train].";
  $("#train-missing").hidden = !missing;
  $("#train-missing").textContent = missing ?? "";
  $("#train-form").inert = Boolean(missing);
}

export function startTrain() {
  keep($("#train-minutes"));
  store.watch("state", showMissing);
  const showAll = () => {
    const jobs = store.jobsOf("train");
    keyed($("#train-results"), jobs, trainingCard);
    place(jobs.some(isActive));
  };
  store.watch("jobs", showAll);
  store.watch("voices", showAll);
  $("#train-form").addEventListener("submit", submit);
}
