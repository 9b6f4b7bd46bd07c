// Every daemon and its processes: this one as its board shows it, the others as they told at their last beat.

import { h } from "./dom.js";
import { bytes, count, duration } from "./format.js";
import { empty, head, heardOf, isLost, jobLink, pill, row, table } from "./parts.js";

export const nodes = () => ({
  title: "Nodes",
  view: ({ snapshot }) => [
    head("Nodes"),
    snapshot.queues ? null : h("p", { class: "muted" }, "Other nodes cannot be seen while Redis cannot be read."),
    snapshot.nodes.length ? snapshot.nodes.map(section) : empty("No node is known."),
  ],
  actions: {},
});

const section = (node) => h("section", { "data-key": node.node },
  h("header", { class: "section-head" }, h("h2", {}, node.host || node.node), pill(node.phase),
    h("span", { class: "muted" }, [
      node.node,
      node.master_pid ? `master ${node.master_pid}` : null,
      node.up_seconds === null ? null : `up ${duration(node.up_seconds)}`,
      node.pss_bytes === null ? null : bytes(node.pss_bytes),
      node.beat_seconds === null ? null : heardOf(node),
    ].filter(Boolean).join(" · "))),
  table(`Processes of ${node.node}`, [["Process"], ["State"], ["Runs"], ["Pid", "figure"], ["Up", "figure"], ["Done", "figure"], ["Failed", "figure"], ["Restarts", "figure"], ["Memory", "figure"]],
    node.children.map((child) => row(`${child.slot}-${child.pid}`, [
      [[child.slot, child.pool ? h("span", { class: "muted" }, ` ${child.pool}`) : null], "slot"],
      [isLost(node) ? h("span", { class: "muted" }, `was ${child.state}`) : pill(child.state)],
      [runs(child)],
      [child.pid || "–", "figure"],
      [duration(child.up_seconds), "figure"],
      [child.kind === "worker" ? count(child.done) : "–", "figure"],
      [child.kind === "worker" ? count(child.failed) : "–", "figure"],
      [count(child.restarts), "figure"],
      [bytes(child.pss_bytes), "figure"],
    ]))));

const runs = (child) => {
  if (child.job) return [jobLink(child.job.id, child.job.name), child.job.seconds === null ? null : h("span", { class: "muted number" }, ` ${duration(child.job.seconds)}`)];
  if (child.last_end && child.state !== "up") return h("span", { class: "bad" }, `last end: ${child.last_end}`);
  return h("span", { class: "muted" }, child.kind === "worker" && child.state === "up" ? "idle" : "–");
};
