// The data report: what of the recordings a training would keep, what it drops and why.

import { get, post } from "./api.js";
import { $, h, icon } from "./dom.js";
import { count, duration } from "./format.js";
import { intakeOf } from "./intake.js";
import { isActive, jobActions, jobProgress } from "./job_parts.js";
import { attempt, say } from "./notices.js";
import { playButton } from "./sample.js";
import { showSpectrogram, unpack } from "./spectrogram.js";
import { store } from "./store.js";

const SIDES = { b: "Who should speak", a: "Who will be converted" };

async function check() {
  const hint = $("#report-hint");
  const [a, b] = ["train-a", "train-b"].map((set) => intakeOf(set).uploads.map((upload) => upload.id));
  if (!a.length || !b.length) return say(hint, "Add recordings on both sides first.", true);
  const job = await attempt(() => post("/api/jobs", { kind: "report", a, b }), hint);
  if (job) store.takeJob(job);
}

function nameOf(entry) {
  return typeof entry === "string" ? entry : entry.name;
}

/** What was dropped, by reason: the reasons are few, the clips may be many. */
function byReason(dropped) {
  const groups = new Map();
  for (const entry of dropped) groups.set(entry.reason, [...(groups.get(entry.reason) ?? []), entry]);
  return [...groups].sort((x, y) => y[1].length - x[1].length);
}

const ends = []; // of what keeps the spectrograms drawn

/** A kept clip, to see and to hear. */
async function clipPart(url, clip) {
  const mel = await get(url).then(unpack, () => null);
  if (!mel) return null;
  const canvas = h("canvas", { class: "mel small", role: "img", "aria-label": `Spectrogram of ${nameOf(clip)}` });
  ends.push(showSpectrogram(canvas, mel, mel.seconds));
  return h("figure", { class: "clip" }, canvas, clip.audio && playButton(clip.audio, `Hear ${nameOf(clip)}`));
}

function sidePart(title, side) {
  const [nKept, nDropped] = [side.kept.length, side.dropped.length];
  const share = side.minutes_kept / Math.max(1e-9, side.minutes);
  const pictures = h("div", { class: "report-pictures" });
  Promise.all((side.pictures ?? []).slice(0, 4).map((url, i) => clipPart(url, side.kept[i]))).then((made) => pictures.append(...made.filter(Boolean)));
  const bar = h("span", { class: "meter full", role: "img", "aria-label": `${Math.round(100 * share)} % kept` });
  bar.style.setProperty("--share", share);
  return h("section", { class: "report-side" },
    h("h3", {}, title),
    h("p", { class: "big" }, duration(60 * side.minutes_kept), h("small", {}, ` of ${duration(60 * side.minutes)} kept`)), bar,
    h("p", {}, nDropped ? `${count(nKept, "clip")} kept, ${nDropped} dropped:` : `${count(nKept, "clip")} kept, none dropped.`),
    nDropped > 0 && h("ul", { class: "dropped" }, byReason(side.dropped).map(([reason, entries]) => h("li", {},
      h("details", {}, h("summary", {}, h("b", {}, entries.length), ` ${reason}`),
        h("ul", {}, entries.slice(0, 100).map((entry) => h("li", {}, nameOf(entry)))))))),
    [side.notes ?? []].flat().map((note) => h("p", { class: "note" }, icon("warn"), note)),
    pictures,
    side.chart && h("details", { class: "all-clips" }, h("summary", {}, "Lengths, noise and pitch of all clips"),
      h("img", { src: side.chart, loading: "lazy", alt: `Charts of the clips: ${title.toLowerCase()}` })));
}

let shown = null; // {key, update} of the report on the page

function showLatest() {
  const box = $("#report-result");
  const [job] = store.jobsOf("report");
  if (!job) {
    shown = null;
    return box.replaceChildren();
  }
  const key = `${job.id} ${job.status}`;
  if (shown?.key === key) return shown.update(job);
  for (const end of ends.splice(0)) end();
  const [progress, actions] = [jobProgress(job), jobActions()];
  shown = { key, update: (now) => { progress.update(now); actions.update(now); } };
  shown.update(job);
  const sides = job.status === "done" && job.result?.sides;
  box.replaceChildren(...(sides
    ? [h("div", { class: "columns report" }, Object.entries(SIDES).map(([side, title]) => sides[side] && sidePart(title, sides[side])))]
    : [progress.element, isActive(job) ? actions.element : ""]));
}

export function startDataReport() {
  store.watch("jobs", showLatest);
  $("#report-go").addEventListener("click", check);
}
