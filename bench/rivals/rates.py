"""How fast a rival submits and runs no-ops, and bananasd in turn with it: the same file writes, the same server, over TCP."""

from collections.abc import Callable
from functools import partial

from .. import stamps
from ..errors import BenchError
from ..figure import Figure, Kind
from ..ground import TREE, Ground, Sample
from ..tree import Tree
from .environments import environments, programs, version
from .fleet import Fleet
from .systems import BANANASD, RIVALS, System

START_SECONDS, DRAIN_SECONDS = 20, 8
"""How long the first job may take to come, and how long is watched from then on, though more jobs wait."""


def measure(ground: Ground, systems: tuple[System, ...] = RIVALS) -> list[Figure]:
    """Enqueue and drain, beside each of these."""
    if ground.server.transport != "tcp":
        raise BenchError("the rivals are measured over TCP: say --transport tcp")
    return [figure for system in systems for figure in _beside(ground, system)]


def measurements() -> dict[str, Callable[[Ground], list[Figure]]]:
    """One for each rival, and one for all."""
    each = {system.name: partial(measure, systems=(system,)) for system in RIVALS}
    return {"rivals": measure, **each}


def _beside(ground: Ground, system: System) -> list[Figure]:
    with environments() as directory:
        folder = programs(system, directory)
        name = f"{system.name} {version(system, folder)}"
        rounds = ground.rounds(
            lambda ground, side: _sample(Fleet(BANANASD, programs(BANANASD, directory), ground.server.url, side.tree), ground),
            lambda ground: _sample(Fleet(system, folder, ground.server.url, _tree(ground)), ground),
        )  # fmt: skip
    kinds = (
        Kind("enqueue", "enqueue, one a call", "jobs/s", name),
        Kind("drain", "drain, two processes", "jobs/s", name),
    )
    return [kind.figure(rounds) for kind in kinds]


def _sample(fleet: Fleet, ground: Ground) -> Sample:
    jobs = ground.size.of_rivals
    with fleet:
        enqueue = jobs / fleet.submit("noop", jobs)
        fleet.start()
        if not fleet.wait(lambda: fleet.count() > 0, START_SECONDS):
            raise BenchError(f"no job ran within {START_SECONDS} s; the workers said:\n{fleet.log_end()}")
        fleet.wait(lambda: fleet.count() >= jobs, DRAIN_SECONDS)
        drain = stamps.rate(stamps.read(fleet.stamps))
    return {"enqueue": enqueue, "drain": drain}


def _tree(ground: Ground) -> Tree:
    return ground.sides[TREE].tree
