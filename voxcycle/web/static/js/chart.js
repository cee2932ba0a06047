// Small line charts, one per loss: each has a scale of its own.

import { h, setText, svg } from "./dom.js";

const [WIDTH, HEIGHT] = [240, 64];

/** Points of a line that fills the chart; the middle 96 % of the values set its scale. */
export function trace(steps, values, width = WIDTH, height = HEIGHT) {
  const sorted = [...values].sort((x, y) => x - y);
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const [low, high] = [at(0.02), at(0.98)];
  const [first, last] = [steps[0], steps[steps.length - 1]];
  return steps.map((step, i) => {
    const x = last > first ? ((step - first) / (last - first)) * width : width / 2;
    const share = high > low ? (values[i] - low) / (high - low) : 0.5;
    return `${x.toFixed(1)},${(4 + (height - 8) * (1 - Math.min(1, Math.max(0, share)))).toFixed(1)}`;
  }).join(" ");
}

/** "generator/cycle_a" -> "cycle a", "discriminator/d_a" -> "discriminator a" */
function nameOf(key) {
  const [phase, term = phase] = key.split("/");
  return (phase === "discriminator" ? term.replace(/^d_/, "discriminator ") : term).replaceAll("_", " ");
}

function chart(name) {
  const line = svg("polyline", { class: "chart-line", fill: "none" });
  const value = h("b");
  const element = h("figure", { class: "chart" },
    h("figcaption", {}, h("span", {}, nameOf(name)), value),
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, line));
  const update = (steps, values) => {
    line.setAttribute("points", trace(steps, values));
    setText(value, values[values.length - 1].toPrecision(3));
  };
  return { element, update };
}

/** Charts of `[{step, name: value, ...}]`; `update(losses)` keeps them. */
export function lossCharts() {
  const element = h("div", { class: "charts", role: "group", "aria-label": "Losses" });
  const charts = new Map();
  const update = (losses) => {
    const names = new Set(losses.flatMap((row) => Object.keys(row)).filter((key) => key !== "step"));
    for (const name of names) {
      if (!charts.has(name)) {
        charts.set(name, chart(name));
        element.append(charts.get(name).element);
      }
      const rows = losses.filter((row) => Number.isFinite(row[name]));
      if (rows.length) charts.get(name).update(rows.map((row) => row.step), rows.map((row) => row[name]));
    }
    element.hidden = !names.size;
  };
  return { element, update };
}
