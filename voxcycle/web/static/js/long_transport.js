// The transport of long recordings: two media elements that stream, one of them muted.

import { release, take } from "./solo.js";

const DRIFT_S = 0.03;

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
    this.#align();
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
    this.#align();
    this.heard = which;
    this.elements.forEach((element, i) => { element.muted = i !== which; });
    this.#tell();
  }

  close() {
    this.pause();
    for (const element of this.elements) element.removeAttribute("src");
  }

  #align() {
    const [heard, other] = [this.elements[this.heard], this.elements[1 - this.heard]];
    if (Math.abs(heard.currentTime - other.currentTime) > DRIFT_S) other.currentTime = heard.currentTime;
  }

  #end() {
    this.pause();
    this.currentTime = 0;
  }

  #tell() {
    this.dispatchEvent(new Event("state"));
  }
}
