// What the server holds, as this window knows it: voices, uploads, jobs. Events keep it fresh.

import { get, renewToken } from "./api.js";

class Store extends EventTarget {
  state = null;
  voices = null; // null until known
  uploads = null;
  jobs = null;

  /** Call `hear` now, if known, and at every change of `name`. */
  watch(name, hear) {
    this.addEventListener(name, () => hear(this[name]));
    if (this[name]) hear(this[name]);
  }

  set(name, value) {
    this[name] = value;
    this.dispatchEvent(new Event(name));
  }

  async refresh(name) {
    this.set(name, await get(`/api/${name}`));
  }

  async refreshAll() {
    await Promise.all(["state", "voices", "uploads", "jobs"].map((name) => this.refresh(name)));
  }

  /** Take in a job that was sent or answered. */
  takeJob(job) {
    const known = (this.jobs ?? []).filter((other) => other.id !== job.id);
    if (job.deleted) return this.set("jobs", known);
    const at = (this.jobs ?? []).findIndex((other) => other.id === job.id);
    if (at < 0) known.push(job);
    else known.splice(at, 0, job);
    this.set("jobs", known);
  }

  jobsOf(kind) {
    return (this.jobs ?? []).filter((job) => job.kind === kind).sort((x, y) => compare(y, x));
  }
}

function compare(x, y) {
  return new Date(toMs(x.created)) - new Date(toMs(y.created));
}

function toMs(value) {
  return typeof value === "number" ? value * 1000 : value;
}

export const store = new Store();
store.watch("state", (state) => renewToken(state.csrf));

/**
 * Listen for changes while the window is seen: browsers allow six connections to a server, and each
 * listening window holds one. When it is seen again, or the server is back, everything is read.
 */
export function listen(offline) {
  let events = null;
  const open = () => {
    events = new EventSource("/api/events");
    events.addEventListener("open", () => {
      offline.hidden = true;
      store.refreshAll().catch(() => {});
    });
    events.addEventListener("error", () => { offline.hidden = false; });
    events.addEventListener("jobs", (event) => store.takeJob(JSON.parse(event.data)));
    for (const name of ["voices", "uploads"]) {
      events.addEventListener(name, () => store.refresh(name).catch(() => {}));
    }
  };
  const close = () => {
    events?.close();
    events = null;
  };
  document.addEventListener("visibilitychange", () => {
    close();
    if (!document.hidden) open();
  });
  addEventListener("pagehide", close);
  open();
}
