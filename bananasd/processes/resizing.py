"""A worker more or fewer in a daemon that runs, as TTIN and TTOU ask for it."""

import logging

from .plan import Plan
from .recycler import Recycler
from .row import Kind
from .slots import Fleet

DEFAULT_POOL = ""
"""That of ``[workers]``; the others keep their size."""

logger = logging.getLogger(__name__)


def grow(fleet: Fleet, plan: Plan, *, is_settled: bool) -> None:
    """Add one, unless the daemon drains or reloads, or has no room for another."""
    if _may_resize(is_settled and fleet.has_room):
        fleet.add(plan.make_slot(Kind.WORKER, fleet.free_number(), DEFAULT_POOL))
        logger.info("worker added workers=%d", len(fleet.of(Kind.WORKER)))


def shrink(fleet: Fleet, recycler: Recycler, *, is_settled: bool) -> None:
    """Retire one, unless the daemon drains or reloads, or it is the last."""
    workers = fleet.workers_of(DEFAULT_POOL)
    if _may_resize(is_settled and len(workers) > 1):
        recycler.abandon()
        # One that has none anyway, if there is one; never the last that works.
        fleet.retire(max(workers, key=lambda slot: (slot.restarts.is_fatal, slot.number)))
        logger.info("worker removed workers=%d", len(fleet.of(Kind.WORKER)))


def _may_resize(may: bool) -> bool:
    if not may:
        logger.warning("number of workers kept: the daemon drains or reloads, or cannot have more or less")
    return may
