// The way in, where the daemon asks for a token.

import { Refused, openSession, post } from "./api.js";
import { h, show } from "./dom.js";

// Resolves to the session once somebody has the token.
export function login(main) {
  return new Promise((resolve) => {
    const trouble = h("p", { class: "bad", role: "alert" });
    const field = h("input", { id: "token", name: "token", type: "password", autocomplete: "current-password", required: true });
    const form = h("form", { class: "card login" },
      h("h1", {}, "bananasd"),
      h("label", { for: "token" }, "Token"), field,
      h("p", { class: "muted note" }, "What stands in the file that http.token_file names."),
      trouble, h("button", { type: "submit", class: "primary" }, "Log in"));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      trouble.textContent = "";
      try {
        await post("/api/login", { token: field.value });
        show(main, []);
        resolve(await openSession());
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        trouble.textContent = `Not let in: ${error.message}`;
        field.select();
      }
    });
    show(main, [form]);
    field.focus();
  });
}
