// Bars, one a minute; what nobody has seen is shown as that.

import { h, svg } from "./dom.js";
import { count, plural } from "./format.js";

const WIDTH = 600, HEIGHT = 96, GAP = 2;

export function chart(title, kind, history, series) {
  const values = history[series];
  const known = values.filter((value) => value !== null);
  const sum = known.reduce((all, value) => all + value, 0);
  const most = Math.max(0, ...known);
  const span = known.length === values.length ? "in the last hour" : `in the ${plural(known.length, "minute")} seen`;
  const summary = `${title}: ${count(sum)} ${span}, at most ${count(most)} in a minute`;
  return h("figure", { class: "card chart", "data-key": `chart-${series}` },
    h("figcaption", {},
      h("h2", {}, title), h("span", { class: "number" }, count(sum)), h("span", { class: "muted" }, span),
      most ? h("span", { class: "muted most" }, `peak ${count(most)} a minute`) : null),
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": summary, class: kind },
      svg("line", { class: "base", x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }),
      values.map((value, place) => bar(value, place, values.length, most, history.last_minute_ms))),
    h("p", { class: "axis muted", "aria-hidden": "true" }, h("span", {}, "60 min ago"), h("span", {}, "now")));
}

function bar(value, place, places, most, lastMs) {
  const step = WIDTH / places;
  const at = new Date(lastMs - (places - 1 - place) * 60000).toLocaleTimeString("en-GB", { timeStyle: "short" });
  const height = value ? Math.max(2, (HEIGHT - 4) * value / most) : 0;
  return svg("g", {},
    svg("title", {}, value === null ? `${at}: not seen` : `${at}: ${count(value)}`),
    svg("rect", { class: "back", x: place * step, y: 0, width: step, height: HEIGHT }),
    value === null ? svg("rect", { class: "unknown", x: place * step + step / 3, y: HEIGHT - 2, width: step / 3, height: 2 }) : null,
    height ? svg("rect", { class: "bar", x: place * step + GAP / 2, y: HEIGHT - height, width: step - GAP, height, rx: 1 }) : null);
}
