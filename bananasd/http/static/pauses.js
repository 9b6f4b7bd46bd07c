// Pausing and resuming a queue, or everything (null).

import { post } from "./api.js";
import { ask } from "./dialogs.js";
import { button } from "./parts.js";

// Of a queue by its name, "*" for everything: null, or {until}.
export const pauseOf = (queues, name) => (name in queues.paused ? { until: queues.paused[name] } : null);

export function pauseButton(queues, queue) {
  const what = queue === null ? "everything" : "";
  return pauseOf(queues, queue ?? "*")
    ? button("resume", `Resume ${what}`.trim(), { queue, "of": queue === null ? "all" : "one" })
    : button("pause", `Pause ${what}`.trim(), { queue, "of": queue === null ? "all" : "one" });
}

const queueOf = (data) => (data.of === "all" ? null : data.queue);

export const pauseActions = {
  async pause({ data, say }) {
    const queue = queueOf(data);
    const name = queue === null ? "everything" : `“${queue}”`;
    const seconds = await ask(`Pause ${name}?`, "What runs goes on; nothing else begins. Jobs are accepted as ever.",
      [["For 15 minutes", "900"], ["For an hour", "3600"], ["Until resumed", "0"]]);
    if (seconds === null) return;
    await post("/api/queues/pause", { queue, seconds: Number(seconds) || null });
    say(`Paused ${name}`);
  },
  async resume({ data, say }) {
    const queue = queueOf(data);
    await post("/api/queues/resume", { queue });
    say(`Resumed ${queue === null ? "everything" : `“${queue}”`}`);
  },
};
