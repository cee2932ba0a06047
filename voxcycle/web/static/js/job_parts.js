// What every job shows: its state, how far it is, and what can be done with it.

import { post, remove } from "./api.js";
import { ask } from "./dialog.js";
import { button, h, setText } from "./dom.js";
import { left, moment } from "./format.js";
import { attempt } from "./notices.js";
import { store } from "./store.js";

const WORDS = { queued: "waiting", running: "running", done: "done", failed: "failed", stopped: "stopped" };
const RUNNING_ACTS = new Set(["cancel", "resume", "use", "delete"]);

const ACTIONS = {
  cancel: { icon: "stop", text: "Stop" },
  resume: { icon: "play", text: "Go on" },
  again: { icon: "play", text: "Try again" },
  use: { icon: "check", text: "Use the best so far" },
  delete: { icon: "trash", label: "Delete" },
};

/** The title of a job; a conversion's begins with the name of a file. */
export function titleOf(job) {
  return job.kind === "convert" ? job.title : job.title.charAt(0).toUpperCase() + job.title.slice(1);
}

export function isActive(job) {
  return job.status === "queued" || job.status === "running";
}

async function act(job, name) {
  if (name === "delete") {
    const words = `${job.title}: the job and what it made on this page are deleted. Voices stay.`;
    if (job.status === "done" && !await ask({ title: "Delete this job?", body: words, confirm: "Delete", isDanger: true })) return;
    if (await attempt(() => remove(`/api/jobs/${job.id}`).then(() => true))) store.takeJob({ id: job.id, deleted: true });
    return;
  }
  const answer = await attempt(() => post(`/api/jobs/${job.id}/${name}`));
  if (answer) store.takeJob(answer); // of `use`, a new one
}

/** Buttons for what a job can do now; `update(job)` keeps them. */
export function jobActions() {
  const element = h("div", { class: "job-actions" });
  let shown = "";
  const update = (job) => {
    const names = (job.can ?? []).filter((name) => RUNNING_ACTS.has(name));
    if (names.join() === shown) return;
    shown = names.join();
    element.replaceChildren(...names.map((name) => {
      const { icon, text, label } = ACTIONS[name === "resume" && job.kind !== "train" ? "again" : name];
      return button(icon, { text, label: `${text ?? label}: ${job.title}`, kind: text ? "plain" : "quiet", onclick: () => act(job, name) });
    }));
  };
  return { element, update };
}

/** State, bar and words of a job; `update(job)` keeps them. */
export function jobProgress(job) {
  const bar = h("progress", { max: 1, "aria-label": `Progress of ${job.title}` });
  const words = h("p", { class: "hint job-words" });
  const element = h("div", { class: "job-progress" }, bar, words);
  const update = (now) => {
    bar.hidden = !isActive(now);
    if (now.status === "running" && now.progress != null) bar.value = now.progress;
    else bar.removeAttribute("value");
    if (now.status === "queued") bar.value = 0;
    const isBad = now.status === "failed";
    const said = [now.message, now.status === "running" ? left(now.seconds_left) : ""].filter(Boolean).join(", ");
    setText(words, now.status === "queued" ? said || "waits for the jobs before it" : said);
    words.classList.toggle("error", isBad);
    words.hidden = !words.textContent || (now.status === "done" && now.kind !== "train");
  };
  return { element, update };
}

/** Title, state and moment of a job; `update(job)` keeps them. */
export function jobHead(job, level = "h3") {
  const state = h("span", { class: "chip" });
  const when = h("span", { class: "when" });
  const actions = jobActions();
  const element = h("div", { class: "job-head" },
    h("div", { class: "job-title" }, h(level, { class: "h3" }, titleOf(job)), when), state, actions.element);
  const update = (now) => {
    state.className = `chip ${now.status}`;
    setText(state, WORDS[now.status] ?? now.status);
    setText(when, moment(now.finished ?? now.started ?? now.created));
    actions.update(now);
  };
  return { element, update, actions: actions.element };
}
