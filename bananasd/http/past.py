"""The file in which a history outlives its process: a reload and a restart leave the charts as they were."""

import json
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from .history import History

NAME = "history"
MAX_BYTES = 64 * 1024


class Past:
    """Of one namespace on one server (``what``): the counters of another are other counters.

    What cannot be written is lost with the process, what cannot be read is as if it had not been: charts are no reason to fail.
    """

    def __init__(self, run_dir: Path, what: str) -> None:
        self._path = run_dir / NAME
        self._what = what
        self._writing = threading.Lock()

    def load(self) -> History:
        """The history as it was left."""
        try:
            told = json.loads(self._path.read_bytes()[:MAX_BYTES])
            return History.from_dict(told["history"]) if told["of"] == self._what else History()
        except (OSError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
            return History()

    def keep(self, told: dict[str, Any]) -> None:
        """Write down what a history has told of itself."""
        written = json.dumps({"of": self._what, "history": told})
        fresh = self._path.with_suffix(".new")
        with self._writing, suppress(OSError):
            # A reader finds the one before, or this one.
            fresh.write_text(written)
            fresh.replace(self._path)
