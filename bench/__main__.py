"""``python -m bench``: measure, print one table, write JSON."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from . import backlog, bare, drain, due, enqueue, idle, latency, memory, mixed, sleepers
from .command import run
from .errors import BenchError
from .figure import Figure
from .ground import AGAINST, TREE, Ground, Size
from .rivals import rates
from .server import TRANSPORTS
from .table import table
from .tree import ROOT, Tree

Measurement = Callable[[Ground], list[Figure]]
CORE: dict[str, Measurement] = {
    "bare": bare.measure,
    "enqueue": enqueue.measure,
    "drain": drain.measure,
    "latency": latency.measure,
    "memory": memory.measure,
    "idle": idle.measure,
}
FULL: dict[str, Measurement] = {
    **CORE,
    "backlog": backlog.measure,
    "due": due.measure,
    "mixed": mixed.measure,
    "sleepers": sleepers.measure,
}
NAMED: dict[str, Measurement] = {**FULL, **rates.measurements()}
EPILOG = "Without names: the first six, in three minutes. --full: the first ten. docs/benchmarks.md says what each figure means."


def options() -> argparse.ArgumentParser:
    """What can be said on the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, epilog=EPILOG)
    say = parser.add_argument
    say("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(NAMED)}")
    say("--full", action="store_true", help="measure everything")
    say(
        "--transport",
        choices=TRANSPORTS,
        default=TRANSPORTS[0],
        help="how all reach the server (%(default)s)",
    )
    say("--tree", default=str(ROOT), metavar="PATH", help="measure the bananasd of this checkout")
    say("--against", metavar="PATH", help="and, in turn with it, that of this one")
    say("--rounds", type=int, default=Size.rounds, metavar="N", help="how often in turn (%(default)s)")
    say(
        "--scale", type=float, default=1.0, metavar="X", help="do so many times as much: 0.1 for a quick look"
    )
    say("--json", type=Path, metavar="FILE", help="write the figures there, too")
    return parser


def chosen(names: Sequence[str], is_full: bool) -> dict[str, Measurement]:
    """The measurements of these names, or the usual ones. Raises `BenchError` for a name that is none."""
    if unknown := [name for name in names if name not in NAMED]:
        raise BenchError(f"there is no measurement {', '.join(unknown)}; there are {', '.join(NAMED)}")
    if names:
        return {name: NAMED[name] for name in names}
    return FULL if is_full else CORE


def main(arguments: Sequence[str]) -> int:
    """Measure what the arguments say; the exit status."""
    wanted = options().parse_args(arguments)
    if wanted.rounds < 1 or wanted.scale <= 0:
        raise BenchError(
            f"--rounds {wanted.rounds} --scale {wanted.scale}: want at least 1 round, and more than nothing"
        )
    measurements = chosen(wanted.names, wanted.full)
    trees = {TREE: Tree.at(wanted.tree)} | ({AGAINST: Tree.at(wanted.against)} if wanted.against else {})
    size = Size(rounds=wanted.rounds).scaled(wanted.scale)
    with Ground.open(wanted.transport, trees, size) as ground:
        machine = describe(ground)
        figures = list(_measured(ground, measurements))
    print(f"{machine}\n\n{table(figures)}")
    if wanted.json:
        wanted.json.write_text(as_json(machine, figures))
    return 0


def describe(ground: Ground) -> str:
    """What it was measured on, in a line."""
    info = ground.server.info("server")
    server = info.get("server_name", "redis")
    version = info.get(f"{server}_version", info["redis_version"])
    cores = len(os.sched_getaffinity(0))
    return (
        f"{cores} cores, Python {platform.python_version()}, {server} {version} over {ground.server.transport}, "
        f"{ground.size.rounds} rounds"
    )


def as_json(machine: str, figures: Sequence[Figure]) -> str:
    """The same for programs."""
    return (
        json.dumps({"machine": machine, "figures": [asdict(figure) for figure in figures]}, indent=2) + "\n"
    )


def _measured(ground: Ground, measurements: dict[str, Measurement]) -> Iterator[Figure]:
    for name, measure in measurements.items():
        print(f"measuring: {name}", file=sys.stderr)
        yield from measure(ground)


if __name__ == "__main__":
    run(main)
