"""Recycling: workers that have run long enough, or have grown too large, are replaced before they do harm."""

from dataclasses import dataclass

from . import procfs
from .row import Row, Word
from .slots import Slot

JITTER = 0.1
"""A limit is reached up to this part of it sooner, by chance, so that workers of one age do not go together."""


@dataclass(frozen=True, slots=True)
class RecycleLimits:
    """When a worker has had its time; 0 for never. A worker never runs more than ``max_jobs`` jobs."""

    max_jobs: int = 0
    max_age_seconds: float = 0.0
    max_rss_mb: int = 0

    def reason(self, slot: Slot, row: Row, now: float) -> str:
        """Why the slot's worker is to be replaced; empty while it may go on."""
        sooner = 1 - JITTER * slot.luck
        jobs = row.words[Word.DONE] + row.words[Word.FAILED]
        if self.max_jobs and jobs >= self.max_jobs * sooner:
            return f"it has run {jobs} jobs"
        age_seconds = now - row.words[Word.SPAWNED_NS] / 1e9
        if self.max_age_seconds and age_seconds >= self.max_age_seconds * sooner:
            return f"it is {age_seconds:.0f} s old"
        rss_mb = procfs.rss_mb(slot.pid) if self.max_rss_mb else 0
        return f"it has {rss_mb:.0f} MB of memory" if rss_mb > self.max_rss_mb else ""
