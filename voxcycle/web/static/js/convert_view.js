// Convert: recordings, a voice, settings; and what came out.

import { post } from "./api.js";
import { convertResult } from "./convert_result.js";
import { $, h, keyed, setText } from "./dom.js";
import { count, semitones } from "./format.js";
import { intakeOf } from "./intake.js";
import { attempt, say } from "./notices.js";
import { keep, keepChoice, recall, remember } from "./settings.js";
import { store } from "./store.js";
import { voiceChoice } from "./voice_card.js";

const VOCODERS = {
  fast: ["Fast", "A few hundredths of real time, true in pitch."],
  hifigan: ["HiFi-GAN", "Many times slower, for comparison: sounds about as natural."],
};
const PITCHES = {
  auto: "In the voice's own range.",
  keep: "As high as the recording is.",
  sing: "In the voice's range, with every interval kept: for songs.",
};
const FORMATS = { wav: "Nothing is lost.", flac: "Nothing is lost, about half the size.", mp3: "Small; plays everywhere." };
const EMPTY = "Nothing yet. Add a recording, pick a voice, press Convert: both will appear here, side by side.";

let chosen = recall("voice");

function chosenVoice() {
  return (store.voices ?? []).find((voice) => voice.id === chosen) ?? store.voices?.[0] ?? null;
}

function showVoices(voices) {
  const grid = $("#convert-voices");
  const current = chosenVoice();
  if (!voices.length) {
    grid.replaceChildren(h("p", { class: "empty" }, "No voice is installed. ", h("a", { href: "#train" }, "Make one"), " or add a file under ", h("a", { href: "#voices" }, "Voices"), "."));
    grid.parts = null;
    return;
  }
  if (!grid.parts) grid.replaceChildren();
  keyed(grid, voices.map((voice) => ({ ...voice, key: voice.id, id: `${voice.id} ${voice.name} ${voice.bytes}` })), (item) => {
    const voice = { ...item, id: item.key };
    const element = voiceChoice(voice, false, () => {
      chosen = voice.id;
      remember("voice", chosen);
      showVoiceSettings();
    });
    return { element, update: () => {} };
  });
  for (const input of grid.querySelectorAll("input")) input.checked = input.value === current?.id;
  showVoiceSettings();
}

function showVocoders(state) {
  const kept = recall("vocoder", "fast");
  const offered = state.vocoders.filter((name) => name in VOCODERS); // others are references
  const current = offered.includes(kept) ? kept : offered[0];
  $("#vocoders").replaceChildren(...offered.map((name) => {
    const input = h("input", { type: "radio", name: "vocoder", id: `vocoder-${name}`, value: name, checked: name === current,
      onchange: () => { remember("vocoder", name); showHint(); } });
    return h("span", {}, input, h("label", { for: input.id }, VOCODERS[name]?.[0] ?? name));
  }));
  const showHint = () => setText($("#vocoder-hint"), VOCODERS[readVocoder()]?.[1] ?? "");
  showHint();
}

function readVocoder() {
  return $("#vocoders input:checked")?.value ?? "fast";
}

function showPitch() {
  const value = Number($("#pitch").value);
  setText($("#pitch-value"), semitones(value));
  $("#pitch").setAttribute("aria-valuetext", semitones(value));
}

function showSecondPass() {
  const value = Number($("#second-pass").value);
  const words = value < 0 ? "as the voice" : `${Math.round(100 * value)} %`;
  setText($("#second-pass-value"), words);
  $("#second-pass").setAttribute("aria-valuetext", words);
}

/** Settings that act on some voices alone are shown for those. */
function showVoiceSettings() {
  const voice = chosenVoice();
  $("#second-pass-field").hidden = !voice?.takes_second_pass;
  $("#file-stats-field").hidden = voice?.kind !== "pair";
  setText($("#file-stats-source"), voice?.source || "the one of the training");
  showButton();
}

function showButton() {
  const [n, voice] = [intakeOf("convert").uploads.length, chosenVoice()];
  const what = n > 1 ? ` ${count(n, "recording")}` : "";
  setText($("#convert-go"), voice && n ? `Convert${what} to ${voice.name}` : "Convert");
}

function readOptions() {
  const [voice, kind, secondPass] = [chosenVoice(), $("[name=pitch-kind]:checked").value, Number($("#second-pass").value)];
  return {
    kind: "convert",
    uploads: intakeOf("convert").uploads.map((upload) => upload.id),
    voice: voice.id,
    pitch: kind === "auto" ? Number($("#pitch").value) || null : kind,
    second_pass: secondPass < 0 || !voice.takes_second_pass ? null : secondPass,
    file_stats: voice.kind === "pair" && $("#file-stats").checked,
    vocoder: readVocoder(),
    format: $("[name=format]:checked").value,
  };
}

async function submit(event) {
  event.preventDefault();
  const [intake, hint] = [intakeOf("convert"), $("#convert-hint")];
  if (intake.isBusy) return say(hint, "A recording is still on its way; wait for it, or stop recording.", true);
  if (!intake.uploads.length) {
    say(hint, "Add a recording first.", true);
    return intake.focus();
  }
  if (!chosenVoice()) return say(hint, "Make or add a voice first.", true);
  const job = await attempt(() => post("/api/jobs", readOptions()), hint);
  if (!job) return;
  store.takeJob(job);
  $("#convert-results-title").scrollIntoView({ block: "start" });
}

function showResults() {
  const [box, jobs] = [$("#convert-results"), store.jobsOf("convert")];
  if (!jobs.length) {
    box.replaceChildren(h("p", { class: "empty" }, EMPTY));
    box.parts = null;
    return;
  }
  if (!box.parts) box.replaceChildren();
  const isShown = !$("#view-convert").hidden; // elsewhere nothing is loaded that nobody sees
  keyed(box, jobs, (job) => convertResult(job, isShown && job.id === jobs[0].id));
}

export function startConvert() {
  store.watch("voices", showVoices);
  store.watch("state", showVocoders);
  store.watch("jobs", showResults);
  intakeOf("convert").addEventListener("change", () => {
    if (intakeOf("convert").uploads.length) say($("#convert-hint"), "");
    showButton();
  });
  keepChoice("pitch-kind", (kind) => {
    setText($("#pitch-hint"), PITCHES[kind]);
    $("#pitch-field").hidden = kind !== "auto";
  });
  keepChoice("format", (format) => setText($("#format-hint"), FORMATS[format]));
  for (const [selector, show] of [["#pitch", showPitch], ["#second-pass", showSecondPass]]) {
    keep($(selector));
    $(selector).addEventListener("input", show);
    show();
  }
  $("#convert-form").addEventListener("submit", submit);
}
