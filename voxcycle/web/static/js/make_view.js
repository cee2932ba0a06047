// Make a voice: two tabs, clone and train, and what both ask for.

import { $, $$ } from "./dom.js";
import { recall, remember } from "./settings.js";

function choose(tab, isMove = true) {
  for (const other of $$("[role=tab]")) {
    const isChosen = other === tab;
    other.setAttribute("aria-selected", isChosen);
    other.tabIndex = isChosen ? 0 : -1;
    $(`#${other.getAttribute("aria-controls")}`).hidden = !isChosen;
  }
  remember("tab", tab.id);
  if (isMove) tab.focus();
}

/** What a form lacks, as a sentence for the person, or null. */
export function findMissing(form) {
  for (const field of form.elements) {
    if (field.willValidate && !field.checkValidity()) {
      field.focus();
      const label = $(`label[for="${field.id}"]`, form)?.firstChild?.textContent?.trim() || "the field";
      if (field.type === "checkbox") return "Tick the box if the person agreed; without consent there is no voice.";
      return field.validity.valueMissing ? `Fill in: ${label.toLowerCase()}.` : `${label}: ${field.validationMessage}`;
    }
  }
  return null;
}

/** The facts of a voice that a form asks for. */
export function readFacts(form) {
  const { name, sex, language, consent } = Object.fromEntries(new FormData(form));
  return { name: name.trim(), sex, language: language.trim(), consent: consent.trim() };
}

export function startMake() {
  const tabs = $$("[role=tab]");
  tabs.forEach((tab, i) => {
    tab.addEventListener("click", () => choose(tab, false));
    tab.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      choose(tabs[(i + 1) % tabs.length]);
      event.preventDefault();
    });
  });
  choose($(`#${recall("tab", "tab-clone")}`) ?? tabs[0], false);
}
