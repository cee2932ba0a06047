// Views by the part of the address after #.

import { $, $$ } from "./dom.js";

const FIRST = "convert";

function show(isMove) {
  const wanted = location.hash.slice(1);
  if (wanted === "content") return; // the link that skips the navigation
  const view = $(`#view-${CSS.escape(wanted || FIRST)}`) ?? $(`#view-${FIRST}`);
  for (const other of $$(".view")) other.hidden = other !== view;
  for (const link of $$(".tabs a")) {
    if (`view-${link.dataset.view}` === view.id) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${view.dataset.title} · voxcycle`;
  view.dispatchEvent(new Event("shown"));
  if (isMove) {
    $("#dialog").close(); // a question belongs to its view
    scrollTo(0, 0);
    $("h1", view).focus({ preventScroll: true }); // a screen reader reads where it is
  }
}

export function startRouter() {
  addEventListener("hashchange", () => show(true));
  $("#skip").addEventListener("click", (event) => {
    event.preventDefault();
    $("#content").focus();
  });
  show(false);
}
