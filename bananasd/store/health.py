"""Whether a server can be trusted with jobs: what must be refused, and what an operator should know."""

import re
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
    if isinstance(text, ResponseError) and _is_final(text):
        return Health(
            "unknown", [], [f"cannot be examined, so see to it yourself that it keeps data: {text}"]
        )
    checked([text])
    info = dict(re.findall(r"^([a-z_0-9]+):(.*?)\r?$", text.decode("utf-8", "replace"), re.MULTILINE))
    name = "valkey" if "valkey_version" in info else "redis"
    version = info.get(f"{name}_version", "0")
    return Health(f"{name} {version}", _problems(info, name, version), _warnings(info))


def _is_final(error: ResponseError) -> bool:
    """Whether INFO is forbidden or hidden; everything else (LOADING, BUSY, NOAUTH …) may pass."""
    return isinstance(error, NoPermissionError) or "unknown command" in str(error)


def _problems(info: dict[str, str], name: str, version: str) -> list[str]:
    problems = []
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < MIN_VERSION:
        problems.append(f"{name} {version} is too old: 6.2 or newer is needed")
    if info.get("maxmemory_policy", "").startswith("allkeys-"):
        problems.append(
            f"maxmemory-policy is {info['maxmemory_policy']}: it throws jobs away when memory is short; set noeviction"
        )
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


def _warnings(info: dict[str, str]) -> list[str]:
    if info.get("aof_enabled") == "0":
        return ["appendonly is off: a restart of the server loses what came after its last snapshot"]
    return []
