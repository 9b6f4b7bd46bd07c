"""A plan: what one configuration makes of a daemon, as far as its master has to know."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .recycling import RecycleLimits
from .row import Kind
from .slots import Slot


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what children do.

    ``scheduler_stall_seconds``: how long the scheduler may show no sign of life. ``claim_stall_seconds``: how long a worker may
    be claiming, a wait for work included.
    """

    drain_seconds: float
    grace_seconds: float
    scheduler_stall_seconds: float
    claim_stall_seconds: float
    recycling: RecycleLimits = field(default_factory=RecycleLimits)

    def stall_seconds(self, kind: Kind) -> float:
        """How old the sign of life of such a child may be, while it does what one is due of."""
        return self.claim_stall_seconds if kind is Kind.WORKER else self.scheduler_stall_seconds


@dataclass(frozen=True, slots=True)
class Plan:
    """``pools``: how many workers each has, the pool without a name first. ``make_slot`` takes kind, number and pool.

    ``apply`` makes the master itself follow it, ``renew`` reads the configuration again.

    ``renew`` raises `ConfigError`, also for what cannot change without a restart. ``check_command`` is the program that
    tries the handlers in a process of its own, for ``check_seconds`` at most, 0 for as long as it takes. A change of
    what is ``watched`` is as good as a HUP. ``has_http``: whether there is to be a dashboard.
    """

    pools: Mapping[str, int]
    make_slot: Callable[[Kind, int, str], Slot]
    limits: Limits
    apply: Callable[[], None]
    renew: Callable[[], "Plan"]
    check_command: Sequence[str] = ()
    check_seconds: float = 0.0
    watched: Sequence[Path] = ()
    has_http: bool = False

    @property
    def workers(self) -> int:
        """How many there are in all pools together."""
        return sum(self.pools.values())
