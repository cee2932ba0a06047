// Measure: an evaluation from the page, and the reports of earlier ones.

import { post } from "./api.js";
import { $, button, h, icon, keyed } from "./dom.js";
import { sentence } from "./format.js";
import { intakeOf } from "./intake.js";
import { jobHead, jobProgress } from "./job_parts.js";
import { attempt, say } from "./notices.js";
import { keep, recall } from "./settings.js";
import { store } from "./store.js";
import { scoresOf } from "./voice_card.js";

async function submit(event) {
  event.preventDefault();
  const hint = $("#measure-hint");
  const [sources, targets] = ["measure-source", "measure-target"].map(intakeOf);
  for (const [intake, words] of [[sources, "Add recordings to convert first."], [targets, "Add recordings of the voice's own speaker first."]]) {
    if (intake.isBusy) return say(hint, "A recording is still on its way; wait for it.", true);
    if (!intake.uploads.length) {
      say(hint, words, true);
      return intake.focus();
    }
  }
  const [uploads, references] = [sources, targets].map((intake) => intake.uploads.map((upload) => upload.id));
  const job = await attempt(() => post("/api/jobs", { kind: "evaluate", voice: $("#measure-voice").value, uploads, references }), hint);
  if (job) store.takeJob(job);
}

function showVoices(voices) {
  const select = $("#measure-voice");
  const kept = select.value || recall("measure-voice");
  select.replaceChildren(...voices.map((voice) => h("option", { value: voice.id, selected: voice.id === kept }, voice.title ?? voice.name)));
}

function reportCard(first) {
  const [head, progress] = [jobHead(first), jobProgress(first)];
  const scores = h("div", { class: "made-box" });
  const actions = h("div", { class: "report-actions" });
  const place = h("div", { class: "report-frame", hidden: true });
  const element = h("article", { class: "card result", "aria-label": first.title }, head.element, progress.element, scores, actions, place);
  let shown = null;
  const update = (job) => {
    head.update(job);
    progress.update(job);
    const url = job.result?.report ?? null;
    if (url === shown) return;
    shown = url;
    const notes = (job.result?.notes ?? []).map((note) => h("li", {}, sentence(note)));
    scores.replaceChildren(...[job.result?.scores && scoresOf(job.result),
      notes.length > 0 && h("ul", { class: "notes" }, notes)].filter(Boolean));
    if (!url) return actions.replaceChildren();
    const toggle = button("measure", { text: "Show the report", label: "Show the report", kind: "plain", "aria-expanded": "false", onclick: () => {
      place.hidden = !place.hidden;
      toggle.setAttribute("aria-expanded", String(!place.hidden));
      toggle.querySelector("span").textContent = place.hidden ? "Show the report" : "Hide the report";
      if (!place.firstChild) place.append(h("iframe", { src: url, title: `Report: ${job.title}`, sandbox: "allow-scripts" }));
    } });
    actions.replaceChildren(toggle, h("a", { class: "button plain", href: url, target: "_blank", rel: "noopener" }, "Open in a window of its own"),
      h("a", { class: "button plain", href: url, download: "report.html" }, icon("download"), h("span", {}, "Download")));
  };
  return { element, update };
}

function showReports() {
  const [box, jobs] = [$("#measure-results"), store.jobsOf("evaluate")];
  if (!jobs.length) {
    box.replaceChildren(h("p", { class: "empty" }, "No report yet. Choose recordings of both sides and a voice, and press Measure: its report is kept here."));
    box.parts = null;
    return;
  }
  if (!box.parts) box.replaceChildren();
  keyed(box, jobs, reportCard);
}

function showMissing(state) {
  const missing = state.can_evaluate ? null : state.missing?.evaluate ?? "Measurements need the extra [eval].";
  $("#measure-missing").hidden = !missing;
  $("#measure-missing").textContent = missing ?? "";
  $("#measure-form").inert = Boolean(missing);
}

export function startMeasure() {
  store.watch("voices", showVoices);
  store.watch("jobs", showReports);
  store.watch("state", showMissing);
  keep($("#measure-voice"));
  $("#measure-form").addEventListener("submit", submit);
}
