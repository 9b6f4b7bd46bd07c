"""A daemon that faults are made in, as the dice know it."""

from dataclasses import dataclass, field

from bananasd.processes import procfs
from tests.daemon import Daemon


@dataclass
class Patient:
    """``cut_off``: from when to when it could not tell the server that it lives.

    ``ends_by``: when it must be gone, if it was told to end. ``starts_at``: when it starts again, if it is not there.
    """

    name: str
    daemon: Daemon
    is_proxied: bool
    cut_off: list[tuple[float, float]] = field(default_factory=list)
    ends_by: float | None = None
    starts_at: float | None = None

    @property
    def runs(self) -> bool:
        """Whether it is there, and nobody has told it to end."""
        return self.ends_by is None and self.starts_at is None

    @property
    def listens(self) -> bool:
        """Whether its master has begun to supervise: before, signals end it as they end any program."""
        return bool(self.pids()) and not procfs.is_stopped(self.daemon.pid)

    def pids(self, kind: str = "") -> list[int]:
        return [child.pid for child in self.daemon.children(kind) if child.pid]
