// The frame around the pages: which one is shown, when it is drawn anew, and what becomes of a click.

import { DOUBTFUL, Refused, openSession, post } from "./api.js";
import { dead } from "./dead.js";
import { h, show } from "./dom.js";
import { encoded, noteServerTime } from "./format.js";
import { job } from "./job.js";
import { watch } from "./live.js";
import { login } from "./login.js";
import { missing } from "./missing.js";
import { nodes } from "./nodes.js";
import { overview } from "./overview.js";
import { head } from "./parts.js";
import { queue } from "./queue.js";
import { scheduled } from "./scheduled.js";
import { schedules } from "./schedules.js";

const PAGES = { "": overview, queue, job, scheduled, dead, schedules, nodes };
const OF_ONE = new Set(["queue", "job"]); // pages of something that stands behind their name
const LINKS = [["", "Overview"], ["scheduled", "Scheduled"], ["dead", "Dead"], ["schedules", "Schedules"], ["nodes", "Nodes"]];
const TOAST_MS = 5000;

const [top_, banner, main, toast] = ["top", "banner", "main", "toast"].map((id) => document.getElementById(id));
let session = null, snapshot = null, page = null, place = "", trouble = "", isLost = false, refusal = "", loadedAt = 0, loading = null, toastEnds = 0;

const context = () => ({ snapshot, readOnly: session.read_only });

function draw() {
  drawTop();
  drawBanner();
  if (!page || !snapshot) return;
  main.classList.toggle("stale", isLost || Boolean(snapshot.trouble));
  // What everybody suffers from is in the banner.
  const words = isLost || snapshot.trouble ? "" : trouble;
  show(main, [...view(), words ? h("p", { class: "card failure bad", role: "alert" }, words) : null]);
  document.title = `${page.title} · bananasd`;
}

// A page that shows nothing must say why.
function view() {
  try {
    return page.view(context());
  } catch (error) {
    console.error(error);
    return [head(page.title), h("p", { class: "card failure bad", role: "alert" }, `This page cannot be shown, by a fault of its own: ${error.message}`)];
  }
}

function drawTop() {
  const [name] = place.split("/");
  const dead = snapshot?.queues?.dead;
  show(top_, [
    h("a", { class: "brand", href: "#/" }, "bananasd"),
    session.namespace === "default" ? null : h("span", { class: "muted" }, session.namespace),
    h("nav", { "aria-label": "Pages" }, LINKS.map(([target, words]) =>
      h("a", { href: `#/${target}`, "aria-current": target === name ? "page" : null }, words,
        target === "dead" && dead ? h("span", { class: "badge" }, dead > 999 ? "999+" : dead) : null))),
    h("form", { class: "find", "data-action": "find", role: "search", "data-key": "find" },
      h("input", { name: "id", type: "search", placeholder: "Job id", "aria-label": "Job id", autocomplete: "off", spellcheck: "false" })),
    session.read_only ? h("span", { class: "pill" }, "read-only") : null,
    h("span", { class: `live ${isLost || snapshot?.trouble ? "off" : ""}` }, isLost ? "lost" : snapshot?.trouble ? (snapshot.has_answered ? "refused" : "no Redis") : "live"),
    session.needs_token ? h("button", { type: "button", "data-action": "logout" }, "Log out") : null,
  ]);
}

function drawBanner() {
  const words = bannerWords();
  // Only when it changes, for it is read out.
  show(banner, words ? [h("p", {}, h("strong", {}, words[0]), words[1])] : []);
}

function bannerWords() {
  if (isLost && refusal) return ["This page stands still. ", refusal];
  if (isLost) return ["The daemon does not answer. ", "This page goes on as soon as it does."];
  if (snapshot?.trouble && snapshot.has_answered) return ["Redis answers, but not with what is asked for. ", `It refuses, or holds what is not ours; so nothing new of it is shown. (${snapshot.trouble})`];
  if (snapshot?.trouble) return ["Redis does not answer. ", `The daemon waits for it, and so does this page. (${snapshot.trouble})`];
  return null;
}

// Loads one at a time; `isAsked`: somebody did something, and waits for what it has changed.
async function load(isAsked) {
  if (!page.load || !snapshot) return;
  if (loading) await loading.catch(() => {});
  const mine = page;
  loadedAt = Date.now();
  loading = mine.load({ ...context(), isAsked });
  try {
    await loading;
    if (mine === page) trouble = "";
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status === 401) location.reload();
    if (mine === page) trouble = error.message;
  } finally {
    loading = null;
  }
}

async function navigate() {
  const wanted = location.hash.startsWith("#/") ? location.hash.slice(2) : "";
  // The link that skips to the content leads to no page.
  if (page && (!location.hash.startsWith("#/") || wanted === place)) return;
  const isFirst = page === null;
  place = wanted;
  const [name, ...words] = wanted.split("/").map(decode);
  const isThere = Object.hasOwn(PAGES, name) && (words[0] || !OF_ONE.has(name));
  page = (isThere ? PAGES[name] : missing)(...words);
  trouble = "";
  draw();
  top_.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  await load(true);
  draw();
  if (!isFirst) (main.querySelector("h1") ?? main).focus();
}

function decode(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}

async function onSnapshot(next) {
  isLost = false;
  noteServerTime(next.at_ms);
  const isFirst = snapshot === null;
  // What was last known stays to be seen, under a banner.
  if (next.queues === null && snapshot?.queues) next = { ...next, queues: snapshot.queues, rates: snapshot.rates };
  snapshot = next;
  if (page && (isFirst || (!next.trouble && !loading && Date.now() - loadedAt >= (page.every ?? Infinity) - 100))) await load(isFirst);
  draw();
}

function onLost(refused) {
  if (refused?.status === 401) location.reload();
  isLost = true;
  refusal = refused?.status ? refused.message : "";
  draw();
}

function say(words) {
  show(toast, [h("p", {}, words)]);
  clearTimeout(toastEnds);
  toastEnds = setTimeout(() => show(toast, []), TOAST_MS);
}

const own = {
  find({ form }) {
    const id = form.get("id").trim();
    if (id) location.hash = `#/job/${encoded(id)}`;
  },
  async logout() {
    await post("/api/logout", {});
    location.reload();
  },
};

async function perform(element, form) {
  const action = own[element.dataset.action] ?? page?.actions[element.dataset.action];
  if (!action) return;
  const reload = async () => { await load(true); draw(); };
  const go = (hash) => { location.hash = hash; };
  try {
    await action({ data: element.dataset, form, say, draw, reload, go, ...context() });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say(`${error.code === DOUBTFUL ? "Nobody knows whether it was done" : "Not done"}: ${error.message}`);
  }
}

document.addEventListener("click", (event) => {
  const element = event.target.closest("[data-action]");
  if (element && element.nodeName !== "FORM" && !element.disabled) perform(element);
});
document.addEventListener("submit", (event) => {
  if (!event.target.dataset.action) return;
  event.preventDefault();
  perform(event.target, new FormData(event.target));
});

async function begin() {
  session = await openSession();
  if (!session.is_known) session = await login(main);
  watch(onSnapshot, onLost);
  // Not before: until then there is nobody to show a page to.
  window.addEventListener("hashchange", navigate);
  await navigate();
}

begin();

