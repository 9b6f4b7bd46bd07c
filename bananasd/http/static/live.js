// The stream of what changes by itself. A tab that nobody sees takes no part in it.

const SILENCE_MS = 5000;

export function watch(onSnapshot, onLost) {
  let source = null;
  let heardAt = 0;

  const open = () => {
    heardAt = Date.now();
    source = new EventSource("/api/live");
    source.onmessage = (event) => {
      heardAt = Date.now();
      onSnapshot(JSON.parse(event.data));
    };
    source.onerror = () => onLost();
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
      close();
      onLost();
      follow();
    }
  }, 1000);
  follow();
}
