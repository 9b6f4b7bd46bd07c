// What several pages are made of.

import { h } from "./dom.js";
import { brief, count, duration, encoded, when } from "./format.js";

const TONES = {
  completed: "good", up: "good", running: "good",
  failed: "bad", fatal: "bad", lost: "bad", backoff: "bad", stopped: "bad", dead: "bad",
  processing: "busy", starting: "busy", draining: "warn", reloading: "busy", quiet: "warn",
  cancelled: "warn", expired: "warn", paused: "warn",
};

export const pill = (word) => h("span", { class: `pill ${TONES[word] ?? ""}` }, word);

const MAX_LINKED_CHARACTERS = 1000;

// No address leads to every id that somebody else may have written: a browser takes dots for a way up.
const hasPage = (id) => !["", ".", ".."].includes(id) && id.length <= MAX_LINKED_CHARACTERS && !/\p{Surrogate}/u.test(id);

export function jobLink(id, name) {
  const words = name || h("code", {}, brief(id) || "(empty id)");
  return hasPage(id) ? h("a", { href: `#/job/${encoded(id)}`, class: "name" }, words) : h("span", { class: "name" }, words);
}

export const queueLink = (queue, priority = "") =>
  h("a", { href: `#/queue/${encoded(queue)}${priority ? `/${priority}` : ""}` }, queue);

// An action: what it does is found by its name in the page's `actions`, and takes its `data-…` as arguments.
export function button(action, words, data = {}, kind = "") {
  const attributes = Object.fromEntries(Object.entries(data).map(([name, value]) => [`data-${name}`, value]));
  return h("button", { type: "button", class: kind, "data-action": action, ...attributes }, words);
}

export const head = (title, ...beside) => h("header", { class: "page-head" }, h("h1", { tabindex: "-1" }, title), ...beside);

export const empty = (...words) => h("p", { class: "empty" }, ...words);

// `columns`: pairs of a heading and a class; `rows`: elements that `row` has made.
export function table(caption, columns, rows) {
  return h("div", { class: "table", role: "region", "aria-label": caption, tabindex: "0" },
    h("table", {},
      h("caption", { class: "hidden" }, caption),
      h("thead", {}, h("tr", {}, columns.map(([heading, kind]) =>
        h("th", { scope: "col", class: kind }, heading || h("span", { class: "hidden" }, "Actions"))))),
      h("tbody", {}, rows)));
}

export const row = (key, cells, kind = "") =>
  h("tr", { "data-key": key, class: kind }, cells.map(([content, className]) => h("td", { class: className }, content)));

export function jobName(job) {
  if (job.is_gone) return h("span", { class: "muted" }, "no record of ", h("code", {}, brief(job.id)));
  return [
    jobLink(job.id, job.is_large ? "" : job.name),
    job.is_large ? h("span", { class: "muted" }, " large payload") : null,
    job.description ? h("span", { class: "muted note" }, job.description) : null,
  ];
}

// Another node is known by its beats. What one did that beats no more nobody knows: its jobs run elsewhere by now.
export const isLost = (node) => node.phase === "lost";
export const heardOf = (node) => (node.beat_seconds === null ? "not heard of" : `heard of ${duration(node.beat_seconds)} ago`);

export const waitingSince = (job) => when(Math.max(job.created_ms ?? 0, job.due_ms ?? 0) || null);

export function pager(offset, page, total, shown) {
  if (total <= page && offset === 0) return null;
  return h("nav", { class: "pager", "aria-label": "Pages" },
    h("button", { type: "button", "data-action": "turn", "data-to": Math.max(0, offset - page), disabled: offset === 0 }, "Previous"),
    h("span", { class: "muted" }, `${count(offset + 1)} to ${count(offset + shown)} of ${count(total)}`),
    h("button", { type: "button", "data-action": "turn", "data-to": offset + page, disabled: offset + page >= total }, "Next"));
}
