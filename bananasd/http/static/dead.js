// The dead letters: found by name and text, brought back or deleted, one or many at a time.

import { get, post } from "./api.js";
import { ask } from "./dialogs.js";
import { h } from "./dom.js";
import { brief, count, plural, when } from "./format.js";
import { button, empty, head, jobName, queueLink, row, table } from "./parts.js";

const PAGE = 50;

export function dead() {
  const state = { name: "", text: "", jobs: [], mark: "", lookedAt: 0, total: 0, isLoaded: false, isLong: false, chosen: new Set(), working: null };

  const query = (mark) => new URLSearchParams({ name: state.name, text: state.text, mark, limit: PAGE });
  const take = (found, isMore) => {
    state.jobs = isMore ? [...state.jobs, ...found.jobs] : found.jobs;
    state.lookedAt = (isMore ? state.lookedAt : 0) + found.looked_at;
    Object.assign(state, { mark: found.mark, total: found.total, isLoaded: true, isLong: isMore });
    const there = new Set(state.jobs.map((job) => job.id));
    for (const id of state.chosen) if (!there.has(id)) state.chosen.delete(id);
  };
  const first = async () => {
    const asked = query("").toString();
    const found = await get(`/api/dead?${asked}`);
    if (asked === query("").toString()) take(found, false);
  };

  return {
    title: "Dead",
    every: 2000,
    // A list that somebody has gone on with stays as it is.
    load: async ({ isAsked }) => { if ((isAsked || !state.isLong) && !state.working) await first(); },
    view: ({ readOnly }) => [
      head("Dead letters", h("span", { class: "muted" }, plural(state.total, "job"))),
      filter(),
      state.isLoaded ? list(state, readOnly) : null,
    ],
    actions: {
      async filter({ form, reload }) {
        state.name = form.get("name").trim();
        state.text = form.get("text").trim();
        state.chosen.clear();
        await reload();
      },
      async more({ draw }) {
        take(await get(`/api/dead?${query(state.mark)}`), true);
        draw();
      },
      choose({ data, draw }) {
        if (!state.chosen.delete(data.id)) state.chosen.add(data.id);
        draw();
      },
      chooseAll({ draw }) {
        const isAll = state.chosen.size === state.jobs.length;
        state.chosen = new Set(isAll ? [] : state.jobs.map((job) => job.id));
        draw();
      },
      retry: (context) => act(context, "retry", [context.data.id]),
      purge: (context) => act(context, "purge", [context.data.id]),
      retryChosen: (context) => act(context, "retry", [...state.chosen]),
      purgeChosen: (context) => act(context, "purge", [...state.chosen]),
      retryAll: (context) => actOnAll(context, "retry"),
      purgeAll: (context) => actOnAll(context, "purge"),
      halt() { state.working.isHalted = true; },
    },
  };

  async function act({ say, reload }, what, ids) {
    if (what === "purge" && !(await ask(`Delete ${plural(ids.length, "dead job")}?`, "Their records go with them, for good.", [["Delete", "yes"]], "danger"))) return;
    const { changed } = await post(`/api/dead/${what}`, { ids });
    say(`${what === "retry" ? "Brought back" : "Deleted"} ${plural(changed, "job")}${changed < ids.length ? `; ${count(ids.length - changed)} not: no longer dead, their unique key is taken, or no record is left to run` : ""}`);
    state.chosen.clear();
    await reload();
  }

  // As many requests as it takes, so that none holds the server up; it can be halted in between.
  async function actOnAll({ say, draw, reload }, what) {
    const isFiltered = state.name || state.text;
    const chosen = isFiltered ? { name: state.name, text: state.text } : { all: true };
    const which = isFiltered ? "all dead jobs that match" : `all ${plural(state.total, "dead job")}`;
    const [title, words] = what === "retry" ? ["Bring back", "Bring back"] : ["Delete", "Delete"];
    if (!(await ask(`${title} ${which}?`, what === "retry" ? "Each goes to the end of its lane, its attempts at zero." : "Their records go with them, for good.", [[words, "yes"]], what === "purge" ? "danger" : "primary"))) return;
    const working = { what, changed: 0, lookedAt: 0, isHalted: false };
    state.working = working;
    try {
      let mark = "";
      do {
        draw();
        const done = await post(`/api/dead/${what}`, { ...chosen, mark });
        working.changed += done.changed;
        working.lookedAt += done.looked_at;
        mark = done.mark;
      } while (mark && !working.isHalted);
    } finally {
      state.working = null;
      say(`${what === "retry" ? "Brought back" : "Deleted"} ${plural(working.changed, "job")}${working.isHalted ? ", then halted" : ""}`);
      await reload();
    }
  }
}

const filter = () => h("form", { class: "filter", "data-action": "filter", "data-key": "filter" },
  h("label", {}, "Name", h("input", { name: "name", type: "search", autocomplete: "off", placeholder: "part of a handler’s name" })),
  h("label", {}, "Text", h("input", { name: "text", type: "search", autocomplete: "off", placeholder: "in error, payload, description or id" })),
  h("button", { type: "submit" }, "Find"));

function list(state, readOnly) {
  const isFiltered = state.name || state.text;
  if (!state.total) return empty("No job is dead. What fails for good comes here, with its reason.");
  return [
    readOnly ? null : bulk(state, isFiltered),
    state.jobs.length ? jobs(state, readOnly) : empty(state.mark ? "None among those looked at so far." : "No dead job matches."),
    h("p", { class: "pager" },
      state.mark ? h("button", { type: "button", "data-action": "more" }, isFiltered ? "Look further" : "Show more") : null,
      h("span", { class: "muted" }, isFiltered
        ? `${plural(state.jobs.length, "match", "matches")} among ${count(state.lookedAt)} of ${count(state.total)} looked at`
        : `${count(state.jobs.length)} of ${count(state.total)}`)),
  ];
}

function bulk(state, isFiltered) {
  if (state.working) {
    return h("div", { class: "bulk", "data-key": "working" }, h("span", {}, `${plural(state.working.changed, "job")} done, ${count(state.working.lookedAt)} looked at …`), button("halt", "Halt"));
  }
  const chosen = state.chosen.size;
  return h("div", { class: "bulk", "data-key": "bulk" },
    chosen
      ? [h("span", {}, `${count(chosen)} chosen`), button("retryChosen", "Retry chosen", {}, "primary"), button("purgeChosen", "Delete chosen", {}, "danger")]
      : [button("retryAll", isFiltered ? "Retry all that match" : "Retry all"), button("purgeAll", isFiltered ? "Delete all that match" : "Delete all", {}, "danger")]);
}

function jobs(state, readOnly) {
  const box = (action, label, checked, id) => h("input", { type: "checkbox", "data-action": action, "data-id": id, "aria-label": label, checked });
  const isAll = state.chosen.size === state.jobs.length;
  return table("Dead jobs", [
    ...(readOnly ? [] : [[box("chooseAll", "Choose all shown", isAll, null), "choose"]]),
    ["Job"], ["Error"], ["Attempts", "figure"], ["Queue"], ["Died"], ["", "act"]],
  state.jobs.map((job) => row(job.id, [
    ...(readOnly ? [] : [[box("choose", `Choose ${job.name || brief(job.id)}`, state.chosen.has(job.id), job.id), "choose"]]),
    [jobName(job)],
    [job.error || "–", "error"],
    [count(job.attempts), "figure"],
    [job.is_gone ? "–" : queueLink(job.queue)],
    [when(job.at_ms)],
    [readOnly ? null : [button("retry", "Retry", { id: job.id }), button("purge", "Delete", { id: job.id }, "danger")], "act"],
  ])));
}
