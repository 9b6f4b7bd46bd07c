// Questions before what cannot be taken back.

import { h } from "./dom.js";

// Resolves to the value of the chosen button, or null. `choices`: pairs of words and value; the last may be a danger.
export function ask(title, text, choices, kind = "") {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-labelledby": "question" },
      h("form", { method: "dialog" },
        h("h2", { id: "question" }, title), h("p", {}, text),
        h("div", { class: "buttons" },
          h("button", { value: "", type: "submit" }, "Back"),
          choices.map(([words, value]) => h("button", { value, type: "submit", class: kind }, words)))));
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue || null);
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
