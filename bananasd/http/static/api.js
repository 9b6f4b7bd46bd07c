// Requests to the daemon that served this page.

export class Refused extends Error {
  constructor(status, message, code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

// The code of an error after which nobody knows whether what was asked for has been done.
export const DOUBTFUL = "doubtful";

let csrf = "";

export async function openSession() {
  const session = await get("/api/session");
  csrf = session.csrf ?? "";
  return session;
}

export const get = (path) => send(path, { method: "GET" });

export async function post(path, body) {
  try {
    return await send(path, carrying(body));
  } catch (error) {
    // The daemon has been started anew since this page was loaded.
    if (error.code !== "csrf") throw error;
    await openSession();
    return send(path, carrying(body));
  }
}

const carrying = (body) => ({
  method: "POST",
  headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
  body: JSON.stringify(body),
});

async function send(path, options) {
  const answer = await reach(path, options);
  return answer.json().catch(() => ({}));
}

// A stream that was refused does not tell why; somebody who asks is told.
export async function whyRefused(path) {
  try {
    const answer = await reach(path, { method: "GET" });
    await answer.body.cancel();
    return null;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return error;
  }
}

async function reach(path, options) {
  let answer;
  try {
    answer = await fetch(path, { ...options, credentials: "same-origin", cache: "no-store" });
  } catch {
    // What was sent may have got there.
    throw new Refused(0, "the daemon does not answer", options.method === "POST" ? DOUBTFUL : "");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, told.error ?? `the daemon answered with ${answer.status}`, told.code ?? "");
}
