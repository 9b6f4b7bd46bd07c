"""What every measurement stands on: a server, the sides that are compared on it, and how much is done."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from . import yardstick
from .server import Server
from .submitter import Submitter
from .tree import Tree

Sample = Mapping[str, float]
"""What one side measured in one round, by name."""
Round = Mapping[str, Sample]
"""What all sides measured in it."""

COUNTED = (
    "trips",
    "enqueued",
    "enqueued_many",
    "drained",
    "waited_for",
    "worked",
    "due",
    "mixed_hundreds",
    "of_rivals",
)
YARDSTICK, TREE, AGAINST = "yardstick", "tree", "against"


@dataclass(frozen=True)
class Size:
    """How much is done, in each round if nothing else is said."""

    rounds: int = 3
    trips: int = 10_000
    enqueued: int = 4_000
    enqueued_many: int = 20_000
    drained: int = 100_000
    waited_for: int = 500
    """Jobs, to measure how soon they begin."""
    worked: int = 2_000
    """Jobs of each worker before its memory is looked at."""
    idle_seconds: float = 12
    backlogs: Sequence[int] = (10_000, 100_000, 1_000_000)
    due: int = 100_000
    mixed_hundreds: int = 20
    of_rivals: int = 8_000
    """Jobs, beside another system."""
    slept_seconds: float = 4

    def scaled(self, scale: float) -> "Size":
        """More or less of everything, but in as many rounds."""
        return Size(
            rounds=self.rounds,
            backlogs=[_at_least_one(jobs * scale) for jobs in self.backlogs],
            idle_seconds=self.idle_seconds * scale,
            slept_seconds=self.slept_seconds * scale,
            **{name: _at_least_one(getattr(self, name) * scale) for name in COUNTED},
        )


@dataclass(frozen=True, slots=True)
class Side:
    """A tree that is measured, with a process that submits jobs by its client."""

    tree: Tree
    submitter: Submitter


@dataclass(frozen=True, slots=True)
class Ground:
    """A run of the benchmark."""

    server: Server
    yardstick: yardstick.Submitter
    sides: Mapping[str, Side]
    """`TREE`, the one that is measured, and `AGAINST`, if it is compared with another."""
    size: Size

    @classmethod
    @contextmanager
    def open(cls, transport: str, trees: Mapping[str, Tree], size: Size) -> "Iterator[Ground]":
        """One with a server of its own, which ends with it."""
        with ExitStack() as stack:
            server = Server(transport)
            stack.callback(server.close)
            sides = {
                name: Side(tree, stack.enter_context(Submitter(tree, server))) for name, tree in trees.items()
            }
            yield cls(server, yardstick.Submitter(server), sides, size)

    def rounds(
        self,
        sample: "Callable[[Ground, Side], Sample] | None" = None,
        sample_yardstick: "Callable[[Ground], Sample] | None" = None,
        rounds: int = 0,
    ) -> Sequence[Round]:
        """Let yardstick and sides take their samples, in turn, several times: a slow minute then hits them all.

        Every other round goes backwards, so that none is always the first.
        """
        takes: dict[str, Callable[[], Sample]] = {}
        if sample_yardstick:
            takes[YARDSTICK] = partial(sample_yardstick, self)
        if sample:
            takes |= {name: partial(sample, self, side) for name, side in self.sides.items()}
        return [self._round(takes, number) for number in range(rounds or self.size.rounds)]

    def _round(self, takes: Mapping[str, Callable[[], Sample]], number: int) -> Round:
        found = {}
        for name in list(takes)[:: -1 if number % 2 else 1]:
            self.server.empty()
            found[name] = takes[name]()
        return found


def _at_least_one(count: float) -> int:
    return max(1, round(count))
