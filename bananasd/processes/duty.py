"""A duty: something to do every so often."""

from collections.abc import Callable
from dataclasses import dataclass

from .. import clock


@dataclass(slots=True)
class Duty:
    """``do`` returns for how many seconds it need not be called again, at most ``every_seconds``; None: for those."""

    every_seconds: float
    do: Callable[[], float | None]
    due_at: float = 0.0

    @property
    def is_due(self) -> bool:
        """Whether its time has come."""
        return clock.remaining(self.due_at) == 0

    def run(self) -> None:
        """Do it, and note when it is due again; a failure leaves it due."""
        pause = self.do()
        self.due_at = clock.deadline_in(
            self.every_seconds if pause is None else min(pause, self.every_seconds)
        )
