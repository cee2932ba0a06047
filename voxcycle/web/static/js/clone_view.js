// Clone: half a minute of one person becomes a voice.

import { post } from "./api.js";
import { $, h, keyed } from "./dom.js";
import { intakeOf } from "./intake.js";
import { jobHead, jobProgress } from "./job_parts.js";
import { findMissing, readFacts } from "./make_view.js";
import { attempt, say } from "./notices.js";
import { playButton } from "./sample.js";
import { store } from "./store.js";

async function submit(event) {
  event.preventDefault();
  const [form, hint, intake] = [event.target, $("#clone-hint"), intakeOf("clone")];
  if (intake.isBusy) return say(hint, "A recording is still on its way; wait for it, or stop recording.", true);
  if (!intake.uploads.length) {
    say(hint, "Add recordings of the person first.", true);
    return intake.focus();
  }
  const missing = findMissing(form);
  if (missing) return say(hint, missing, true);
  const uploads = intake.uploads.map((upload) => upload.id);
  const job = await attempt(() => post("/api/jobs", { kind: "clone", uploads, ...readFacts(form) }), hint);
  if (!job) return;
  store.takeJob(job);
  $("#clone-agreed").checked = false;
  $("#clone-results").scrollIntoView({ block: "nearest" });
}

/** The voice that a job made, to hear and to use; nothing where it was deleted since. */
export function madeVoice(id) {
  const voice = (store.voices ?? []).find((known) => known.id === id);
  if (!voice) return null;
  return h("p", { class: "made" }, playButton(voice.sample, `Hear ${voice.name}`), h("b", {}, voice.name),
    h("a", { class: "button plain", href: "#convert", onclick: () => document.getElementById(`voice-${voice.id}`)?.click() }, "Convert to it"));
}

function cloneCard(first) {
  const [head, progress] = [jobHead(first, "h2"), jobProgress(first)];
  const made = h("div", { class: "made-box" });
  const element = h("article", { class: "card result", "aria-label": first.title }, head.element, progress.element, made);
  const update = (job) => {
    head.update(job);
    progress.update(job);
    const notes = [job.result?.notes ?? []].flat().filter(Boolean);
    made.replaceChildren(...[job.result?.voice && madeVoice(job.result.voice),
      notes.length > 0 && h("ul", { class: "notes" }, notes.map((note) => h("li", {}, note)))].filter(Boolean));
  };
  return { element, update };
}

export function startClone() {
  const showAll = () => keyed($("#clone-results"), store.jobsOf("clone"), cloneCard);
  store.watch("jobs", showAll);
  store.watch("voices", showAll);
  $("#clone-form").addEventListener("submit", submit);
}
