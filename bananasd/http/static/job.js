// One job: what was asked for, how far it is, what came of it.

import { get, post } from "./api.js";
import { ask } from "./dialogs.js";
import { h } from "./dom.js";
import { count, duration, encoded, instant, when } from "./format.js";
import { button, head, pill, queueLink } from "./parts.js";

const FINAL = new Set(["completed", "failed", "cancelled", "expired"]);

export function job(id) {
  let found = null;
  return {
    title: `Job ${id}`,
    every: 1000,
    async load() {
      if (found && FINAL.has(found.status) && found.isSettled) return;
      const before = found?.status;
      found = await get(`/api/jobs/${encoded(id)}`);
      found.isSettled = before === found.status;
    },
    view: ({ readOnly }) => (found ? content(found, readOnly) : [head("Job")]),
    actions: {
      ...cancelActions,
      async retry({ say, reload }) {
        const { changed } = await post("/api/dead/retry", { ids: [id] });
        say(changed ? "Brought back: it waits in its lane" : "Not brought back: it is not dead any more, another job has its unique key, or no record is left to run");
        found.isSettled = false;
        await reload();
      },
      async purge({ say, go }) {
        if (!(await ask("Delete this dead job?", "Its record goes with it, for good.", [["Delete", "yes"]], "danger"))) return;
        const { changed } = await post("/api/dead/purge", { ids: [id] });
        say(changed ? "Deleted" : "It was gone already");
        go("#/dead");
      },
    },
  };
}

export const cancelActions = {
  async cancel({ data, say, reload }) {
    if (!(await ask("Cancel this job?", "It has not begun, and never will.", [["Cancel the job", "yes"]], "danger"))) return;
    const { changed } = await post(`/api/jobs/${encoded(data.id)}/cancel`, {});
    say(changed ? "Cancelled" : "Not cancelled: it runs, or has ended");
    await reload();
  },
  async stop({ data, say, reload }) {
    const how = await ask("Cancel this job while it runs?", "Softly, its handler is told and interrupted. Hard, its worker is killed at once.",
      [["Softly", "soft"], ["Hard", "hard"]], "danger");
    if (how === null) return;
    const { changed } = await post(`/api/jobs/${encoded(data.id)}/cancel`, { running: how });
    say(changed ? "Told to end" : "Not cancelled: it has ended");
    await reload();
  },
};

const content = (job, readOnly) => [
  head(job.name || "(no name)", pill(job.status), readOnly ? null : h("div", { class: "buttons" }, buttons(job))),
  h("p", { class: "muted" }, h("code", {}, job.id), job.description ? ` · ${job.description}` : ""),
  job.progress ? progress(job.progress) : null,
  job.error ? failure(job) : null,
  h("div", { class: "columns" }, h("section", { class: "card" }, h("h2", {}, "History"), history(job)),
    h("section", { class: "card" }, h("h2", {}, "Details"), details(job))),
  text("Payload", job.payload),
  job.result !== null ? text("Result", job.result) : job.has_result ? h("p", { class: "muted" }, "Its result is not kept any longer.") : null,
];

function buttons(job) {
  if (job.status === "failed") return [button("retry", "Retry", {}, "primary"), button("purge", "Delete", {}, "danger")];
  if (job.status === "processing") return button("stop", "Cancel…", { id: job.id }, "danger");
  return FINAL.has(job.status) ? null : button("cancel", "Cancel", { id: job.id }, "danger");
}

function progress({ done, total, note }) {
  const isMeasured = typeof done === "number" && typeof total === "number" && total > 0;
  const words = `${count(typeof done === "number" ? done : 0)}${isMeasured ? ` of ${count(total)}` : ""}`;
  return h("section", { class: "card progress" },
    h("h2", {}, "Progress"), h("span", { class: "number" }, words), typeof note === "string" && note ? h("span", { class: "muted" }, note) : null,
    isMeasured ? h("progress", { max: total, "aria-label": "Progress", value: done }) : null);
}

const failure = (job) => h("section", { class: "card failure" },
  h("h2", {}, job.status === "failed" ? "Why it died" : "How its last attempt failed"),
  h("p", { class: "bad" }, job.error_line),
  h("details", { open: job.status === "failed" }, h("summary", {}, "Traceback"), h("pre", { tabindex: "0", "aria-label": "Traceback" }, job.error)));

function history(job) {
  const lasted = job.started_at && job.finished_at ? (Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000 : null;
  const ofNext = job.status === "scheduled";
  const steps = [
    ["Submitted", job.created_at, job.schedule ? ["by the schedule ", h("code", {}, job.schedule)] : null],
    ofNext ? null : ["Was due", job.scheduled_for, null],
    ["Last started", job.started_at, `run ${count(job.run)}${job.holder ? `, held by ${job.holder}` : ""}`],
    ["Ended", job.finished_at, [job.status, lasted === null ? null : ` after ${duration(lasted)}`]],
    ofNext ? [job.attempts ? "Next try" : "Due", job.scheduled_for, null] : null,
    FINAL.has(job.status) ? null : ["May begin until", job.expires_at, null],
  ].filter((step) => step && step[1]);
  return h("ol", { class: "history" }, steps.map(([what, at, note]) => h("li", { "data-key": what },
    h("span", {}, what), h("span", {}, instant(at), " ", h("span", { class: "muted" }, "(", when(at), ")")),
    note ? h("span", { class: "muted note" }, note) : null)));
}

function details(job) {
  const facts = [
    ["Queue", [queueLink(job.queue, job.priority), `, ${job.priority}`]],
    ["Attempts", `${count(job.attempts)}${job.max_retries === null ? "" : ` of ${count(job.max_retries + 1)}`}`],
    ["Lost runs", count(job.recoveries)],
    ["Runs", count(job.run)],
    job.timeout_seconds === null ? null : ["Time limit", job.timeout_seconds ? duration(job.timeout_seconds) : "none"],
    job.unique_key === null ? null : ["Unique key", h("code", {}, job.unique_key)],
    job.on_lost === null ? null : ["When its run is lost", job.on_lost],
    job.slot_at === null ? null : ["Slot of its schedule", instant(job.slot_at)],
  ].filter(Boolean);
  return h("dl", {}, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

const text = (title, words) => h("section", { "data-key": title }, h("h2", {}, title), h("pre", { class: "card", tabindex: "0", "aria-label": title }, words));
