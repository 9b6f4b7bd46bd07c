"""Places between two steps of a worker at which it is killed, by SIGKILL to itself: the first time that a job "fragile" comes by."""

import os
import signal

from _scene import FAIL_POINT

from bananasd.processes.helper import Helper
from bananasd.processes.performance import Performer
from bananasd.processes.worker import Worker
from bananasd.store.outcomes import Released
from bananasd.store.store import Store


def reach(point, run):
    """Here is a point, passed by a job in this run."""
    if point == FAIL_POINT and run == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def is_fragile(claimed):
    return b"fragile" in claimed.spec


def _before(owner, name, point, first_runs):
    """Reach the point whenever the method is called for a job in its first run."""
    method = getattr(owner, name)

    def wrapped(*args):
        if first_runs(*args):
            reach(point, 1)
        return method(*args)

    setattr(owner, name, wrapped)


def _after(owner, name, point, first_runs):
    """The same, when it returns."""
    method = getattr(owner, name)

    def wrapped(*args):
        concerns = first_runs(*args)
        result = method(*args)
        if concerns:
            reach(point, 1)
        return result

    setattr(owner, name, wrapped)


fragile_ids = set()


def _has_claimed(_worker, jobs):
    fragile = {claimed.job_id for claimed in jobs if claimed.run == 1 and is_fragile(claimed)}
    fragile_ids.update(fragile)
    return fragile


def _performs(_performer, claimed, _holder):
    return claimed.run == 1 and is_fragile(claimed)


def _settles(_store, outcomes, *_):
    return any(outcome.job_id in fragile_ids and outcome.run == 1 for outcome in outcomes)


def _releases(_helper, outcomes):
    return any(isinstance(outcome, Released) and outcome.run == 1 for outcome in outcomes)


_before(Worker, "_perform", "after its claim", _has_claimed)
_after(Performer, "perform", "after its handler", _performs)
_before(Store, "settle_and_claim", "before its settle", _settles)
_after(Store, "settle_and_claim", "after its settle", _settles)
_before(Helper, "_settle", "before the helper releases", _releases)
_after(Helper, "_settle", "after the helper has released", _releases)
