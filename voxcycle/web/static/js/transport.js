// Two recordings on one clock: both always run, one is heard. Switching fades in 8 ms, without a gap.

import { release, take } from "./solo.js";

const FADE_S = 0.008;
const AHEAD_S = 0.03; // between the order to play and the first sample

/** Plays two decoded recordings by Web Audio. Events: `state` at every change of what it does. */
export class Transport extends EventTarget {
  #sources = [];
  #origin = 0; // of the context's clock, where the recordings begin
  #offset = 0; // where it stands while it is paused
  #stop = () => this.pause();

  constructor(context, buffers) {
    super();
    this.context = context;
    this.buffers = buffers;
    this.duration = Math.max(...buffers.map((buffer) => buffer.duration));
    this.heard = 1;
    this.paused = true;
    this.gains = buffers.map((_, i) => {
      const gain = context.createGain();
      gain.gain.value = i === this.heard ? 1 : 0;
      gain.connect(context.destination);
      return gain;
    });
  }

  get currentTime() {
    if (this.paused) return this.#offset;
    return Math.min(this.duration, Math.max(this.#offset, this.context.currentTime - this.#origin));
  }

  set currentTime(seconds) {
    const wasPaused = this.paused;
    this.#halt();
    this.#offset = Math.min(this.duration, Math.max(0, seconds));
    if (!wasPaused) this.#run();
    this.#tell();
  }

  async play() {
    take(this.#stop);
    await this.context.resume();
    this.start();
  }

  /** Play in a context that runs already. */
  start() {
    if (!this.paused) return;
    if (this.#offset > this.duration - 0.05) this.#offset = 0;
    this.#run();
    this.#tell();
  }

  pause() {
    if (this.paused) return;
    this.#offset = this.currentTime;
    this.#halt();
    release(this.#stop);
    this.#tell();
  }

  /** Hear recording 0 or 1. */
  select(which) {
    if (which === this.heard) return;
    this.heard = which;
    const now = this.context.currentTime;
    this.gains.forEach(({ gain }, i) => {
      gain.cancelScheduledValues(now);
      gain.setValueAtTime(gain.value, now);
      gain.linearRampToValueAtTime(i === which ? 1 : 0, now + FADE_S);
    });
    this.#tell();
  }

  close() {
    this.pause();
    for (const gain of this.gains) gain.disconnect();
  }

  #run() {
    const when = this.context.currentTime + AHEAD_S;
    this.#origin = when - this.#offset;
    this.#sources = this.buffers.map((buffer, i) => {
      const source = this.context.createBufferSource();
      source.buffer = buffer;
      source.connect(this.gains[i]);
      source.start(when, Math.min(this.#offset, buffer.duration));
      return source;
    });
    const longest = this.buffers.findIndex((buffer) => buffer.duration === this.duration);
    this.#sources[longest].onended = () => this.#end();
    this.paused = false;
  }

  #halt() {
    for (const source of this.#sources) {
      source.onended = null;
      source.stop();
      source.disconnect();
    }
    this.#sources = [];
    this.paused = true;
  }

  #end() {
    this.#halt();
    this.#offset = 0;
    release(this.#stop);
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("state"));
  }
}
