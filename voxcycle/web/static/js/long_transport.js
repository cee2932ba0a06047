// The transport of long recordings: two media elements that stream, one of them muted.

import { release, take } from "./solo.js";

const FAR_S = 0.5; // beyond it the muted one seeks; below, it runs a little faster or slower
const MAX_CHANGE = 0.15; // of its speed

/** As `Transport`, without decoding everything into memory. */
export class LongTransport extends EventTarget {
  #stop = () => this.pause();

  constructor(urls, duration) {
    super();
    this.duration = duration;
    this.heard = 1;
    this.elements = urls.map((url, i) => {
      const element = new Audio(url);
      element.preload = "auto";
      element.muted = i !== this.heard;
      return element;
    });
    for (const element of this.elements) element.addEventListener("timeupdate", () => this.#align());
    this.elements[1].addEventListener("ended", () => this.#end());
  }

  get paused() {
    return this.elements[1].paused;
  }

  get currentTime() {
    return this.elements[this.heard].currentTime;
  }

  set currentTime(seconds) {
    for (const element of this.elements) element.currentTime = seconds;
    this.#tell();
  }

  async play() {
    take(this.#stop);
    await Promise.all(this.elements.map((element) => element.play()));
    this.#tell();
  }

  pause() {
    for (const element of this.elements) element.pause();
    release(this.#stop);
    this.#tell();
  }

  select(which) {
    if (which === this.heard) return;
    this.heard = which;
    this.elements[which].playbackRate = 1;
    this.elements.forEach((element, i) => { element.muted = i !== which; });
    this.#tell();
  }

  close() {
    this.pause();
    for (const element of this.elements) element.removeAttribute("src");
  }

  /** Bring the muted one to the other, so that switching never waits for it. */
  #align() {
    const [heard, muted] = [this.elements[this.heard], this.elements[1 - this.heard]];
    const lag = heard.currentTime - muted.currentTime;
    if (Math.abs(lag) > FAR_S) muted.currentTime = heard.currentTime;
    else muted.playbackRate = 1 + Math.max(-MAX_CHANGE, Math.min(MAX_CHANGE, lag));
  }

  #end() {
    this.pause();
    this.currentTime = 0;
  }

  #tell() {
    this.dispatchEvent(new Event("state"));
  }
}
