// Train: two people's recordings, and the training as it goes.

import { post } from "./api.js";
import { $, keyed } from "./dom.js";
import { intakeOf } from "./intake.js";
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

function showMissing(state) {
  const missing = state.can_train ? null : state.missing?.train ?? "Trainings need the extra [train].";
  $("#train-missing").hidden = !missing;
  $("#train-missing").textContent = missing ?? "";
  $("#train-form").inert = Boolean(missing);
}

export function startTrain() {
  keep($("#train-minutes"));
  store.watch("state", showMissing);
  const showAll = () => keyed($("#train-results"), store.jobsOf("train"), trainingCard);
  store.watch("jobs", showAll);
  store.watch("voices", showAll);
  $("#train-form").addEventListener("submit", submit);
}
