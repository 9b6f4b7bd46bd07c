"""A replacement: a new child beside an old one, which leaves when the new one is up. It happens or nothing does."""

import enum

from . import procfs
from .child import ATTENTION
from .row import Word
from .slots import Fleet, Slot

TRIES = 2
"""A new child that crashes so often before it is up does not get the place."""


class Replacing(enum.Enum):
    """How far it is."""

    UNDER_WAY = enum.auto()
    DONE = enum.auto()
    FAILED = enum.auto()


class Replacement:
    """Puts ``new`` on trial. ``old`` is None where the new one is in addition to all others.

    ``is_patient``: the new one does no work before the old one has gone, however long its job takes.
    """

    def __init__(self, fleet: Fleet, old: Slot | None, new: Slot, *, is_patient: bool = False) -> None:
        self._fleet = fleet
        self._is_patient = is_patient
        self.old = old
        self.new = new
        new.is_trial, new.is_held = True, is_patient
        if old is not None:
            old.note_claims()
            new.spawned, new.claims = old.spawned, old.claims
            new.last_wait_status, new.last_cause = old.last_wait_status, old.last_cause
        fleet.add(new, after=old)

    def step(self) -> Replacing:
        """Look how the new child does, and act on it."""
        if not self.new.is_trial:
            return self._wait_for_old()
        if self.new.is_up:
            self.new.is_trial = False
            if self.old is not None:
                self._fleet.retire(self.old)
            return Replacing.UNDER_WAY if self._is_patient else Replacing.DONE
        if self.new.restarts.is_final or self.new.restarts.crashes >= TRIES:
            self.abandon()
            return Replacing.FAILED
        return Replacing.UNDER_WAY

    def abandon(self) -> None:
        """Keep the old one, or if that has been told to leave let the new one work."""
        if self.new.is_trial:
            self._fleet.retire(self.new)
        else:
            self._let_work()

    def _wait_for_old(self) -> Replacing:
        if self.old in self._fleet.slots:
            return Replacing.UNDER_WAY
        self._let_work()
        return Replacing.DONE

    def _let_work(self) -> None:
        self.new.is_held = False
        if self.new.row is not None and self.new.is_running:
            self.new.row.words[Word.HOLD] = 0
            procfs.send(self.new.pid, ATTENTION)
