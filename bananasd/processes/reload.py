"""A reload: the new configuration and handlers are tried first, then the children are replaced one by one."""

import logging
from collections.abc import Callable, Iterator

from ..errors import ConfigError
from .board import Board, Head
from .checker import Checker
from .plan import Plan
from .replacement import Replacement, Replacing
from .row import Kind
from .slots import Fleet, Slot

logger = logging.getLogger(__name__)


class Reload:
    """From the request to the last replaced child.

    ``is_over`` says when, ``problems`` why it was refused or came to its end early, ``replaced`` how many children
    run by the new plan.
    """

    def __init__(self, fleet: Fleet, plan: Plan, drop_inheritance: Callable[[], None]) -> None:
        self._fleet = fleet
        self._checker: Checker | None = None
        self._replacement: Replacement | None = None
        self._pairs: Iterator[tuple[Slot | None, Slot]] = iter(())
        self.problems: list[str] = []
        self.replaced = 0
        self.is_over = False
        self.plan = plan
        _note_begin(fleet.board)
        logger.info("reload began")
        try:
            self.plan = plan.renew()
            self._checker = Checker(self.plan.check_command, self.plan.check_seconds, drop_inheritance)
        except ConfigError as error:
            self.end(error.problems)
        except OSError as error:
            self.end([f"the check cannot be run: {error.strerror}"])

    @property
    def pids(self) -> tuple[int, ...]:
        """Processes of its own, which no slot has started."""
        return (self._checker.pid,) if self._checker else ()

    def note_death(self, pid: int, wait_status: int) -> None:
        """A process that no slot had started has ended; if it was the checker, go on by what it has found."""
        if self._checker is None or pid != self._checker.pid:
            return
        problems = self._checker.problems(wait_status)
        self._checker = None
        if self.is_over:
            return
        if problems:
            self.end(problems)
        else:
            self._pairs = self._make_pairs()
            self._next()

    def step(self) -> None:
        """Go on with what is under way."""
        if self._checker is not None:
            self._checker.watch()
        elif self._replacement is not None:
            self._look_after(self._replacement)

    def abandon(self) -> None:
        """The daemon stops: what is there now stays until it is told to leave."""
        if self._checker is not None:
            self._checker.kill()
        if not self.is_over:
            self.end(["the daemon was told to stop meanwhile"])

    def end(self, problems: list[str]) -> None:
        """It is over, and refused if there are problems."""
        self.problems, self.is_over, self._replacement = problems, True, None
        for problem in problems:
            logger.error("reload refused: %s", problem)
        if not problems:
            logger.info("reload done workers=%d", self.plan.workers)
        _note_end(self._fleet.board, problems)

    def _look_after(self, replacement: Replacement) -> None:
        what = replacement.step()
        if what is Replacing.DONE:
            self.replaced += 1
            self._next()
        elif what is Replacing.FAILED:
            self.end([self._describe_failure(replacement.new)])

    def _describe_failure(self, slot: Slot) -> str:
        what = f"the new {slot.name} does not come up, see the log"
        if not self.replaced:
            return f"{what}; nothing was changed"
        return f"{what}; {self.replaced} others have been replaced, the rest stays as it was: mend it and reload again"

    def _next(self) -> None:
        pair = next(self._pairs, None)
        if pair is None:
            self._retire_surplus()
            self._renew_http()
            self._apply()
            self.end([])
        else:
            self._replacement = Replacement(self._fleet, *pair)

    def _apply(self) -> None:
        try:
            self.plan.apply()
        except ConfigError as error:
            # Where the children could write a moment ago. It is no reason for the master to end.
            logger.error("master goes on with its old log: %s", error)  # noqa: TRY400

    def _make_pairs(self) -> Iterator[tuple[Slot | None, Slot]]:
        """Old and new slots. A worker first: it is the one that may yet fail, when all others are as they were."""
        for pool, count in self.plan.pools.items():
            there = self._fleet.workers_of(pool)[:count]
            for old in there:
                yield old, self.plan.make_slot(Kind.WORKER, old.number, pool)
            for _ in range(count - len(there)):
                yield None, self.plan.make_slot(Kind.WORKER, self._fleet.free_number(), pool)
        for scheduler in self._fleet.of(Kind.SCHEDULER):
            yield scheduler, self.plan.make_slot(Kind.SCHEDULER, scheduler.number, "")

    def _retire_surplus(self) -> None:
        for pool in self._fleet.pools:
            for slot in self._fleet.workers_of(pool)[self.plan.pools.get(pool, 0) :]:
                self._fleet.retire(slot)

    def _renew_http(self) -> None:
        """Not beside the old one, which has the port that the new one may want: the slot's next child goes by the plan."""
        there = self._fleet.of(Kind.HTTP)
        if not self.plan.has_http:
            for slot in there:
                self._fleet.retire(slot)
            return
        new = self.plan.make_slot(Kind.HTTP, 0, "")
        if not there:
            self._fleet.add(new)
        for slot in there:
            slot.body, slot.restarts, slot.start_seconds = new.body, new.restarts, new.start_seconds
            if slot.is_running:
                slot.ask_to_leave()


def _note_begin(board: Board) -> None:
    board.problems_path.unlink(missing_ok=True)
    board.head[Head.RELOADS_BEGUN] += 1


def _note_end(board: Board, problems: list[str]) -> None:
    """For ``bananasd reload``, which waits for it: the reasons before the number that says that they are there."""
    if problems:
        try:
            board.problems_path.write_text("".join(f"{problem}\n" for problem in problems), encoding="utf-8")
        except OSError as error:
            logger.warning("the problems are in this log only: %s: %s", board.problems_path, error.strerror)
    board.head[Head.IS_RELOADED] = int(not problems)
    board.head[Head.RELOADS_ENDED] = board.head[Head.RELOADS_BEGUN]
