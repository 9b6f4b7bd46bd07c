"""What the handlers of the suite have written down: every run, its start, and its end if it came to one."""

from pathlib import Path
from typing import NamedTuple


class Line(NamedTuple):
    """One line. ``what``: start, end, the name of what ended the run instead, or overlap."""

    job_id: str
    run: int
    attempt: int
    pid: int
    what: str
    at: float


class Ledger:
    """A file that many processes append to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self, what: str = "", job_id: str = "") -> list[Line]:
        """The lines in the order in which they were written, all or some."""
        text = self.path.read_text()
        # The last one may still be on its way.
        found = (_line(words) for words in text[: text.rfind("\n") + 1].splitlines())
        return [line for line in found if what in ("", line.what) and job_id in ("", line.job_id)]

    def by_job(self) -> dict[str, list[Line]]:
        """All lines of each job."""
        found: dict[str, list[Line]] = {}
        for line in self.lines():
            found.setdefault(line.job_id, []).append(line)
        return found

    def starts(self, job_id: str = "") -> list[Line]:
        return self.lines("start", job_id)

    def ends(self, job_id: str = "") -> list[Line]:
        return self.lines("end", job_id)

    def first_starts(self, after: float) -> dict[int, float]:
        """When each process began its first job after an instant."""
        found: dict[int, float] = {}
        for line in self.starts():
            if line.at > after:
                found.setdefault(line.pid, line.at)
        return found

    def subprocesses(self) -> list[int]:
        """The pids of what handlers have started."""
        return [
            int(line.what.partition("-")[2]) for line in self.lines() if line.what.startswith("subprocess-")
        ]


def _line(text: str) -> Line:
    job_id, run, attempt, pid, what, at = text.split()
    return Line(job_id, int(run), int(attempt), int(pid), what, float(at))
