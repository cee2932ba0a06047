// Colours: as the system, light or dark. A plain script in the head, so the first paint has them.
"use strict";
(() => {
  const CHOICES = ["auto", "light", "dark"];
  const ICONS = { auto: "auto", light: "sun", dark: "moon" };
  const WORDS = { auto: "as the system", light: "light", dark: "dark" };

  function read() {
    try {
      const kept = localStorage.getItem("voxcycle.theme");
      return CHOICES.includes(kept) ? kept : "auto";
    } catch {
      return "auto"; // storage may be off
    }
  }

  function show(choice) {
    document.documentElement.dataset.theme = choice;
    const button = document.querySelector("#theme");
    if (!button) return;
    button.setAttribute("aria-label", `Colours: ${WORDS[choice]}`);
    button.title = `Colours: ${WORDS[choice]}`;
    button.querySelector("use").setAttribute("href", `#icon-${ICONS[choice]}`);
    document.dispatchEvent(new Event("themechange"));
  }

  show(read());
  document.addEventListener("DOMContentLoaded", () => {
    show(read());
    document.querySelector("#theme").addEventListener("click", () => {
      const next = CHOICES[(CHOICES.indexOf(read()) + 1) % CHOICES.length];
      try { localStorage.setItem("voxcycle.theme", next); } catch { /* it holds for this page */ }
      show(next);
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show(read()));
  });
})();
