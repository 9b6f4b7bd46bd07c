"""Which runs may overlap or come to their end again, and why: everything else is a breach of the promise."""

import re
from collections.abc import Sequence

from .ledger import Line
from .patient import Patient

UNREPORTED_SECONDS = 2.0
"""Soon after its end a run has been reported, if nothing stands still: a worker that begins others is not waiting for that."""
SLACK_SECONDS = 3.0
"""A lease that was lost in a fault is noticed, and its runs interrupted, a little after it."""
Span = tuple[float, float]
STARTED = re.compile(r"child started slot='[^']*' pid=(\d+)")
ENDED = re.compile(r"child ended slot='[^']*' pid=(\d+) end='([^']*)'")


class Excuses:
    """What the faults of a soak, and the logs of its daemons, say about a process."""

    def __init__(self, patients: Sequence[Patient], pauses: Sequence[Span], starts: Sequence[Line]) -> None:
        self._patients, self._pauses = patients, pauses
        self._last_start = {line.pid: line.at for line in starts}
        self._patient_of: dict[int, Patient] = {}
        self._ended_well: set[int] = set()
        self._running: set[int] = set()
        for patient in patients:
            log = patient.daemon.log_text()
            self._patient_of.update((int(pid), patient) for pid in STARTED.findall(log))
            self._ended_well.update(int(pid) for pid, end in ENDED.findall(log) if end == "exit status 0")
            self._running.update(patient.pids())

    def may_overlap(self, lines: Sequence[Line]) -> bool:
        """Whether one of these runs was a node's that was cut off meanwhile."""
        last = lines[-1].at
        return any(self._was_cut_off(line.pid, line.at, last) for line in lines if line.what == "start")

    def may_end_again(self, lines: Sequence[Line], completed_run: int | None) -> bool:
        """Whether each end that did not count was that of a process which was killed, or cut off."""
        ends = [line for line in lines if line.what == "end" and line.run != completed_run]
        return all(self._was_killed(line) or self._was_cut_off(line.pid, line.at, line.at) for line in ends)

    def _was_killed(self, end: Line) -> bool:
        """Whether that has happened to its process, and before the run can have been reported."""
        if end.pid in self._ended_well or end.pid in self._running:
            return False
        last = self._last_start[end.pid]
        stood_still = sum(
            min(last, until) - max(end.at, since)
            for since, until in self._pauses
            if since < last and until > end.at
        )
        return last - end.at < UNREPORTED_SECONDS + stood_still

    def _was_cut_off(self, pid: int, first: float, last: float) -> bool:
        # A master that is killed just after a fork has not told of the child.
        patients = [self._patient_of[pid]] if pid in self._patient_of else self._patients
        windows = [window for patient in patients for window in patient.cut_off]
        return any(began <= last and first <= ended + SLACK_SECONDS for began, ended in windows)
