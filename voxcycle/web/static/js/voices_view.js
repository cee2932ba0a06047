// Voices: hear, read, add, rename, delete, export.

import { get, patch, remove, send } from "./api.js";
import { ask } from "./dialog.js";
import { $, button, h, icon, keyed } from "./dom.js";
import { bytes } from "./format.js";
import { attempt, notify } from "./notices.js";
import { playButton } from "./sample.js";
import { remember } from "./settings.js";
import { store } from "./store.js";
import { factsOf, scoresOf } from "./voice_card.js";

/** What a voice's file says of itself. */
function factRows(voice) {
  const card = voice.card ?? {};
  const facts = {
    licence: voice.licence || "not stated",
    consent: card.consent,
    converts: voice.kind === "pair" ? voice.source || "one speaker" : "anyone",
    trained: voice.trained,
    from: card.training?.date,
    size: bytes(voice.bytes),
  };
  return Object.entries(facts).filter(([, value]) => value).map(([key, value]) => h("div", {}, h("dt", {}, key), h("dd", {}, value)));
}

async function show(voice) {
  const whole = await attempt(() => get(`/api/voices/${encodeURIComponent(voice.id)}`));
  if (!whole) return;
  const notes = [whole.notes ?? []].flat().filter(Boolean);
  await ask({ title: whole.title ?? whole.name, body: h("div", { class: "stack" }, scoresOf(whole),
    h("dl", { class: "facts" }, factRows(whole)),
    notes.length > 0 && h("ul", { class: "notes" }, notes.map((note) => h("li", {}, note))),
    h("p", {}, h("a", { class: "button plain", href: `/api/voices/${encodeURIComponent(voice.id)}/export`, download: true }, icon("download"), "Export ONNX graphs for other programs"))) });
}

async function rename(voice) {
  const field = h("input", { type: "text", name: "name", id: "rename", required: true, maxlength: 60, autocomplete: "off" });
  field.value = voice.name;
  const body = h("div", { class: "field" }, h("label", { for: "rename" }, "Name"), field);
  const data = await ask({ title: `Rename ${voice.name}`, body, confirm: "Rename" });
  if (!data) return;
  await attempt(async () => {
    await patch(`/api/voices/${encodeURIComponent(voice.id)}`, { name: data.get("name") });
    await store.refresh("voices");
  });
}

async function erase(voice) {
  const body = "Its file is deleted from your voices. Conversions that it made stay.";
  if (!await ask({ title: `Delete ${voice.name}?`, body, confirm: "Delete", isDanger: true })) return;
  await attempt(async () => {
    await remove(`/api/voices/${encodeURIComponent(voice.id)}`);
    await store.refresh("voices");
    notify(`${voice.name} is deleted.`);
  });
}

function use(voice) {
  remember("voice", voice.id);
  const input = document.getElementById(`voice-${voice.id}`);
  if (input) input.click();
  location.hash = "#convert";
}

function card(voice) {
  return h("article", { class: "card voice", "aria-label": voice.name },
    h("div", { class: "voice-top" }, playButton(voice.sample, `Hear ${voice.name}`),
      h("div", {}, h("h2", {}, voice.title ?? voice.name), h("p", { class: "voice-facts" }, factsOf(voice, true)))),
    scoresOf(voice) ?? h("p", { class: "hint" }, "No scores in its file. ", h("a", { href: "#measure", onclick: () => { $("#measure-voice").value = voice.id; } }, "Measure it")),
    h("p", { class: "hint" }, [voice.licence || "no licence stated", bytes(voice.bytes)].join(" · ")),
    h("div", { class: "voice-actions" },
      h("button", { type: "button", class: "plain", onclick: () => use(voice) }, "Convert to it"),
      h("span", { class: "spring" }),
      h("a", { class: "button quiet icon-button", href: `/api/voices/${encodeURIComponent(voice.id)}/file`, download: true, "aria-label": `Download ${voice.name}`, title: "Download the voice file" }, icon("download")),
      button("info", { label: `Show all facts of ${voice.name}`, onclick: () => show(voice) }),
      !voice.is_shipped && button("edit", { label: `Rename ${voice.name}`, onclick: () => rename(voice) }),
      !voice.is_shipped && button("trash", { label: `Delete ${voice.name}`, onclick: () => erase(voice) })));
}

function list(voices) {
  const box = $("#voice-list");
  if (!voices.length) {
    box.replaceChildren(h("p", { class: "empty" }, "No voice is installed. Make one of half a minute of speech, or add a .safetensors file that somebody gave you."));
    box.parts = null;
    return;
  }
  if (!box.parts) box.replaceChildren();
  keyed(box, voices.map((voice) => ({ voice, id: JSON.stringify(voice) })), ({ voice }) => ({ element: card(voice), update: () => {} }));
}

async function addFile(input) {
  const [file] = input.files;
  input.value = "";
  if (!file) return;
  const added = await attempt(() => send("/api/voices", file, () => {}));
  if (!added) return;
  notify(`${added.name} is added to your voices.`);
  await attempt(() => store.refresh("voices"));
}

export function startVoices() {
  store.watch("voices", list);
  $("#voice-file").addEventListener("change", (event) => addFile(event.target));
}
