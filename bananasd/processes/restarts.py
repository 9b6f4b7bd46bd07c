"""When a slot may start again: at once, after a growing pause, or never."""

from dataclasses import dataclass

EARLY_SECONDS = 5.0
"""A child that dies within this time of coming up, and has not begun a job, has crashed."""

CRASH_LIMIT = 8


@dataclass(slots=True)
class Restarts:
    """The crash history of one slot. ``limit`` crashes in a row make it fatal; None: it never is."""

    cap_seconds: float = 60.0
    limit: int | None = CRASH_LIMIT
    crashes: int = 0
    not_before: float = 0.0
    is_final: bool = False
    """It said that it can never work (exit code 78)."""
    is_unfit: bool = False
    """It says so now, but has worked before: what is broken may be mended while the others go on."""

    @property
    def is_fatal(self) -> bool:
        """Whether there is no use in starting it again."""
        has_crashed_out = self.limit is not None and self.crashes >= self.limit
        return self.is_final or (has_crashed_out and not self.is_unfit)

    def note_crash(self, now: float) -> None:
        """It died before it was up, or soon after: the first restart is immediate, then 1, 2, 4 … seconds."""
        self.is_unfit = False
        self.crashes += 1
        # Beyond any cap, and below what a float holds: without a limit the row may be a long one.
        doublings = min(self.crashes - 2, 30)
        self.not_before = now + (0.0 if self.crashes == 1 else min(2.0**doublings, self.cap_seconds))

    def note_unfit(self, now: float) -> None:
        """The same pauses, but for as long as it takes."""
        self.note_crash(now)
        self.is_unfit = True

    def postpone(self, now: float) -> None:
        """It could not even be started; a second later perhaps."""
        self.not_before = now + 1.0

    def note_other_end(self, now: float) -> None:
        """It ended after honest work: the row of crashes is broken."""
        self.crashes, self.is_unfit = 0, False
        self.not_before = now


def is_crash(up_seconds: float | None, *, has_worked: bool, has_left: bool) -> bool:
    """Whether a death counts. ``up_seconds`` is None for a child that never was up.

    A worker that has begun a job can work: no job, nor what it leaves running, may stop the daemon.
    """
    if has_worked or has_left:
        return False
    return up_seconds is None or up_seconds < EARLY_SECONDS
