// What is due later: jobs for a time, and those that wait for their next try.

import { get } from "./api.js";
import { count, when } from "./format.js";
import { cancelActions } from "./job.js";
import { button, empty, head, jobName, pager, queueLink, row, table } from "./parts.js";

const PAGE = 50;

export function scheduled() {
  let offset = 0, found = null;
  return {
    title: "Scheduled",
    every: 2000,
    async load() {
      found = await get(`/api/scheduled?offset=${offset}&limit=${PAGE}`);
    },
    view: ({ readOnly }) => [head("Scheduled"), found ? jobs(found, offset, readOnly) : null],
    actions: {
      ...cancelActions,
      async turn({ data, reload }) {
        offset = Number(data.to);
        await reload();
      },
    },
  };
}

function jobs(found, offset, readOnly) {
  if (!found.jobs.length) return empty("Nothing is due later.");
  return [
    table("Scheduled jobs", [["Job"], ["Due"], ["Queue"], ["Attempts", "figure"], ["Last error"], ["", "act"]],
      found.jobs.map((job) => row(job.id, [
        [jobName(job)],
        [when(job.at_ms)],
        [job.is_gone ? "–" : [queueLink(job.queue, job.priority), `, ${job.priority}`]],
        [count(job.attempts), "figure"],
        [job.error || "–", "error"],
        [readOnly || job.is_gone ? null : button("cancel", "Cancel", { id: job.id }), "act"],
      ]))),
    pager(offset, PAGE, found.total, found.jobs.length),
  ];
}
