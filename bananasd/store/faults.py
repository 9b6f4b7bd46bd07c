"""What can be out of order in a namespace, in words: what it is, and what mends it."""

from typing import NamedTuple


class Fault(NamedTuple):
    """``what`` is wrong; ``remedy``: what a repair does about it."""

    what: str
    remedy: str


DEAD = "to the dead letters, with that reason"
OUT = "taken out of there; it stays where its status says"

FAULTS = {
    # Jobs
    "no_record": Fault("an id without a record", DEAD),
    "no_dead_record": Fault("an id among the dead letters without a record", "forgotten"),
    "no_hash": Fault("a record that is no hash", DEAD),
    "no_status": Fault("a record without a status", DEAD),
    "bad_status": Fault("a record whose status is none", DEAD),
    "no_lane": Fault("a job that waits, without a lane", DEAD),
    "bad_lane": Fault("a job that waits, for a lane that cannot be", DEAD),
    "no_spec": Fault("a job that waits, without a spec", DEAD),
    "bad_spec": Fault("a job that waits and cannot be run", DEAD),
    "bad_run": Fault("a run that is no number", DEAD),
    "bad_counter": Fault("a counter or a time of a record that is no number", "removed; it counts anew"),
    "elsewhere": Fault("a job in a place where it must not be", OUT),
    "twice": Fault("a job twice in one list", "kept once, at the first place"),
    "bad_moved": Fault(
        "a number of ids that a moved job has left behind in lanes, which is not so", "counted anew"
    ),
    "in_no_lane": Fault("a pending job that is in no lane", "to the end of its lane"),
    "not_held": Fault("a processing job that its holder does not hold", "to the front of its lane"),
    "not_scheduled": Fault("a scheduled job that would never be due", "scheduled again"),
    "not_dead": Fault("a failed job that is not among the dead letters", "put there"),
    "expires": Fault("a job that has not ended, or is dead, but would vanish", "kept"),
    "kept": Fault("an ended job that would never vanish", "kept for the usual time from now on"),
    # Holders
    "not_admitted": Fault("a holder that holds jobs but is not admitted", "to the front of their lanes"),
    "stale_holder": Fault("a holder whose node has gone", "recovered: its jobs to the front of their lanes"),
    # Other keys
    "unknown_key": Fault("a key that bananasd does not know", "set aside under aside:"),
    "wrong_type": Fault("a key of a type that it must not have", "set aside under aside:"),
    "key_expires": Fault("a key that would vanish", "kept"),
    "key_stays": Fault("a result or a mailbox that would never vanish", "kept for an hour from now on"),
    "stale_unique": Fault("a unique key that no living job has", "freed"),
    "unlisted_queue": Fault("a lane of a queue that is not among the queues", "its queue is added"),
    "bad_count": Fault("a counter that is no number", "removed; it counts anew"),
}
"""By the names that the scripts give them. docs/operations.md has the same table."""


class Finding(NamedTuple):
    """A fault that was there a moment ago: the name of it, whose (a job's id, a holder, a key), and what more is known."""

    fault: str
    subject: str
    detail: str
    is_mended: bool
