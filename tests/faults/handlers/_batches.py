"""Batches of a fixed size, which nothing but a job that holds on cuts short, however long the machine takes for the others."""

import contextlib
import math

from _scene import HAS_FIXED_BATCHES

from bananasd.processes import helper, worker
from bananasd.processes.batch import BATCH_SECONDS, MAX_BATCH


class FixedBatch:
    """In place of one that follows how long jobs take."""

    jobs = MAX_BATCH

    def note(self, _jobs, _seconds):
        pass


if HAS_FIXED_BATCHES:
    worker.BatchSize = FixedBatch
    helper.BATCH_SECONDS = math.inf


@contextlib.contextmanager
def long_job():
    """As long as it runs the helper looks how long that is."""
    usual, helper.BATCH_SECONDS = helper.BATCH_SECONDS, BATCH_SECONDS
    try:
        yield
    finally:
        helper.BATCH_SECONDS = usual
