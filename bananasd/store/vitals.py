"""How the server is: what the doctor says of it, from what it tells of itself and from how fast it answers."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from redis.exceptions import ResponseError

from .. import clock
from ..remark import Level, Remark
from .calls import checked, text
from .connection import Transport
from .health import evictions, is_final, misfits, read_info, version_of

TRIPS = 9
SLOW_TRIP_MS = 10.0
SKEW_MS = 1000.0
FULL, NEARLY_FULL = 1.0, 0.9
HOST_NEARLY_FULL = 0.8
"""Of the memory of its host: what is written while the server saves takes room as well."""


class Trip(NamedTuple):
    """One way there and back: the host's clock before and after, and the server's between, in ms."""

    sent_ms: float
    served_ms: float
    took_ms: float


def server_remarks(transport: Transport, address: str) -> list[Remark]:
    """What there is to say of the server at this address. Raises `ConnectionFailed` if it does not answer."""
    (told,) = transport.trip([("INFO",)])
    if isinstance(told, ResponseError) and is_final(told):
        what = f"it does not tell of itself: {told}"
        remedy = "see to it yourself that it keeps its data and evicts nothing"
        return [Remark(Level.WARNING, "server", what, address, remedy), *_measured(transport, address)]
    info = read_info(checked([told])[0])
    return [
        fitness(info, address),
        persistence(info, _setting(transport, "save"), address),
        memory(info, address),
        *_measured(transport, address),
    ]


def _setting(transport: Transport, name: str) -> str | None:
    """None if it does not tell: many that are rented do not."""
    (reply,) = transport.trip([("CONFIG", "GET", name)])
    return text(reply[1]) if isinstance(reply, list) and len(reply) == 2 else None


def _measured(transport: Transport, address: str) -> list[Remark]:
    trips = [_trip(transport) for _ in range(TRIPS)]
    return [skew(trips, address), round_trip(trips, address)]


def _trip(transport: Transport) -> Trip:
    sent_ms, began = clock.now_ms(), clock.monotonic()
    seconds, micros = checked(transport.trip([("TIME",)]))[0]
    return Trip(sent_ms, int(seconds) * 1000 + int(micros) / 1000, (clock.monotonic() - began) * 1000)


# What is made of it


def fitness(info: Mapping[str, str], address: str) -> Remark:
    """Its version, and whether it is a server for jobs at all."""
    version = " ".join(version_of(info))
    if problems := misfits(info):
        return Remark(
            Level.ERROR,
            "server",
            "; ".join(problems),
            address,
            "use a single server, Redis 6.2 or newer, or Valkey",
        )
    return Remark(Level.OK, "server", version, address)


def persistence(info: Mapping[str, str], save: str | None, address: str) -> Remark:
    """What a restart of the server would cost. ``save`` is when it takes snapshots; None: it does not tell."""
    log = "see its log, and whether its disk is full; until then submits are refused, or in memory alone"
    if info.get("aof_enabled") == "1" and info.get("aof_last_write_status", "ok") != "ok":
        return Remark(
            Level.ERROR, "persistence", "its last write to the append-only file failed", address, log
        )
    if save != "" and info.get("rdb_last_bgsave_status", "ok") != "ok":
        return Remark(Level.ERROR, "persistence", "its last snapshot failed", address, log)
    if info.get("aof_enabled") == "1":
        return Remark(Level.OK, "persistence", "appendonly is on, the last write went well", address)
    if save == "":
        what = "it keeps nothing: appendonly is off, and it takes no snapshots, so a restart loses all jobs"
    else:
        what = "appendonly is off: a restart loses what came after the last snapshot"
    return Remark(Level.WARNING, "persistence", what, address, "set appendonly yes")


def memory(info: Mapping[str, str], address: str) -> Remark:
    """How full it is, and what it does when it is full."""
    used, most, host = (
        int(info.get(name, "0")) for name in ("used_memory", "maxmemory", "total_system_memory")
    )
    policy = info.get("maxmemory_policy", "noeviction")
    if problems := evictions(info):
        return Remark(Level.ERROR, "memory", problems[0], address, "set maxmemory-policy noeviction")
    if most and used >= FULL * most:
        what = f"it is full, {_mb(used)} of maxmemory {_mb(most)}: submits are refused"
        return Remark(Level.ERROR, "memory", what, address, _MORE_MEMORY)
    if most and policy.startswith("volatile-"):
        what = f"maxmemory-policy is {policy}: when memory is short results and records of ended jobs go before their time"
        return Remark(Level.WARNING, "memory", what, address, "set maxmemory-policy noeviction")
    if most and used >= NEARLY_FULL * most:
        what = f"it is nearly full, {_mb(used)} of maxmemory {_mb(most)}: then submits are refused"
        return Remark(Level.WARNING, "memory", what, address, _MORE_MEMORY)
    if not most and host and used >= HOST_NEARLY_FULL * host:
        what = f"it uses {_mb(used)} of its host's {_mb(host)} and has no maxmemory: the kernel may kill it"
        return Remark(Level.WARNING, "memory", what, address, _MORE_MEMORY)
    bound = f"of maxmemory {_mb(most)}" if most else "and no maxmemory"
    return Remark(Level.OK, "memory", f"{_mb(used)} used {bound}; {policy}", address)


_MORE_MEMORY = "give it more memory, or keep less: retention.completed_seconds, result_seconds, dead_count"


def skew(trips: Sequence[Trip], address: str) -> Remark:
    """How far this host's clock is from the server's, by the fastest trip: it leaves the least room."""
    best = min(trips, key=lambda trip: trip.took_ms)
    ahead_ms = best.sent_ms + best.took_ms / 2 - best.served_ms
    side = "ahead of" if ahead_ms > 0 else "behind"
    which = f"this host's clock is {_time(abs(ahead_ms))} {side} the server's"
    if abs(ahead_ms) - best.took_ms / 2 < SKEW_MS:
        return Remark(Level.OK, "clock", which, address)
    cost = "jobs for an instant run so much too late or too early, and created_at is wrong"
    return Remark(Level.WARNING, "clock", f"{which}: {cost}", address, "let both hosts keep time by NTP")


def round_trip(trips: Sequence[Trip], address: str) -> Remark:
    """The median of some."""
    took_ms = median(trip.took_ms for trip in trips)
    what = f"{took_ms:.3g} ms there and back, the median of {len(trips)}"
    if took_ms < SLOW_TRIP_MS:
        return Remark(Level.OK, "round trip", what, address)
    cost = f"a worker that runs jobs one by one starts {1000 / took_ms:,.0f} a second at most"
    return Remark(
        Level.WARNING, "round trip", f"{what}: {cost}", address, "bring daemon and server nearer together"
    )


def _time(ms: float) -> str:
    return f"{ms:.1f} ms" if ms < SKEW_MS else f"{ms / 1000:,.1f} s"


def _mb(size: int) -> str:
    return f"{size / 1024 / 1024:,.1f} MB"
