"""Which checkout is measured: this one, or another whose client and daemon are run in its place."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError

ROOT = Path(__file__).parents[1]
STRANGE = ("BANANAS", "COVERAGE_", "PYTHON", "RUNTIME_DIRECTORY", "STATE_DIRECTORY", "NOTIFY_SOCKET")
"""What an environment may hold that would lead a daemon elsewhere or slow it down."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A directory with bananasd/ in it."""

    path: Path

    @classmethod
    def at(cls, place: str) -> "Tree":
        """The one at this path. Raises `BenchError` if there is none."""
        path = Path(place).resolve()
        if not (path / "bananasd" / "__main__.py").is_file():
            raise BenchError(f"{place} has no bananasd/ in it: want the path of a checkout")
        return cls(path)

    def command(self, *arguments: str) -> Sequence[str]:
        """This interpreter with these arguments; -P: a program's own directory hides no module."""
        return (sys.executable, "-P", *arguments)

    def environ(self, **more: str) -> dict[str, str]:
        """Ours, with the tree first on the path of modules."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith(STRANGE)}
        return {**plain, "PYTHONPATH": str(self.path), **more}
