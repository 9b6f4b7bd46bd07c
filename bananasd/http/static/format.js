// Numbers, times and sizes for people.

import { h } from "./dom.js";

const numbers = new Intl.NumberFormat("en");
let skew = 0; // how far the daemon's clock is ahead of the browser's

export const noteServerTime = (ms) => { skew = ms - Date.now(); };
export const now = () => Date.now() + skew;

export const count = (value) => (value === null || value === undefined ? "–" : numbers.format(value));

export const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;

export function rate(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  if (value < 0.1) return "<0.1";
  return value < 10 ? value.toFixed(1) : count(Math.round(value));
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return seconds === 0 ? "0 s" : `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10 && !Number.isInteger(seconds)) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  return value < 1024 * 1024 ? `${Math.round(value / 1024)} KiB` : `${(value / 1024 / 1024).toFixed(1)} MiB`;
}

const clock = (ms) => new Date(ms).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });

// "3 min ago" or "in 12 s", with the instant itself at hand. Takes milliseconds or ISO 8601.
export function when(instant) {
  const ms = typeof instant === "string" ? Date.parse(instant) : instant;
  if (ms === null || ms === undefined || Number.isNaN(ms)) return "–";
  const seconds = Math.round((now() - ms) / 1000);
  const words = seconds < 0 ? `in ${duration(Math.max(1, -seconds))}` : seconds < 1 ? "just now" : `${duration(seconds)} ago`;
  return h("time", { datetime: isoOf(ms), title: clock(ms) }, words);
}

export function instant(value) {
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? "–" : h("time", { datetime: isoOf(ms) }, clock(ms));
}

const MAX_ID_CHARACTERS = 100;
// One that somebody else has written may be longer than any page.
export const brief = (id) => (id.length > MAX_ID_CHARACTERS ? `${id.slice(0, MAX_ID_CHARACTERS)}…` : id);

// As part of an address. What others have written may hold halves of characters, which encodeURIComponent refuses.
export const encoded = (word) => encodeURIComponent(word.replace(/\p{Surrogate}/gu, "\ufffd"));

const isoOf = (ms) => (Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : "");
