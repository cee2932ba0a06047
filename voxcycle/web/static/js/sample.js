// Buttons that play a short recording; one audio element serves all of them.

import { button, setIcon } from "./dom.js";
import { notify } from "./notices.js";
import { release, take } from "./solo.js";

const audio = new Audio();
audio.preload = "none";
let active = null;

function stop() {
  audio.pause();
  if (active) {
    setIcon(active, "play");
    active.setAttribute("aria-pressed", "false");
  }
  active = null;
  release(stop);
}

audio.addEventListener("ended", stop);

async function start(control, url) {
  stop();
  take(stop);
  active = control;
  control.setAttribute("aria-pressed", "true");
  setIcon(control, "pause");
  audio.src = url;
  try {
    await audio.play();
  } catch (error) {
    if (active !== control) return; // another one was started meanwhile
    stop();
    if (error.name !== "AbortError") notify("This recording cannot be played.", "error");
  }
}

/** A round button that plays `url`, and stops at a second press. */
export function playButton(url, label) {
  const control = button("play", {
    label,
    kind: "quiet play",
    "aria-pressed": "false",
    onclick: (event) => {
      event.stopPropagation();
      if (active === control) stop();
      else start(control, url);
    },
  });
  return control;
}
