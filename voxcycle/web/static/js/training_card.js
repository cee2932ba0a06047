// A training: progress, losses, what each stage sounds like and scores, the best so far.

import { lossCharts } from "./chart.js";
import { madeVoice } from "./clone_view.js";
import { h, icon, keyed } from "./dom.js";
import { score } from "./format.js";
import { jobHead, jobProgress } from "./job_parts.js";
import { playButton } from "./sample.js";
import { store } from "./store.js";

const SCORES = { g_ab_composite: "score", g_ab_secs_target: "similarity", g_ab_cer: "characters lost", g_ab_distillmos: "naturalness", g_ab_f0_rmse_semitones: "pitch error" };

/** How the voice scored at a stage; without judges, the losses on recordings held back. */
function metricsOf(stage) {
  const known = Object.entries(stage.metrics ?? {}).filter(([, value]) => Number.isFinite(value));
  const scores = known.filter(([key]) => key in SCORES);
  const shown = scores.length ? scores : known.filter(([key]) => !key.startsWith("g_"));
  return shown.map(([key, value]) => h("div", {}, h("dt", {}, SCORES[key] ?? key.replaceAll("_", " ")), h("dd", {}, score(value, 3))));
}

/** Conversions to the voice that was asked for, which are a to b; both where no name says it. */
function soundsOf(stage) {
  const audio = stage.audio ?? [];
  const wanted = audio.filter((url) => url.includes("a-to-b"));
  return wanted.length ? wanted : audio;
}

function stageRow(first) {
  const mark = h("span", { class: "best-mark", hidden: true }, icon("check"), "best so far");
  const sounds = h("span", { class: "stage-sounds" });
  const metrics = h("dl", { class: "scores" });
  const element = h("li", { class: "stage" }, h("span", { class: "stage-step" }, `Step ${first.step.toLocaleString()}`), mark, metrics, sounds);
  let shown = "";
  const update = (stage) => {
    mark.hidden = !stage.isBest;
    const key = JSON.stringify([stage.metrics, stage.audio]);
    if (key === shown) return;
    shown = key;
    metrics.replaceChildren(...metricsOf(stage));
    sounds.replaceChildren(...soundsOf(stage).map((url, i) => playButton(url, `Hear step ${stage.step}, sentence ${i + 1}`)));
  };
  return { element, update };
}

/** Voices of the training as it was when somebody asked for them. */
function useRow(first) {
  const [head, progress] = [jobHead(first), jobProgress(first)];
  const made = h("div", { class: "made-box" });
  const element = h("div", { class: "use" }, head.element, progress.element, made);
  const update = (job) => {
    head.update(job);
    progress.update(job);
    const voices = (job.result?.voices ?? []).map(madeVoice).filter(Boolean);
    made.replaceChildren(...voices, ...(voices.length ? [h("p", { class: "hint" }, `Of step ${job.result.step.toLocaleString()}.`)] : []));
  };
  return { element, update };
}

/** A card of a training; `update(job)` keeps it. */
export function trainingCard(first) {
  const [head, progress, charts] = [jobHead(first, "h2"), jobProgress(first), lossCharts()];
  const stages = h("ol", { class: "stages" });
  const stagesTitle = h("h3", {}, "Stages");
  const made = h("div", { class: "made-box" });
  const uses = h("div", { class: "uses" });
  const element = h("article", { class: "card result training", "aria-label": first.title },
    head.element, progress.element, uses, made, charts.element, stagesTitle, stages);
  const update = (job) => {
    head.update(job);
    progress.update(job);
    const result = job.result ?? {};
    charts.update(result.losses ?? []);
    const newest = store.jobsOf("use").find((use) => use.options.training === job.id); // it replaces the others' voices
    keyed(uses, newest ? [newest] : [], useRow);
    const rows = (result.stages ?? []).map((stage) => ({ ...stage, id: stage.step, isBest: stage.step === result.best?.b?.step }));
    stagesTitle.hidden = !rows.length;
    keyed(stages, rows.reverse(), stageRow);
    made.replaceChildren(...[(result.voices ?? [result.voice ?? []].flat()).map(madeVoice),
      result.report && h("a", { class: "button plain", href: result.report, target: "_blank", rel: "noopener" }, "Report of the data")].flat().filter(Boolean));
  };
  return { element, update };
}
