"""What a daemon with two workers costs while there is nothing to do.

It is connected over loopback TCP whatever the transport of the run, since ports tell which process has a connection.
"""

import re
import time
from collections.abc import Mapping

from . import procs
from .daemon import Daemon
from .figure import Figure, Kind
from .ground import Ground, Sample, Side
from .server import Server

WARM_UP_JOBS = 1_000
REST_SECONDS = 2
WORKERS = 2
ROLES = ("master", "scheduler", *(f"worker {number}" for number in range(WORKERS)))


def measure(ground: Ground) -> list[Figure]:
    """CPU and round trips, of all and by process."""
    rounds = ground.rounds(_sample, rounds=1)
    kinds = [Kind("trips", "idle, round trips", "trips/s", is_less_better=True),
             Kind("cpu", "idle, CPU", "% of a core", is_less_better=True)]  # fmt: skip
    for role in ROLES:
        kinds += [Kind(f"{role} commands", f"idle, commands of {role}", "1/s", is_less_better=True)]
        kinds += [Kind(f"{role} cpu", f"idle, CPU of {role}", "% of a core", is_less_better=True)]
    return [kind.figure(rounds) for kind in kinds if kind.key in rounds[0][next(iter(rounds[0]))]]


def _sample(ground: Ground, side: Side) -> Sample:
    server, seconds = ground.server, ground.size.idle_seconds
    side.submitter.order("submit_many", jobs=WARM_UP_JOBS)
    with Daemon(side.tree, server, url=server.tcp_url, workers=WORKERS) as daemon:
        daemon.wait_for_stamps(WARM_UP_JOBS)
        daemon.wait_until_idle()
        time.sleep(REST_SECONDS)
        family = procs.family(daemon.pid)
        before = _look(server, family)
        time.sleep(seconds)
        after = _look(server, family)
    return {key: (value - before[key]) / seconds for key, value in after.items() if key in before}


def _look(server: Server, family: Mapping[int, str]) -> dict[str, float]:
    """Counters so far: the server's trips without our own, percents of CPU, commands of each process."""
    cpu = {f"{name} cpu": 100 * procs.cpu_seconds(pid) for pid, name in family.items()}
    commands = _commands_by_port(server)
    by_role = {
        f"{name} commands": sum(commands[port] for port in procs.ports(pid) & commands.keys())
        for pid, name in family.items()
        if commands
    }
    return {"trips": server.trips_of_others(), "cpu": sum(cpu.values()), **cpu, **by_role}


def _commands_by_port(server: Server) -> dict[int, float]:
    """How many commands came over each connection, by the port of the other end; nothing from an old server."""
    lines = server.call("CLIENT", "LIST").decode().splitlines()
    found = (re.search(r" addr=127\.0\.0\.1:(\d+) .* tot-cmds=(\d+)", line) for line in lines)
    return {int(line[1]): float(line[2]) for line in found if line}
