// A queue: the jobs of one of its lanes, in the order in which they will run.

import { get } from "./api.js";
import { h } from "./dom.js";
import { count, encoded, instant } from "./format.js";
import { cancelActions } from "./job.js";
import { button, empty, head, jobName, pager, pill, row, table, waitingSince } from "./parts.js";
import { pauseActions, pauseButton, pauseOf } from "./pauses.js";

const PAGE = 50;
const PRIORITIES = ["high", "normal", "low"];

export function queue(name, priority) {
  const chosen = PRIORITIES.includes(priority) ? priority : null;
  let offset = 0, lane = chosen, found = null;
  return {
    title: `Queue ${name}`,
    every: 2000,
    async load({ snapshot }) {
      lane ??= busiest(snapshot, name);
      found = await get(`/api/lanes/${encoded(name)}/${lane}?offset=${offset}&limit=${PAGE}`);
    },
    view: ({ snapshot, readOnly }) => [
      head(["Queue ", h("code", {}, name)],
        snapshot.queues && pauseOf(snapshot.queues, name) ? paused(snapshot.queues, name) : null,
        snapshot.queues && !readOnly ? pauseButton(snapshot.queues, name) : null),
      tabs(snapshot.queues, name, lane),
      unserved(snapshot.queues, name, lane),
      found ? jobs(found, offset, readOnly) : null,
    ],
    actions: {
      ...pauseActions,
      ...cancelActions,
      async turn({ data, reload }) {
        offset = Number(data.to);
        await reload();
      },
    },
  };
}

const paused = (queues, name) => {
  const { until } = pauseOf(queues, name);
  return h("span", { class: "muted" }, pill("paused"), until ? [" until ", instant(until)] : " until it is resumed");
};

function unserved(queues, name, priority) {
  const lane = queues?.lanes.find((one) => one.queue === name && one.priority === priority);
  if (!lane?.is_unserved) return null;
  return h("p", { class: "muted" }, h("span", { class: "bad" }, "No live worker takes jobs of this lane"), lane.why_unserved ? `: ${lane.why_unserved}` : "");
}

function busiest(snapshot, name) {
  const own = (snapshot.queues?.lanes ?? []).filter((lane) => lane.queue === name);
  return own.find((lane) => lane.ready > 0)?.priority ?? "normal";
}

function tabs(queues, name, chosen) {
  const ready = (priority) => queues?.lanes.find((lane) => lane.queue === name && lane.priority === priority)?.ready;
  return h("nav", { class: "tabs", "aria-label": "Priorities" }, PRIORITIES.map((priority) =>
    h("a", { href: `#/queue/${encoded(name)}/${priority}`, "aria-current": priority === chosen ? "true" : null },
      priority, h("span", { class: "muted number" }, count(ready(priority) ?? 0)))));
}

function jobs(found, offset, readOnly) {
  if (!found.jobs.length) return empty("Nothing waits in this lane.");
  return [
    table("Jobs in order", [["#", "figure place"], ["Job"], ["Waits since"], ["Attempts", "figure"], ["", "act"]],
      found.jobs.map((job, place) => row(`${place}-${job.id}`, [
        [count(offset + place + 1), "figure place muted"],
        [[jobName(job), job.is_tombstone && !job.is_gone ? h("span", { class: "muted" }, ` ${job.status}: it has left this lane`) : null]],
        [job.is_gone ? "–" : waitingSince(job)],
        [count(job.attempts), "figure"],
        [readOnly || job.is_tombstone ? null : button("cancel", "Cancel", { id: job.id }), "act"],
      ], job.is_tombstone ? "faded" : ""))),
    pager(offset, PAGE, found.total, found.jobs.length),
  ];
}
