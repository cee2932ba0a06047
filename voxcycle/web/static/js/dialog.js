// One modal dialog, for a question or for facts.

import { $, h } from "./dom.js";

/**
 * Show a dialog. `body` is an element or text. With `confirm`, resolves to the form's data if it
 * was confirmed, else to null.
 */
export function ask({ title, body, confirm = null, cancel = "Cancel", isDanger = false }) {
  const dialog = $("#dialog");
  const form = h("form", { method: "dialog", class: "stack" },
    h("h2", { id: "dialog-title" }, title),
    typeof body === "string" ? h("p", {}, body) : body,
    h("div", { class: "dialog-actions" },
      h("button", { value: "cancel", formnovalidate: true }, confirm ? cancel : "Close"),
      confirm && h("button", { value: "confirm", class: isDanger ? "danger" : "primary" }, confirm)));
  dialog.replaceChildren(form);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "confirm" ? new FormData(form) : null);
      dialog.replaceChildren();
    }, { once: true });
  });
}
