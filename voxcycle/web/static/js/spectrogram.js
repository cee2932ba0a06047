// A mel spectrogram in the tones of the page, and the pitch above it in the accent colour.

import { channels, colourOf } from "./colours.js";

const F0_LOW_HZ = 60;
const F0_HIGH_HZ = 600;

/** Return the bytes of a picture beside its sizes. */
export function unpack(picture) {
  const text = atob(picture.mel.data);
  const values = Uint8Array.from(text, (c) => c.charCodeAt(0));
  return { ...picture.mel, values, seconds: picture.seconds, f0_hz: picture.f0_hz ?? [] };
}

function drawMel(mel, from, to) {
  const image = new ImageData(mel.frames, mel.bands);
  for (let band = 0; band < mel.bands; band++) {
    for (let frame = 0; frame < mel.frames; frame++) {
      const share = (mel.values[frame * mel.bands + band] / 255) ** 1.4;
      const at = 4 * ((mel.bands - 1 - band) * mel.frames + frame);
      for (let c = 0; c < 3; c++) image.data[at + c] = from[c] + share * (to[c] - from[c]);
      image.data[at + 3] = 255;
    }
  }
  const canvas = new OffscreenCanvas(mel.frames, mel.bands);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** Where a pitch lies: a logarithmic axis from 60 Hz at the bottom to 600 Hz at the top. */
export function pitchHeight(f0Hz, height) {
  return height * (1 - Math.log(f0Hz / F0_LOW_HZ) / Math.log(F0_HIGH_HZ / F0_LOW_HZ));
}

function tracePitch(context, f0Hz, width, height) {
  context.beginPath();
  let isDown = false;
  f0Hz.forEach((value, i) => {
    if (!(value > 0)) {
      isDown = false;
      return;
    }
    const [x, y] = [((i + 0.5) / f0Hz.length) * width, pitchHeight(value, height)];
    if (isDown) context.lineTo(x, y);
    else context.moveTo(x, y);
    isDown = true;
  });
}

/** Draw a picture into a canvas, as large as the canvas is shown. `span` is what its width stands for. */
export function drawSpectrogram(canvas, mel, span) {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width || !height) return;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  const [quiet, loud, pitch] = ["--mel-quiet", "--mel-loud", "--pitch"].map((name) => colourOf(canvas.parentElement, name));
  const shown = width * Math.min(1, mel.seconds / span);
  context.scale(ratio, ratio);
  context.fillStyle = quiet;
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(drawMel(mel, channels(quiet), channels(loud)), 0, 0, shown, height);
  context.lineJoin = context.lineCap = "round";
  tracePitch(context, mel.f0_hz, shown, height);
  context.strokeStyle = quiet;
  context.lineWidth = 4.5;
  context.stroke();
  context.strokeStyle = pitch;
  context.lineWidth = 2;
  context.stroke();
}

/** Keep a canvas drawn over changes of its size and of the colours. Returns what ends it. */
export function showSpectrogram(canvas, mel, span) {
  const draw = () => drawSpectrogram(canvas, mel, span);
  const observer = new ResizeObserver(draw);
  observer.observe(canvas);
  document.addEventListener("themechange", draw);
  return () => {
    observer.disconnect();
    document.removeEventListener("themechange", draw);
  };
}
