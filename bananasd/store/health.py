"""Whether a server can be trusted with jobs: what must be refused, and what an operator should know."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from redis.exceptions import NoPermissionError, ResponseError

from .calls import checked
from .connection import Transport

MIN_VERSION = (6, 2)


class Health(NamedTuple):
    """``problems`` make the server unusable; ``warnings`` are worth a line in the log."""

    version: str
    problems: list[str]
    warnings: list[str]


def examine(transport: Transport) -> Health:
    """Ask the server about itself. Raises `ConnectionFailed` if it does not answer, or not yet."""
    (text,) = transport.trip([("INFO",)])
    if isinstance(text, ResponseError) and is_final(text):
        return Health(
            "unknown", [], [f"cannot be examined, so see to it yourself that it keeps data: {text}"]
        )
    checked([text])
    info = read_info(text)
    return Health(" ".join(version_of(info)), [*misfits(info), *evictions(info)], _warnings(info))


def read_info(text: bytes) -> dict[str, str]:
    """What INFO tells, by name."""
    return dict(re.findall(r"^([a-z_0-9]+):(.*?)\r?$", text.decode("utf-8", "replace"), re.MULTILINE))


def version_of(info: Mapping[str, str]) -> tuple[str, str]:
    """The name of the program, and its version."""
    name = "valkey" if "valkey_version" in info else "redis"
    return name, info.get(f"{name}_version", "0")


def is_final(error: ResponseError) -> bool:
    """Whether INFO is forbidden or hidden; everything else (LOADING, BUSY, NOAUTH …) may pass."""
    return isinstance(error, NoPermissionError) or "unknown command" in str(error)


def misfits(info: Mapping[str, str]) -> list[str]:
    """Why it is no server for jobs at all."""
    problems, (name, version) = [], version_of(info)
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < MIN_VERSION:
        problems.append(f"{name} {version} is too old: 6.2 or newer is needed")
    # Valkey's word, and Redis's.
    mode = info.get("server_mode") or info.get("redis_mode")
    if mode == "cluster" or info.get("cluster_enabled") == "1":
        problems.append("it is a cluster, which is not supported yet; use a single server")
    if mode == "sentinel":
        problems.append(
            "this is a Sentinel, which keeps no jobs: use redis+sentinel://HOST:PORT/SERVICE, "
            "or redis.sentinels and redis.service"
        )
    return problems


def evictions(info: Mapping[str, str]) -> list[str]:
    """Whether it may throw jobs away."""
    policy = info.get("maxmemory_policy", "")
    if not policy.startswith("allkeys-"):
        return []
    return [f"maxmemory-policy is {policy}: it throws jobs away when memory is short; set noeviction"]


def _warnings(info: Mapping[str, str]) -> list[str]:
    if info.get("aof_enabled") == "0":
        return ["appendonly is off: a restart of the server loses what came after its last snapshot"]
    return []
