// Original and conversion side by side: two waveforms, two spectrograms, one playhead.

import { get, getBytes } from "./api.js";
import { colourOf } from "./colours.js";
import { button, h, setIcon, setText } from "./dom.js";
import { clock } from "./format.js";
import { LongTransport } from "./long_transport.js";
import { notify } from "./notices.js";
import { showSpectrogram, unpack } from "./spectrogram.js";
import { Transport } from "./transport.js";
import { drawWaveform, findPeaks, peaksOfMel } from "./waveform.js";

const SIDES = [["A", "Original"], ["B", "Converted"]];
const STEPS = { arrowleft: -1, arrowright: 1 };
const MIN_STEP_S = 0.25;
const LONG_S = 600; // decoded, ten minutes of two recordings take 230 MB
let context = null;
let serial = 0;

/** A picture, or null where there is none any more: the recordings can be heard without it. */
async function loadMel(url) {
  try {
    return unpack(await get(url));
  } catch {
    return null;
  }
}

async function load(item) {
  const urls = [item.source_audio, item.audio];
  const ofSource = item.source_picture ?? `/api/uploads/${item.upload}/picture`;
  const mels = await Promise.all([ofSource, item.picture].map(loadMel));
  if (item.seconds > LONG_S) {
    const peaks = mels.map((mel) => (mel ? peaksOfMel(mel) : [0]));
    return { mels, transport: new LongTransport(urls, item.seconds), peaks };
  }
  context ??= new AudioContext();
  const buffers = await Promise.all(urls.map(async (url) => context.decodeAudioData(await getBytes(url))));
  return { mels, transport: new Transport(context, buffers), peaks: buffers.map(findPeaks) };
}

/** The player of one converted recording. `element` is empty until `open()`. */
export class ABPlayer {
  #parts = null;
  #frame = 0;
  #cleanups = [];

  constructor(item) {
    this.item = item;
    this.element = h("div", { class: "ab" });
  }

  async open() {
    if (this.#parts) return;
    this.element.replaceChildren(h("p", { class: "hint loading" }, "Loading both recordings"));
    try {
      this.#parts = await load(this.item);
    } catch (error) {
      this.element.replaceChildren(h("p", { class: "hint error" }, error.message));
      return;
    }
    this.transport = this.#parts.transport;
    this.#build();
    this.transport.addEventListener("state", () => this.#show());
    this.#show();
  }

  close() {
    cancelAnimationFrame(this.#frame);
    for (const cleanup of this.#cleanups) cleanup();
    this.#cleanups = [];
    this.transport?.close();
    this.#parts = null;
    this.element.replaceChildren();
  }

  #build() {
    const name = `heard-${serial++}`;
    this.play = button("play", { label: "Play", kind: "primary round", onclick: () => this.toggle() });
    this.time = h("span", { class: "ab-time" });
    this.radios = SIDES.map(([letter], i) => h("input", { type: "radio", name, id: `${name}-${letter}`, onchange: () => this.transport.select(i) }));
    const segments = h("div", { class: "segments ab-switch", role: "radiogroup", "aria-label": "What is heard" },
      SIDES.map(([letter, words], i) => h("span", {}, this.radios[i], h("label", { for: this.radios[i].id }, h("b", {}, letter), ` ${words}`))));
    this.seek = h("input", { type: "range", class: "ab-seek", min: 0, max: this.transport.duration, step: 0.05, "aria-label": "Position",
      oninput: () => { this.transport.currentTime = Number(this.seek.value); } });
    this.lanes = SIDES.map(([letter, words]) => h("div", { class: `lane lane-${letter.toLowerCase()}` },
      h("span", { class: "lane-letter", "aria-hidden": "true" }, letter), h("div", { class: "wave" }),
      h("canvas", { class: "mel", role: "img", "aria-label": `Spectrogram and pitch: ${words.toLowerCase()}` })));
    this.playhead = h("span", { class: "playhead" });
    this.stage = h("div", { class: "ab-stage" }, this.lanes, this.playhead, this.seek);
    this.element.replaceChildren(
      h("div", { class: "ab-controls" }, this.play, segments, this.time), this.stage,
      h("p", { class: "hint legend" }, h("span", { class: "pitch-key" }), "pitch, 60 to 600 Hz", h("span", { class: "keys" }, "Keys: ", h("kbd", {}, "space"), " play, ", h("kbd", {}, "A"), " ", h("kbd", {}, "B"), " switch, ", h("kbd", {}, "← →"), " move")));
    this.#draw();
    this.#listen();
  }

  #draw() {
    const { mels, peaks } = this.#parts;
    const loudest = Math.max(0.01, ...peaks.flat().map(Math.abs));
    const draw = () => {
      for (const wave of this.waves ?? []) wave.destroy();
      this.waves = this.lanes.map((lane, i) => {
        const colours = { rest: colourOf(lane, "--wave-rest"), played: colourOf(lane, "--wave-played") };
        return drawWaveform(lane.querySelector(".wave"), peaks[i], this.transport.duration, loudest, colours);
      });
    };
    draw();
    document.addEventListener("themechange", draw);
    this.#cleanups.push(() => document.removeEventListener("themechange", draw), () => this.waves.forEach((wave) => wave.destroy()));
    this.lanes.forEach((lane, i) => {
      const canvas = lane.querySelector("canvas");
      if (mels[i]) this.#cleanups.push(showSpectrogram(canvas, mels[i], this.transport.duration));
      else canvas.remove();
    });
  }

  #listen() {
    this.element.onkeydown = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const key = event.key.toLowerCase();
      if (key === "a" || key === "b") this.transport.select(key === "a" ? 0 : 1);
      else if (key === "x") this.transport.select(1 - this.transport.heard);
      else if (key === " " && event.target !== this.play) this.toggle();
      else if (key in STEPS && event.target.type !== "radio") this.#move(STEPS[key]);
      else return;
      event.preventDefault();
    };
  }

  #move(direction) {
    this.transport.currentTime += direction * Math.max(MIN_STEP_S, this.transport.duration / 50);
  }

  toggle() {
    if (!this.transport.paused) return this.transport.pause();
    return this.transport.play().catch(() => notify("This recording cannot be played.", "error"));
  }

  /** Bring everything in line with the transport; while it plays, at every frame. */
  #show() {
    cancelAnimationFrame(this.#frame);
    const { paused, heard, currentTime, duration } = this.transport;
    setIcon(this.play, paused ? "play" : "pause");
    this.play.setAttribute("aria-label", paused ? "Play" : "Pause");
    this.play.title = paused ? "Play" : "Pause";
    this.radios.forEach((radio, i) => { radio.checked = i === heard; });
    this.lanes.forEach((lane, i) => lane.classList.toggle("is-heard", i === heard));
    this.element.dataset.heard = SIDES[heard][0];
    setText(this.time, `${clock(currentTime)} / ${clock(duration)}`);
    this.seek.value = currentTime;
    this.seek.setAttribute("aria-valuetext", `${currentTime.toFixed(1)} of ${duration.toFixed(1)} seconds`);
    this.playhead.style.setProperty("--at", currentTime / duration);
    for (const wave of this.waves) wave.setTime(currentTime);
    if (!paused) this.#frame = requestAnimationFrame(() => this.#show());
  }
}
