"""Drives the process that submits jobs by a tree's own Client."""

import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .errors import BenchError
from .server import Server
from .tree import Tree

PROGRAM = Path(__file__).parent / "programs" / "submit.py"


class Submitter:
    """One process with one client; it carries out one order after the other."""

    def __init__(self, tree: Tree, server: Server) -> None:
        self._process = subprocess.Popen(
            tree.command(str(PROGRAM), server.url),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=tree.environ(), cwd="/",
        )  # fmt: skip

    def order(self, order: str, **arguments: Any) -> float:
        """Have it done; how many seconds it took. See ``programs/submit.py`` for what there is."""
        self.send(order, **arguments)
        return self.answer()

    def send(self, order: str, **arguments: Any) -> None:
        """Have it begun."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"order": order, **arguments}) + "\n")
        self._process.stdin.flush()

    def answer(self) -> float:
        """Wait until it is done; the seconds."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchError("the submitting process has ended; what went wrong stands above")
        return float(json.loads(line)["seconds"])

    def rate(self, order: str, jobs: int, **arguments: Any) -> float:
        """How many jobs a second that was."""
        return jobs / self.order(order, jobs=jobs, **arguments)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
