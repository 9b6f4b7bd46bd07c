"""How many jobs to claim at once: as many as fit into a few milliseconds, so that none waits long behind another."""

from dataclasses import dataclass

BATCH_SECONDS = 0.010
MAX_BATCH = 64
WEIGHT = 0.3
"""How much the latest batch says about the next one."""


@dataclass(slots=True)
class BatchSize:
    """Follows the mean run time of recent jobs. Begins with one, as long as nothing is known."""

    mean_seconds: float = BATCH_SECONDS

    @property
    def jobs(self) -> int:
        """How many to claim."""
        return max(1, min(MAX_BATCH, int(BATCH_SECONDS / max(self.mean_seconds, 1e-9))))

    def note(self, jobs: int, seconds: float) -> None:
        """A batch of so many jobs took so long."""
        self.mean_seconds += WEIGHT * (seconds / jobs - self.mean_seconds)
