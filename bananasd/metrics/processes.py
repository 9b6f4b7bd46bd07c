"""The families of a node's processes, as the board and the kernel have them."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from .. import clock
from ..processes.board import Board, Head
from ..processes.row import CHILDLESS, Row, State, Word
from ..processes.usage import Usage, usages

STATES = (State.STARTING, State.UP, State.DRAINING, State.BACKOFF, State.FATAL)
USAGE_SECONDS = 5.0
MAX_ASKED = 64
"""To ask the kernel for the memory of a process takes milliseconds: so old may be what it said, so many are asked for."""


class Processes:
    """Remembers what the kernel said."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._usages: dict[int, Usage] = {}
        self._until = 0.0

    def families(self) -> Iterator[Metric]:
        """One series for each process, and state; where two are in one slot, the younger one's."""
        rows = sorted(self._board.used_rows(), key=lambda row: row.generation)
        slots = {row.title: row for row in rows if row.state not in (State.DEAD, State.FREE)}
        yield GaugeMetricFamily(
            "bananasd_slots", "How many children the daemon wants.", self._board.head[Head.SLOTS]
        )
        yield from _states(slots)
        yield from self._sizes(slots)

    def _sizes(self, slots: dict[str, Row]) -> Iterator[Metric]:
        pss = GaugeMetricFamily("bananasd_process_pss_bytes", "Memory; what is shared counts by its share.",
                                labels=["process"])  # fmt: skip
        cpu = CounterMetricFamily("bananasd_process_cpu_seconds", "Time on a processor, user and system.",
                                  labels=["process"])  # fmt: skip
        living = {name: row.words[Word.PID] for name, row in slots.items() if row.state not in CHILDLESS}
        pids = {"master": self._board.master_pid, **living}
        known = self._ask(pids.values())
        for name, pid in pids.items():
            usage = known.get(pid, Usage(None, None))
            if usage.pss_bytes is not None:
                pss.add_metric([name], usage.pss_bytes)
            if usage.cpu_seconds is not None:
                cpu.add_metric([name], usage.cpu_seconds)
        yield from (pss, cpu)

    def _ask(self, pids: Iterable[int]) -> dict[int, Usage]:
        if clock.remaining(self._until) == 0:
            self._usages = usages(list(pids)[:MAX_ASKED])
            self._until = clock.deadline_in(USAGE_SECONDS)
        return self._usages


def _states(slots: dict[str, Row]) -> Iterator[Metric]:
    states = GaugeMetricFamily("bananasd_process_state", "1 for the state that a slot is in.",
                               labels=["process", "state"])  # fmt: skip
    crashes = GaugeMetricFamily("bananasd_process_crashes", "How many children in a row have crashed in a slot.",
                                labels=["process"])  # fmt: skip
    for name, row in slots.items():
        now = row.state
        for state in STATES:
            states.add_metric([name, state.name.lower()], state is now)
        crashes.add_metric([name], row.words[Word.CRASHES])
    yield from (states, crashes)
