// The schedules: when each makes its next job.

import { get } from "./api.js";
import { h } from "./dom.js";
import { when } from "./format.js";
import { empty, head, pill, queueLink, row, table } from "./parts.js";

export function schedules() {
  let found = null;
  return {
    title: "Schedules",
    every: 5000,
    async load() {
      found = (await get("/api/schedules")).schedules;
    },
    view: () => [head("Schedules"), found ? list(found) : null],
    actions: {},
  };
}

function list(found) {
  if (!found.length) {
    return empty("There are none. ", h("code", {}, "[[schedules]]"), " in the configuration, ", h("code", {}, "@handler(…, every=…)"), " or ", h("code", {}, "client.put_schedule"), " makes one.");
  }
  return table("Schedules", [["Name"], ["When"], ["Makes"], ["Next"], ["Last"], ["Put by"]],
    found.map((schedule) => row(schedule.name, [
      [[schedule.name, schedule.enabled ? null : pill("rests"), schedule.description ? h("span", { class: "muted note" }, schedule.description) : null]],
      [[h("code", {}, schedule.when), schedule.cron ? h("span", { class: "muted" }, ` ${schedule.timezone}`) : null]],
      [[schedule.job, " ", h("span", { class: "muted" }, "in ", queueLink(schedule.queue, schedule.priority), `, ${schedule.priority}`)]],
      [schedule.next_at ? when(schedule.next_at) : "–"],
      [schedule.last_at ? when(schedule.last_at) : "–"],
      [schedule.source, "muted"],
    ])));
}
