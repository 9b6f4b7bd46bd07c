"""A replacement: a new child beside an old one, which leaves when the new one is up. It happens or nothing does."""

import enum

from .slots import Fleet, Slot

TRIES = 2
"""A new child that crashes so often before it is up does not get the place."""


class Replacing(enum.Enum):
    """How far it is."""

    UNDER_WAY = enum.auto()
    DONE = enum.auto()
    FAILED = enum.auto()


class Replacement:
    """Puts ``new`` on trial. ``old`` is None where the new one is in addition to all others."""

    def __init__(self, fleet: Fleet, old: Slot | None, new: Slot) -> None:
        self._fleet = fleet
        self.old = old
        self.new = new
        new.is_trial = True
        if old is not None:
            new.spawned, new.last_wait_status, new.last_cause = (
                old.spawned,
                old.last_wait_status,
                old.last_cause,
            )
        fleet.add(new, after=old)

    def step(self) -> Replacing:
        """Look how the new child does, and act on it."""
        if self.new.is_up:
            self.new.is_trial = False
            if self.old is not None:
                self._fleet.retire(self.old)
            return Replacing.DONE
        if self.new.restarts.is_final or self.new.restarts.crashes >= TRIES:
            self.abandon()
            return Replacing.FAILED
        return Replacing.UNDER_WAY

    def abandon(self) -> None:
        """Keep the old one."""
        self._fleet.retire(self.new)
