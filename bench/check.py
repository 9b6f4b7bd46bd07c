"""``python -m bench.check``: whether bananasd has become slower, told by ratios, which a slow machine does not change much.

A few ratios to the yardstick are measured in 20 s and compared with those of ``recorded.toml``. One that is under 70 % of
its record twice in a row fails the check. ``--record`` measures them several times and writes the file anew.
"""

import argparse
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from . import drain, enqueue, latency
from .command import run
from .errors import BenchError
from .figure import Figure
from .ground import TREE, Ground, Size
from .server import TRANSPORTS
from .tree import ROOT, Tree

RECORD = Path(__file__).parent / "recorded.toml"
SHARE = 0.7
"""Of a recorded ratio: what falls under it is no noise."""
RECORDINGS = 3
SIZE = Size(rounds=3, trips=2_000, enqueued=1_000, enqueued_many=4_000, drained=30_000, waited_for=40)
HEAD = """\
# Shares of the yardstick that bananasd reached, 1 being as good: medians of {count} runs, written by `make bench-record`.
"""
PARTS = (enqueue, drain, latency)
# Latency beside the yardstick's, not beside a bare trip: how long a sleeper takes to wake differs from minute to minute
# by more than a trip does.
CHECKED = (
    "enqueue, one a call / yardstick, one a trip",
    "enqueue, submit_many / yardstick, pipelined",
    "drain / yardstick, 32 a claim",
    "idle latency, p50 / yardstick, 1 a claim",
)

Ratios = Mapping[str, float]


def measure(tree: Tree) -> Ratios:
    """The ratios that are checked, as they are now."""
    with Ground.open(TRANSPORTS[0], {TREE: tree}, SIZE) as ground:
        found = [figure for part in PARTS for figure in part.measure(ground)]
    ratios = {_label(figure): figure.ratio for figure in found}
    return {label: ratio for label in CHECKED if (ratio := ratios[label]) is not None}


def misses(recorded: Ratios, measured: Ratios) -> list[str]:
    """Those that are under their share of what was recorded."""
    return [label for label in CHECKED if measured[label] < SHARE * recorded[label]]


def check(recorded: Ratios, take: Callable[[], Ratios], say: Callable[[str], None]) -> list[str]:
    """What misses twice: the second time may show that the first was bad luck."""
    measured = take()
    say(report(recorded, measured))
    if not (first := misses(recorded, measured)):
        return []
    say("once more, for that may have been bad luck")
    measured = take()
    say(report(recorded, measured))
    return [label for label in misses(recorded, measured) if label in first]


def report(recorded: Ratios, measured: Ratios) -> str:
    """A line for each."""
    return "\n".join(
        f"  {label:45} {measured[label]:.3f}, recorded {recorded[label]:.3f}, "
        f"least {SHARE * recorded[label]:.3f}{'  MISSED' * (label in misses(recorded, measured))}"
        for label in CHECKED
    )


def read(path: Path) -> Ratios:
    """The recorded ratios. Raises `BenchError` if the file has not just what is checked."""
    try:
        ratios = tomllib.loads(path.read_text())["ratios"]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise BenchError(f"{path} has no ratios ({error}): make bench-record") from None
    if set(ratios) != set(CHECKED) or not all(isinstance(ratio, float) for ratio in ratios.values()):
        raise BenchError(f"{path} has not a number for each ratio that is checked: make bench-record")
    return dict(ratios)


def write(path: Path, runs: Sequence[Ratios]) -> None:
    """The medians of several runs."""
    lines = [f'"{label}" = {median(run[label] for run in runs):.4f}' for label in CHECKED]
    path.write_text("\n".join([HEAD.format(count=len(runs)) + "[ratios]", *lines]) + "\n")


def main(arguments: Sequence[str]) -> int:
    """Check or record; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.check", description=__doc__)
    parser.add_argument("--record", action="store_true", help="write what is reached now")
    parser.add_argument(
        "--tree", default=str(ROOT), metavar="PATH", help="measure the bananasd of this checkout"
    )
    wanted = parser.parse_args(arguments)
    tree = Tree.at(wanted.tree)
    if wanted.record:
        write(RECORD, [measure(tree) for _ in range(RECORDINGS)])
        print(RECORD.read_text(), end="")
        return 0
    missed = check(read(RECORD), lambda: measure(tree), print)
    if missed:
        print(f"bench: slower than recorded, twice: {'; '.join(missed)}; if that is meant: make bench-record", file=sys.stderr)  # fmt: skip
    return 1 if missed else 0


def _label(figure: Figure) -> str:
    return f"{figure.name} / {figure.yardstick}"


if __name__ == "__main__":
    run(main)
