// Runs in the audio thread: hands on what the microphone hears, a tenth of a second at a time.

class Recorder extends AudioWorkletProcessor {
  #block = new Float32Array(Math.round(sampleRate / 10));
  #filled = 0;

  constructor() {
    super();
    this.port.onmessage = () => this.#flush(true);
  }

  #flush(isLast) {
    this.port.postMessage({ samples: this.#block.slice(0, this.#filled), isLast });
    this.#filled = 0;
  }

  process([channels]) {
    const samples = channels[0];
    if (!samples) return true; // not connected yet
    for (const sample of samples) {
      this.#block[this.#filled++] = sample;
      if (this.#filled === this.#block.length) this.#flush(false);
    }
    return true;
  }
}

registerProcessor("recorder", Recorder);
