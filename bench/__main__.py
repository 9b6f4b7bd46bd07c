"""``python -m bench``: measure, print a table, write JSON."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from bananasd.errors import BananasError

from . import bare, drain, enqueue, idle, latency, memory
from .errors import BenchError
from .figure import Figure
from .ground import AGAINST, TREE, Ground, Size
from .server import TRANSPORTS
from .table import table
from .tree import ROOT, Tree

MEASUREMENTS: dict[str, Callable[[Ground], list[Figure]]] = {
    "bare": bare.measure,
    "enqueue": enqueue.measure,
    "drain": drain.measure,
    "latency": latency.measure,
    "memory": memory.measure,
    "idle": idle.measure,
}
SIZE = Size(
    rounds=3,
    enqueued=10_000,
    enqueued_many=50_000,
    drained=100_000,
    waited_for=500,
    trips=10_000,
    idle_seconds=12,
)


def options() -> argparse.ArgumentParser:
    """What can be said on the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*MEASUREMENTS, []], metavar="what")
    parser.add_argument("--transport", choices=TRANSPORTS, default=TRANSPORTS[0])
    parser.add_argument("--tree", default=str(ROOT), metavar="PATH")
    parser.add_argument("--against", metavar="PATH")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Measure what the arguments say; the exit status."""
    wanted = options().parse_args(arguments)
    trees = {TREE: Tree.at(wanted.tree)} | ({AGAINST: Tree.at(wanted.against)} if wanted.against else {})
    size = replace(SIZE, rounds=wanted.rounds or SIZE.rounds)
    with Ground.open(wanted.transport, trees, size) as ground:
        figures = [figure for name in wanted.what or MEASUREMENTS for figure in MEASUREMENTS[name](ground)]
    print(table(figures))
    if wanted.json:
        wanted.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BenchError, BananasError) as error:
        sys.exit(f"bench: {error}")
