"use strict";
const table = document.querySelector("#utterances");
const headings = [...table.tHead.rows[0].cells];
const collator = new Intl.Collator(undefined, { numeric: true });

function sortBy(column, direction) {
  const sign = direction === "ascending" ? 1 : -1;
  const isText = headings[column].dataset.kind === "text";
  const value = (body) => body.rows[0].cells[column].dataset.value;
  const bodies = [...table.tBodies].sort((x, y) => {
    const [a, b] = [value(x), value(y)];
    if (a === "" || b === "") return (a === "") - (b === ""); // nothing comes last either way
    return sign * (isText ? collator.compare(a, b) : a - b);
  });
  table.append(...bodies);
  headings.forEach((heading, i) => {
    heading.setAttribute("aria-sort", i === column ? direction : "none");
  });
}

headings.forEach((heading, column) => {
  heading.querySelector("button").addEventListener("click", () => {
    sortBy(column, heading.ariaSort === "ascending" ? "descending" : "ascending");
  });
});

for (const button of document.querySelectorAll("[data-open]")) {
  button.addEventListener("click", () => {
    for (const details of table.querySelectorAll("details")) {
      details.open = button.dataset.open !== "";
    }
  });
}

// One recording at a time: what is compared is not heard together.
document.addEventListener("play", (event) => {
  for (const player of document.querySelectorAll("audio")) {
    if (player !== event.target) player.pause();
  }
}, true);
