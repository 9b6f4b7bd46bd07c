"""``python -m bench.rivals.kills``: what becomes of a job whose process is killed, of every system at a time; one table.

Two cases, each on a server of its own. The process that runs the job is killed, with SIGKILL. And all of the system's processes are,
and it is started again. Watched is for a minute: whether the job begins again, and whether others run.
"""

import argparse
import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..command import run
from ..errors import BenchError
from ..server import Server
from ..tree import ROOT, Tree
from .environments import environments, programs, version
from .fleet import Fleet
from .systems import BANANASD, RIVALS, System

START_SECONDS, WATCH_SECONDS = 30, 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen after a kill; seconds, None for not within the time."""

    again: float | None
    others: float | None


def main(arguments: Sequence[str]) -> int:
    """Try what the arguments name; the exit status."""
    systems = {system.name: system for system in (BANANASD, *RIVALS)}
    parser = argparse.ArgumentParser(prog="python -m bench.rivals.kills", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(systems)}")
    parser.add_argument(
        "--seconds", type=float, default=WATCH_SECONDS, help="how long is watched (%(default)g)"
    )
    wanted = parser.parse_args(arguments)
    if unknown := [name for name in wanted.names if name not in systems]:
        raise BenchError(f"there is no system {', '.join(unknown)}; there are {', '.join(systems)}")
    chosen = [systems[name] for name in wanted.names or systems]
    with environments() as directory:
        folders = {system.name: programs(system, directory) for system in chosen}
        # Each waits most of the time.
        with ThreadPoolExecutor(len(chosen)) as pool:
            print("\n".join(HEAD))
            for line in pool.map(lambda system: row(system, folders[system.name], wanted.seconds), chosen):
                print(line, flush=True)
    return 0


HEAD = (
    "| system | a job is kept by | its process is killed: it runs again | … other jobs run | all are killed, and started again |",
    "|---|---|---|---|---|",
)


def row(system: System, folder: Path, seconds: float) -> str:
    """Both cases of a system, for the table."""
    one, all_of_them = (attempt(system, folder, kill, seconds) for kill in (kill_one, kill_all))
    name = f"{system.name} {version(system, folder)}"
    return f"| {name} | {system.kept} | {told(one.again, seconds)} | {told(one.others, seconds)} | {told(all_of_them.again, seconds)} |"


def told(after: float | None, seconds: float) -> str:
    """For the table."""
    if after is None:
        return f"not within {seconds:g} s"
    return f"after {after:.2f} s" if after < 1 else f"after {after:.1f} s"


def kill_one(fleet: Fleet, pid: int) -> None:
    """The process that runs the job."""
    assert pid in fleet.pids(), pid
    os.kill(pid, signal.SIGKILL)


def kill_all(fleet: Fleet, _pid: int) -> None:
    """The whole system, which comes back."""
    fleet.kill()
    fleet.start()


def attempt(system: System, folder: Path, kill: Callable[[Fleet, int], None], seconds: float) -> Outcome:
    """Let the job begin, kill, and watch."""
    server = Server("tcp")
    try:
        with Fleet(system, folder, server.url, Tree.at(str(ROOT))) as fleet:
            fleet.start()
            fleet.submit("hold", 1)
            if not fleet.wait(lambda: len(fleet.holds_begun()) > 0, START_SECONDS):
                raise BenchError(
                    f"{system.name}: the job has not begun; the workers said:\n{fleet.log_end()}"
                )
            killed_at = time.monotonic_ns()
            kill(fleet, fleet.holds_begun()[0][1])
            fleet.submit("noop", 1)
            fleet.wait(lambda: len(fleet.holds_begun()) > 1 and fleet.count() > 0, seconds)
            return Outcome(
                _since(killed_at, [at for at, _ in fleet.holds_begun()[1:]]), _since(killed_at, _read(fleet))
            )
    finally:
        server.close()


def _read(fleet: Fleet) -> list[int]:
    return [int(line) for line in fleet.stamps.read_bytes().split()] if fleet.count() else []


def _since(killed_at: int, instants: Sequence[int]) -> float | None:
    return (instants[0] - killed_at) / 1e9 if instants else None


if __name__ == "__main__":
    run(main)
