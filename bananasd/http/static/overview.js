// The first page: what goes on, and what to do first where nothing does.

import { chart } from "./chart.js";
import { h } from "./dom.js";
import { count, duration, encoded, rate } from "./format.js";
import { button, empty, head, heardOf, isLost, jobLink, pill, queueLink, row, table } from "./parts.js";
import { pauseActions, pauseButton, pauseOf } from "./pauses.js";

export const overview = () => ({
  title: "Overview",
  view: ({ snapshot, readOnly }) => [
    head("Overview"),
    snapshot.queues ? content(snapshot, readOnly) : null,
    nodes(snapshot.nodes),
  ],
  actions: { ...pauseActions, copy },
});

const content = (snapshot, readOnly) => [
  tiles(snapshot),
  isUnused(snapshot.queues) ? firstSteps(readOnly) : null,
  h("div", { class: "charts", "data-key": "charts" },
    chart("Completed", "good", snapshot.history, "completed"),
    chart("Failed attempts", "bad", snapshot.history, "failed")),
  lanes(snapshot.queues, readOnly),
];

function tiles({ queues, rates }) {
  const tile = (name, value, note, href = null, kind = "") =>
    h(href ? "a" : "div", { class: `card tile ${kind}`, href },
      h("span", { class: "muted" }, name), h("span", { class: "number" }, value), h("span", { class: "muted note" }, note));
  const oldest = Math.max(0, ...queues.lanes.map((lane) => lane.oldest_seconds ?? 0));
  return h("div", { class: "tiles", "data-key": "tiles" },
    tile("Ready", count(queues.ready), queues.ready ? `oldest ${duration(oldest)}` : "nothing waits"),
    tile("Running", count(queues.processing), `${rate(rates.completed)} completed/s`, "#/nodes"),
    tile("Scheduled", count(queues.scheduled), "for later, or the next try", "#/scheduled"),
    tile("Dead", count(queues.dead), `${rate(rates.failed)} failures/s`, "#/dead", queues.dead ? "bad" : ""));
}

const isUnused = (queues) => !queues.lanes.length && !queues.scheduled && !queues.dead && !(queues.counters.submitted > 0);

function lanes(queues, readOnly) {
  if (!queues.lanes.length) return null;
  const byQueue = Map.groupBy
    ? Map.groupBy(queues.lanes, (lane) => lane.queue)
    : queues.lanes.reduce((all, lane) => all.set(lane.queue, [...(all.get(lane.queue) ?? []), lane]), new Map());
  const everything = pauseOf(queues, "*");
  return h("section", { class: "lanes", "data-key": "lanes" },
    h("header", { class: "section-head" }, h("h2", {}, "Queues"),
      everything ? pill("everything is paused") : null,
      readOnly ? null : pauseButton(queues, null)),
    table("Queues: ready jobs and the age of the oldest, by priority", [["Queue"], ["High", "figure"], ["Normal", "figure"], ["Low", "figure"], ["Jobs/s", "figure more"], ["Workers", "figure more"], ["", "act"]],
      [...byQueue].map(([queue, own]) => queueRow(queues, queue, own, readOnly))));
}

function queueRow(queues, queue, own, readOnly) {
  const lane = (priority) => own.find((one) => one.priority === priority);
  const cell = (priority) => {
    const one = lane(priority);
    return [h("a", { href: `#/queue/${encoded(queue)}/${priority}`, "aria-label": `${queue} ${priority}: ${count(one.ready)}`, class: one.ready ? null : "none" }, count(one.ready)),
      one.ready ? h("span", { class: "muted note" }, one.is_unserved ? [h("span", { class: "bad" }, "no worker"), " · "] : null, duration(one.oldest_seconds === null ? null : Math.floor(one.oldest_seconds))) : null];
  };
  return row(`queue-${queue}`, [
    [[queueLink(queue), pauseOf(queues, queue) ? pill("paused") : null]],
    [cell("high"), "figure"], [cell("normal"), "figure"], [cell("low"), "figure"],
    [pace(own), "figure more"],
    [count(Math.max(...own.map((one) => one.workers))), "figure more"],
    [readOnly ? null : pauseButton(queues, queue), "act"],
  ]);
}

// No daemon may have told yet.
function pace(lanes) {
  const told = lanes.map((lane) => lane.runs_per_second).filter((one) => one !== null);
  return told.length ? rate(told.reduce((sum, one) => sum + one, 0)) : "–";
}

function nodes(all) {
  return h("section", { "data-key": "nodes" },
    h("header", { class: "section-head" }, h("h2", {}, "Nodes"), h("a", { href: "#/nodes" }, "All processes")),
    all.length ? null : empty("No node is known."),
    all.map((node) => {
      const workers = node.children.filter((child) => child.kind === "worker");
      const busy = workers.filter((child) => child.job);
      return h("article", { class: "card node", "data-key": node.node },
        h("h3", {}, node.host || node.node, pill(node.phase)),
        h("p", { class: "muted" }, isLost(node) ? heardOf(node) : `${count(busy.length)} of ${count(workers.length)} workers busy`),
        isLost(node) ? null : h("ul", { class: "slots" }, workers.map(worker)));
    }));
}

// For a while after a reload two are in one slot: the older one ends what it runs.
const worker = (child) => h("li", { "data-key": `${child.slot}-${child.pid}` },
  h("span", { class: "muted" }, child.slot.replace("worker ", "")),
  child.job ? [jobLink(child.job.id, child.job.name), h("span", { class: "muted number" }, child.job.seconds === null ? "" : duration(child.job.seconds))]
    : h("span", { class: "muted" }, child.state === "up" ? "idle" : child.state));

const STEPS = [
  ["See that a handler is loaded", "bananasd check"],
  ["Submit a job, and wait for it", "bananasd submit NAME --payload '{\"to\": \"ada@example.org\"}' --wait"],
  ["Or do it in Python", "from bananasd import Client\n\nwith Client() as client:\n    client.submit_job(\"NAME\", {\"to\": \"ada@example.org\"})"],
];

const firstSteps = () => h("section", { class: "card first", "data-key": "first" },
  h("h2", {}, "Nothing has been submitted yet"),
  h("p", { class: "muted" }, "The workers wait. NAME is the name of one of your handlers."),
  h("ol", {}, STEPS.map(([words, command], place) => h("li", {},
    h("span", {}, words),
    h("div", { class: "command" }, h("pre", { tabindex: "0", "aria-label": words }, command), button("copy", "Copy", { step: place }))))));

async function copy({ data, say }) {
  const [, command] = STEPS[data.step];
  try {
    await navigator.clipboard.writeText(command);
    say("Copied");
  } catch {
    say("The browser does not let this page copy: select the text instead");
  }
}
