// One conversion job: progress while it runs, then a player per recording.

import { ABPlayer } from "./ab_player.js";
import { h, icon } from "./dom.js";
import { duration, sentence } from "./format.js";
import { jobHead, jobProgress } from "./job_parts.js";

function downloadLink(url, label, text = null) {
  return h("a", { class: text ? "button plain" : "quiet icon-button", href: url, download: true, "aria-label": text ? null : label, title: text ? null : label },
    icon("download"), text && h("span", {}, text));
}

function notesOf(item) {
  if (!item.notes?.length) return null;
  return h("ul", { class: "notes" }, item.notes.map((note) => h("li", {}, sentence(note))));
}

/** One recording of a job: a line that opens to the player. */
function itemRow(item, isOpen) {
  if (item.error) {
    return h("div", { class: "item failed" }, h("p", {}, icon("warn"), h("b", {}, item.name), h("span", { class: "error" }, item.error)));
  }
  const player = new ABPlayer(item);
  const details = h("details", { class: "item", ontoggle: () => (details.open ? player.open() : player.close()) },
    h("summary", {}, h("span", { class: "item-name" }, item.name), h("span", { class: "item-facts" }, duration(item.seconds))),
    player.element, notesOf(item));
  details.open = isOpen;
  return h("div", { class: "item-row" }, details, downloadLink(item.download, `Download ${item.name}`));
}

/** A card of a conversion, its first player open if it `opens`; `update(job)` keeps it. */
export function convertResult(first, opens) {
  const [head, progress] = [jobHead(first), jobProgress(first)];
  const items = h("div", { class: "items" });
  const element = h("article", { class: "card result", "aria-label": first.title }, head.element, progress.element, items);
  let shown = -1;
  const update = (job) => {
    head.update(job);
    progress.update(job);
    const found = job.result?.items ?? [];
    const ready = job.status === "running" || job.status === "queued" ? [] : found;
    if (ready.length === shown) return;
    shown = ready.length;
    items.replaceChildren(...ready.map((item, i) => itemRow(item, opens && i === 0)));
    head.element.querySelector(".all")?.remove();
    if (ready.length > 1 && job.result.zip) {
      const all = downloadLink(job.result.zip, "", "Download all");
      all.classList.add("all");
      head.actions.before(all);
    }
  };
  return { element, update };
}
