// A waveform by wavesurfer.js, from peaks: the sound itself is the transport's.

import WaveSurfer from "../vendor/wavesurfer.esm.js";

const N_PEAKS = 1200;

/** The largest sample of either sign in each of `N_PEAKS` stretches, interleaved. */
export function findPeaks(buffer) {
  const samples = buffer.getChannelData(0);
  const step = Math.max(1, Math.ceil(samples.length / N_PEAKS));
  const peaks = [];
  for (let start = 0; start < samples.length; start += step) {
    let [low, high] = [0, 0];
    for (let i = start; i < Math.min(start + step, samples.length); i++) {
      low = Math.min(low, samples[i]);
      high = Math.max(high, samples[i]);
    }
    peaks.push(high, low);
  }
  return peaks;
}

/** An envelope from the mel of a picture, where the samples are too many to decode. */
export function peaksOfMel({ frames, bands, values }) {
  const peaks = [];
  for (let frame = 0; frame < frames; frame++) {
    let sum = 0;
    for (let band = 0; band < bands; band++) sum += (values[frame * bands + band] / 255) ** 4;
    const peak = Math.sqrt(sum / bands);
    peaks.push(peak, -peak);
  }
  return peaks;
}

/**
 * Draw peaks into `container`. The library styles itself by a <style> element, which the page's
 * policy forbids: its rules are moved to a style sheet object before the waveform enters the page.
 */
export function drawWaveform(container, peaks, duration, loudest, colours) {
  const frame = document.createElement("div");
  const wave = WaveSurfer.create({
    container: frame, height: 56, interact: false, cursorWidth: 0, hideScrollbar: true, normalize: true,
    maxPeak: loudest, waveColor: colours.rest, progressColor: colours.played, barWidth: 2, barGap: 1, barRadius: 2,
  });
  const root = frame.firstElementChild.shadowRoot;
  const style = root.querySelector("style");
  const rules = new CSSStyleSheet();
  rules.replaceSync(style.textContent);
  root.adoptedStyleSheets = [rules];
  style.remove();
  container.replaceChildren(frame);
  wave.load("", [peaks], duration);
  return wave;
}
