// The microphone, as the voice is: without the browser's cancelling, gating and levelling.

import { encodeWav } from "./wav.js";

const WANTED = { audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false } };

const REASONS = {
  NotAllowedError: "The browser does not let this page use the microphone. Allow it beside the address, then try again.",
  NotFoundError: "No microphone was found. Connect one, or choose a file.",
  NotReadableError: "Another program uses the microphone. Close it, then try again.",
};

export class Recorder {
  #blocks = [];
  #length = 0;
  #done = null;

  /** Open the microphone and record; `hear(peak, seconds)` is called ten times a second. */
  static async start(hear) {
    if (!navigator.mediaDevices) {
      throw new Error("Browsers give no microphone to plain http from another computer. Open the page on the "
        + "computer itself, or start the server with a certificate.");
    }
    const recorder = new Recorder();
    try {
      recorder.stream = await navigator.mediaDevices.getUserMedia(WANTED);
    } catch (error) {
      throw new Error(REASONS[error.name] ?? `The microphone cannot be used: ${error.message}`);
    }
    recorder.context = new AudioContext();
    await recorder.context.audioWorklet.addModule("/static/js/recorder_worklet.js");
    const source = recorder.context.createMediaStreamSource(recorder.stream);
    recorder.node = new AudioWorkletNode(recorder.context, "recorder", { numberOfOutputs: 0 });
    recorder.node.port.onmessage = ({ data }) => recorder.#take(data, hear);
    source.connect(recorder.node);
    return recorder;
  }

  get seconds() {
    return this.#length / this.context.sampleRate;
  }

  #take({ samples, isLast }, hear) {
    this.#blocks.push(samples);
    this.#length += samples.length;
    hear(samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0), this.seconds);
    if (isLast) this.#done?.();
  }

  /** Close the microphone; resolves to a WAV file. */
  async stop(name) {
    await new Promise((resolve) => {
      this.#done = resolve;
      this.node.port.postMessage("stop");
    });
    this.close();
    return new File([encodeWav(this.#blocks, this.context.sampleRate)], name, { type: "audio/wav" });
  }

  close() {
    for (const track of this.stream.getTracks()) track.stop();
    if (this.context.state !== "closed") this.context.close();
  }
}
