// Where recordings come in: dropped, chosen, a folder, or recorded; and the list of what is there.

import { remove, send } from "./api.js";
import { button, h, icon, keyed, setText } from "./dom.js";
import { dropped, recordingsOf } from "./dropped_files.js";
import { clock, count, duration, sentence } from "./format.js";
import { attempt, say } from "./notices.js";
import { Recorder } from "./recorder.js";
import { playButton } from "./sample.js";
import { store } from "./store.js";

const intakes = new Map();
let serial = 0;

/** The intake of a set of uploads. */
export const intakeOf = (set) => intakes.get(set);

class Intake extends EventTarget {
  #sending = []; // {id, name, share, error}
  #recorder = null;

  constructor(root) {
    super();
    this.set = root.dataset.intake;
    this.goal = Number(root.dataset.goal ?? 0);
    this.root = root;
    this.#build(root.dataset);
    store.watch("uploads", () => this.#show());
    intakes.set(this.set, this);
  }

  /** What the server holds of this set, oldest first. */
  get uploads() {
    return (store.uploads ?? []).filter((upload) => upload.set === this.set);
  }

  get seconds() {
    return this.uploads.reduce((sum, upload) => sum + (upload.seconds ?? 0), 0);
  }

  get isBusy() {
    return this.#recorder !== null || this.#sending.some((item) => !item.error);
  }

  focus() {
    this.choose.focus();
  }

  #build({ folder, record }) {
    const input = h("input", { type: "file", class: "sr-only", tabindex: "-1", "aria-hidden": "true", multiple: true,
      onchange: () => this.#takeFiles(input) });
    const folderInput = folder != null && h("input", { type: "file", class: "sr-only", tabindex: "-1",
      "aria-hidden": "true", webkitdirectory: true, onchange: () => this.#takeFiles(folderInput, recordingsOf) });
    this.choose = button("upload", { text: folder != null ? "Files" : "Choose files", label: `Choose files: ${this.#heading()}`, kind: "plain", onclick: () => input.click() });
    this.record = record && button("mic", { text: record, label: `${record}: ${this.#heading()}`, kind: "plain", onclick: () => this.#toggleRecording() });
    this.level = h("span", { class: "level" });
    this.recording = h("p", { class: "recording", hidden: true }, this.level, h("span", { class: "recording-time" }, "0:00"));
    this.message = h("p", { class: "hint", "aria-live": "polite" });
    this.list = h("ul", { class: "files", "aria-label": `Recordings: ${this.#heading()}` });
    this.total = h("p", { class: "total", hidden: true });
    this.zone = h("div", { class: "drop" },
      h("p", { class: "drop-words" }, folder != null ? "Drop files or a folder here" : "Drop recordings here"),
      h("div", { class: "drop-buttons" }, this.choose,
        folderInput && button("folder", { text: "Folder", label: `Choose a folder: ${this.#heading()}`, kind: "plain", onclick: () => folderInput.click() }),
        this.record),
      input, folderInput, this.recording);
    this.#listenForDrops();
    this.root.replaceChildren(this.zone, this.message, this.list, this.total);
  }

  #heading() {
    return this.root.closest("section, fieldset").querySelector("h2, legend").textContent;
  }

  #listenForDrops() {
    const mark = (isOver) => this.zone.classList.toggle("over", isOver);
    this.zone.addEventListener("dragover", (event) => {
      event.preventDefault();
      mark(true);
    });
    this.zone.addEventListener("dragleave", () => mark(false));
    this.zone.addEventListener("drop", async (event) => {
      event.preventDefault();
      mark(false);
      this.add(await dropped(event.dataTransfer));
    });
  }

  #takeFiles(input, choose = (files) => files) {
    const files = choose([...input.files]);
    input.value = "";
    this.add(files);
  }

  /** Send files one after the other. What cannot be read keeps its row, with the reason. */
  async add(files) {
    say(this.message, files.length ? "" : "There is no recording in it.", !files.length);
    const items = files.map((file) => ({ id: `sending-${serial++}`, name: file.name, file, share: 0, error: null }));
    this.#sending.push(...items);
    this.#show();
    for (const item of items) await this.#send(item);
    if (items.length && store.uploads) await attempt(() => store.refresh("uploads"), this.message);
  }

  async #send(item) {
    const report = (share) => {
      item.share = share;
      this.#show();
    };
    try {
      const [answer] = await send(`/api/uploads?set=${encodeURIComponent(this.set)}`, item.file, report);
      if (answer.error) throw new Error(answer.error);
      this.#sending.splice(this.#sending.indexOf(item), 1);
      if (!(store.uploads ?? []).some((upload) => upload.id === answer.id)) {
        store.set("uploads", [...(store.uploads ?? []), answer]);
      }
    } catch (error) {
      item.error = sentence(error.message.replace(`${item.name}: `, "")); // the row has the name
    }
    item.file = null;
    this.#show();
  }

  async #toggleRecording() {
    say(this.message, "");
    if (this.#recorder) return this.#finishRecording();
    this.record.disabled = true;
    try {
      this.#recorder = await Recorder.start((peak, seconds) => this.#hear(peak, seconds));
    } catch (error) {
      say(this.message, error.message, true);
    }
    this.record.disabled = false;
    this.#showRecording();
  }

  async #finishRecording() {
    const recorder = this.#recorder;
    this.record.disabled = true;
    const at = new Date().toTimeString().slice(0, 8).replaceAll(":", ".");
    const file = await recorder.stop(`recording ${at}.wav`);
    this.#recorder = null;
    this.record.disabled = false;
    this.#showRecording();
    await this.add([file]);
  }

  #hear(peak, seconds) {
    const db = 20 * Math.log10(peak + 1e-5);
    this.level.style.setProperty("--level", Math.max(0, Math.min(1, 1 + db / 60)).toFixed(3));
    this.level.classList.toggle("hot", peak > 0.98);
    setText(this.recording.querySelector(".recording-time"), clock(seconds));
  }

  #showRecording() {
    const isOn = this.#recorder !== null;
    this.recording.hidden = !isOn;
    this.record.classList.toggle("is-recording", isOn);
    const words = isOn ? "Stop" : this.root.dataset.record;
    this.record.setAttribute("aria-label", `${words}: ${this.#heading()}`);
    this.record.replaceChildren(icon(isOn ? "stop" : "mic"), h("span", {}, words));
    this.dispatchEvent(new Event("change"));
  }

  #show() {
    keyed(this.list, [...this.uploads, ...this.#sending], (item) => this.#row(item));
    this.root.classList.toggle("has-files", this.list.childElementCount > 0);
    this.#showTotal();
    this.dispatchEvent(new Event("change"));
  }

  #showTotal() {
    const [n, seconds] = [this.uploads.length, this.seconds];
    this.total.hidden = n === 0 || (n === 1 && !this.goal);
    const share = this.goal ? Math.min(1, seconds / this.goal) : 0;
    const words = this.goal && seconds < this.goal ? `${clock(seconds)} of ${clock(this.goal)} min`
      : `${count(n, "recording")}, ${duration(seconds)}`;
    if (!this.total.firstChild) {
      this.total.append(h("span"), this.goal ? h("span", { class: "meter" }) : "",
        button("trash", { text: "Remove all", label: `Remove all: ${this.#heading()}`, onclick: () => this.#removeAll() }));
    }
    setText(this.total.firstChild, words);
    this.total.querySelector(".meter")?.style.setProperty("--share", share);
    this.total.querySelector(".meter")?.classList.toggle("full", share === 1);
  }

  #row(first) {
    const isSending = first.id.startsWith("sending-");
    const name = h("span", { class: "file-name", title: first.name }, first.name);
    const facts = h("span", { class: "file-facts" });
    const bar = isSending && h("span", { class: "meter" });
    const element = h("li", { class: "file" },
      isSending ? h("span", { class: "file-state" }, icon("upload")) : playButton(`/api/uploads/${first.id}/audio`, `Play ${first.name}`),
      h("span", { class: "file-words" }, name, facts), bar,
      button("close", { label: `Remove ${first.name}`, onclick: () => this.#remove(first) }));
    const update = (item) => {
      element.classList.toggle("failed", Boolean(item.error));
      if (item.error) element.querySelector("use").setAttribute("href", "#icon-warn");
      setText(facts, item.error ?? (isSending ? (item.share < 1 ? "sending" : "reading") : duration(item.seconds)));
      bar?.style?.setProperty("--share", item.error ? 0 : item.share);
    };
    return { element, update };
  }

  async #remove(item) {
    const at = this.#sending.indexOf(item);
    if (at >= 0) {
      this.#sending.splice(at, 1);
      return this.#show();
    }
    await attempt(() => remove(`/api/uploads/${item.id}`), this.message);
    await attempt(() => store.refresh("uploads"), this.message);
    this.focus();
  }

  async #removeAll() {
    this.#sending = this.#sending.filter((item) => !item.error);
    for (const upload of this.uploads) await attempt(() => remove(`/api/uploads/${upload.id}`), this.message);
    await attempt(() => store.refresh("uploads"), this.message);
    this.focus();
  }
}

/** Make an intake of every place that the page has for one. */
export function startIntakes() {
  for (const root of document.querySelectorAll("[data-intake]")) new Intake(root);
}
