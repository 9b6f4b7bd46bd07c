// What an address shows that leads to no page.

import { h } from "./dom.js";
import { empty, head } from "./parts.js";

export const missing = () => ({
  title: "No such page",
  view: () => [head("There is no such page"), empty("What there is begins with the ", h("a", { href: "#/" }, "overview"), ".")],
  actions: {},
});
