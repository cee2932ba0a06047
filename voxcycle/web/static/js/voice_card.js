// How a voice is shown: what it is, how it scored, how it sounds.

import { h } from "./dom.js";
import { score } from "./format.js";
import { playButton } from "./sample.js";

const SCORES = [
  ["similarity", "similar", 2, "Similarity to the speaker; 1 is identical"],
  ["wer", "words lost", null, "Share of the words that a speech recogniser no longer understands"],
  ["naturalness", "natural", 1, "Naturalness from 1 to 5, by a predictor"],
];

function languageOf(code) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code);
  } catch {
    return code; // free text
  }
}

/** "woman · English", and who made it where that is wanted. */
export function factsOf(voice, withOrigin = false) {
  const origin = voice.is_shipped ? "built in" : "your own";
  const facts = [voice.sex, voice.language && languageOf(voice.language)].filter(Boolean);
  return [...facts, ...(withOrigin || !facts.length ? [origin] : [])].join(" · ");
}

/** The scores of a voice as a description list, or null where none were measured. */
export function scoresOf(voice) {
  if (!voice.scores) return null;
  const known = SCORES.filter(([key]) => voice.scores[key] != null);
  if (!known.length) return null;
  return h("dl", { class: "scores" }, known.map(([key, words, decimals, meaning]) => {
    const value = voice.scores[key];
    const text = decimals == null ? `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %` : score(value, decimals);
    const title = voice.is_shipped ? `${meaning}; measured with the vocoder "HiFi-GAN"` : meaning;
    return h("div", { title }, h("dt", {}, words), h("dd", {}, text));
  }));
}

/** A card that can be chosen. */
export function voiceChoice(voice, isChosen, choose) {
  const input = h("input", { type: "radio", name: "voice", id: `voice-${voice.id}`, value: voice.id, checked: isChosen,
    onchange: () => choose(voice) });
  return h("div", { class: "voice-choice" }, input,
    h("label", { for: input.id },
      h("span", { class: "voice-name" }, voice.title ?? voice.name),
      h("span", { class: "voice-facts" }, factsOf(voice)),
      scoresOf(voice)),
    playButton(voice.sample, `Hear ${voice.name}`));
}
