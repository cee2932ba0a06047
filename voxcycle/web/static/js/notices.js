// Short sentences in the corner, read aloud by screen readers.

import { $, button, h } from "./dom.js";

export function notify(text, kind = "info") {
  const notice = h("div", { class: `notice ${kind}` }, h("p", {}, text));
  const close = () => notice.remove();
  notice.append(button("close", { label: "Close", onclick: close }));
  $("#notices").append(notice);
  if (kind !== "error") setTimeout(close, 6000);
  while ($("#notices").childElementCount > 4) $("#notices").firstElementChild.remove();
}

/** Run an action; what the server refuses is shown in its own words. */
export async function attempt(action, where = null) {
  if (where) say(where, "");
  try {
    return await action();
  } catch (error) {
    if (where) say(where, error.message, true);
    else notify(error.message, "error");
    return undefined;
  }
}

/** Put a sentence below a form. */
export function say(where, text, isError = false) {
  where.textContent = text;
  where.classList.toggle("error", isError);
}
