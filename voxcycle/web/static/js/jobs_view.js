// Jobs: the queue in its order, what runs first, what is finished last.

import { post } from "./api.js";
import { $, button, h, keyed } from "./dom.js";
import { isActive, jobHead, jobProgress } from "./job_parts.js";
import { attempt } from "./notices.js";
import { store } from "./store.js";

const VIEWS = { convert: ["convert"], clone: ["train", "clone"], report: ["train", "train"], train: ["train", "train"], use: ["train", "train"], evaluate: ["measure"] };

async function moveUp(job) {
  const waiting = store.jobs.filter((other) => other.status === "queued");
  const before = waiting[waiting.findIndex((other) => other.id === job.id) - 1];
  if (!before) return;
  await attempt(async () => {
    await post(`/api/jobs/${job.id}/move`, { before: before.id });
    await store.refresh("jobs");
  });
}

function showMe(job) {
  const [view, tab] = VIEWS[job.kind] ?? ["jobs"];
  location.hash = `#${view}`;
  if (tab) $(`#tab-${tab}`).click();
}

function jobRow(first) {
  const [head, progress] = [jobHead(first, "h2"), jobProgress(first)];
  const up = button("up", { label: `Move up: ${first.title}`, onclick: () => moveUp(first) });
  const open = h("button", { type: "button", class: "plain", onclick: () => showMe(first), "aria-label": `Show: ${first.title}` }, "Show");
  head.actions.before(up, open);
  const element = h("article", { class: "card job", "aria-label": first.title }, head.element, progress.element);
  const update = (job) => {
    head.update(job);
    progress.update(job);
    up.hidden = !(job.can ?? []).includes("move") || job.isFirst;
    open.hidden = job.status === "queued";
  };
  return { element, update };
}

/** Running first, then waiting in their order, then finished, the newest at the top. */
function inOrder(jobs) {
  const rank = (job) => (job.status === "running" ? 0 : job.status === "queued" ? 1 : 2);
  const finished = jobs.filter((job) => rank(job) === 2).reverse();
  const waiting = jobs.filter((job) => rank(job) === 1).map((job, i) => ({ ...job, isFirst: i === 0 }));
  return [...jobs.filter((job) => rank(job) === 0), ...waiting, ...finished];
}

function show(jobs) {
  const n = jobs.filter(isActive).length;
  $("#n-jobs").hidden = n === 0;
  $("#n-jobs").textContent = n;
  const box = $("#job-list");
  if (!jobs.length) {
    box.replaceChildren(h("p", { class: "empty" }, "No work yet. Conversions, clones, trainings and measurements appear here, and go on when this window is closed."));
    box.parts = null;
    return;
  }
  if (!box.parts) box.replaceChildren();
  keyed(box, inOrder(jobs), jobRow);
}

export function startJobs() {
  store.watch("jobs", show);
}
