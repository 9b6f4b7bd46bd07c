// The stream of what changes by itself. A tab that nobody sees takes no part in it.

import { whyRefused } from "./api.js";

const PATH = "/api/live";
const SILENCE_MS = 5000;

export function watch(onSnapshot, onLost) {
  let source = null;
  let heardAt = 0;

  const open = () => {
    heardAt = Date.now();
    source = new EventSource(PATH);
    source.onmessage = (event) => {
      heardAt = Date.now();
      onSnapshot(JSON.parse(event.data));
    };
    source.onerror = async ({ target }) => {
      // What is closed was answered, with a refusal; else the browser itself tries again.
      const refused = target.readyState === EventSource.CLOSED ? await whyRefused(PATH) : null;
      if (target === source) onLost(refused);
    };
  };
  const close = () => {
    source?.close();
    source = null;
  };
  const follow = () => {
    if (document.hidden) close();
    else if (!source) open();
  };
  document.addEventListener("visibilitychange", follow);
  // A browser gives up on a stream that was refused, and does not notice one that hangs.
  setInterval(() => {
    if (source && (source.readyState === EventSource.CLOSED || Date.now() - heardAt > SILENCE_MS)) {
      if (source.readyState !== EventSource.CLOSED) onLost(null);
      close();
      follow();
    }
  }, 1000);
  follow();
}
