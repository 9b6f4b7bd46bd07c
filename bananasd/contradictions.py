"""Settings that are fine one by one but not together: contradictions, which are refused, and risks, which are told."""

from collections.abc import Iterator, Mapping
from typing import Any

from .schema import shown
from .settings import EMBEDDED, Config

SERVICE = ("redis.sentinels", "redis.service")
"""What says where the server is in the place of ``redis.url``."""

RETURN_SECONDS = 2.0
"""What a scheduler may take from a failed try to the next one that succeeds: a pause, and a trip."""


def contradictions(config: Config, given: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The names of such settings, and what to do about them."""
    lease, beat = config.scheduler.lease_seconds, config.scheduler.beat_seconds
    if round(lease / beat, 6) < 3:
        yield (
            ("scheduler.lease_seconds", "scheduler.beat_seconds"),
            f"{lease:g}: must be at least 3 times beat_seconds ({beat:g}), or one late beat loses the lease",
        )
    grace, drain = config.workers.grace_seconds, config.master.drain_seconds
    if grace >= drain:
        yield (
            ("workers.grace_seconds", "master.drain_seconds"),
            f"{grace:g}: must be below master.drain_seconds ({drain:g}), which ends every job",
        )
    base, cap = config.retry.base_seconds, config.retry.cap_seconds
    if cap < base:
        yield (
            ("retry.cap_seconds", "retry.base_seconds"),
            f"{cap:g}: must not be below base_seconds ({base:g}), the first delay",
        )
    if config.run_dir == config.state_dir:
        yield (
            ("state_dir", "run_dir"),
            f"{shown(str(config.state_dir))}: must not be run_dir, which holds what does not outlive the daemon",
        )
    yield from _of_pools(config)
    yield from _of_redis(config, given)
    yield from _of_http(config, given)


def risks(config: Config) -> Iterator[str]:
    """What works, and yet asks for trouble: each with its place, and what it may cost."""
    at = f"{config.path}: " if config.path else ""
    lease, beat, timeout = (
        config.scheduler.lease_seconds,
        config.scheduler.beat_seconds,
        config.redis.timeout_seconds,
    )
    wanted = beat + timeout + RETURN_SECONDS
    if round(lease - wanted, 6) < 0:
        yield (
            f"{at}scheduler.lease_seconds: {lease:g}: is less than beat_seconds + redis.timeout_seconds + "
            f"{RETURN_SECONDS:g} ({wanted:g}): a connection that hangs for its timeout can cost a node that works "
            "its lease, and its jobs run elsewhere once more"
        )


def _of_pools(config: Config) -> Iterator[tuple[tuple[str, ...], str]]:
    """The same for ``[workers]`` and ``[[pools]]``."""
    places = ["workers", *(f"pools[{number}]" for number in range(1, len(config.pools) + 1))]
    owners: dict[str, str] = {}
    for place, pool in zip(places, config.all_pools, strict=True):
        if len(set(pool.queues)) < len(pool.queues):
            yield (f"{place}.queues",), f"{shown(pool.queues)}: must not name a queue twice"
        if len(set(pool.priorities)) < len(pool.priorities):
            yield (f"{place}.priorities",), f"{shown(pool.priorities)}: must not name a priority twice"
        owner = owners.setdefault(pool.name, place)
        if owner != place:
            yield (
                (f"{place}.name", f"{owner}.name"),
                f"{shown(pool.name)}: is the name of {owner} already; give each pool a name of its own",
            )


def _of_redis(config: Config, given: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The same for the server. What the environment puts in the place of the file's is no contradiction to it."""
    has_url = given.get("redis.url", EMBEDDED) != EMBEDDED
    sentinels, service = given.get("redis.sentinels"), given.get("redis.service")
    if has_url and sentinels:
        yield (
            ("redis.sentinels", "redis.url"),
            "redis.url says where the server is, too; leave one of them out",
        )
    if sentinels and not service:
        yield (
            ("redis.service", *SERVICE),
            "the Sentinels know servers by name; set it to the name of the one that is wanted",
        )
    if service and not sentinels:
        yield (
            ("redis.service", *SERVICE),
            "it is the name of a server to Sentinels; set redis.sentinels, or leave this out",
        )
    if config.redis.is_embedded and not (has_url or sentinels) and given.get("redis.password_file"):
        yield (
            ("redis.password_file", "redis.url"),
            "the embedded server has no password; set redis.url, or leave this out",
        )
    yield from _of_tls(config, given)
    asks_sentinels = config.redis.asks_sentinels or sentinels or "+sentinel://" in str(given.get("redis.url"))
    if given.get("redis.sentinel_password_file") and not asks_sentinels:
        yield (
            ("redis.sentinel_password_file", "redis.sentinels", "redis.url"),
            "no Sentinel is asked; set redis.sentinels, or leave this out",
        )


def _of_tls(config: Config, given: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The same for its files, as far as they are given in the file."""
    names = [
        name for name in ("redis.tls_ca_file", "redis.tls_cert_file", "redis.tls_key_file") if given.get(name)
    ]
    # Named Sentinels and their servers are asked by TLS if there are such files; a URL says it itself.
    is_tls = given.get("redis.sentinels") or str(given.get("redis.url")).startswith("rediss")
    if names and not (is_tls or config.redis.url.startswith("rediss")):
        yield (
            (names[0], "redis.url", "redis.sentinels"),
            "no server is asked by TLS; let redis.url begin with rediss://, or leave this out",
        )
    if "redis.tls_key_file" in names and "redis.tls_cert_file" not in names:
        yield (
            ("redis.tls_key_file", "redis.tls_cert_file"),
            "it is the key of no certificate; set redis.tls_cert_file, or leave this out",
        )


def _of_http(config: Config, given: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The same for the dashboard."""
    if given.get("http.token_file") and not config.http.listen:
        yield (
            ("http.token_file", "http.listen"),
            "nothing listens for which a token could be asked; set http.listen, or leave this out",
        )
