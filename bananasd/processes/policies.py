"""What a worker tells the others of its handlers, so that they know it of jobs for which they have no handler."""

from collections.abc import Iterable

import orjson

from ..handlers import HandlerSpec
from ..record import policy_of
from ..retry import OPEN, RetryPolicy


def policies_of(specs: Iterable[HandlerSpec]) -> dict[str, bytes]:
    """By name, what each handler declares, as JSON."""
    return {
        spec.name: orjson.dumps(
            {
                "max_retries": spec.max_retries,
                "timeout_seconds": spec.timeout_seconds,
                "retry": spec.policy.pauses and spec.policy.pauses.to_wire(),
                "on_lost": spec.on_lost,
            }
        )
        for spec in specs
    }


def read_policy(declared: bytes | None) -> RetryPolicy:
    """What one of them says of retries, if anything that can be read."""
    try:
        policy = orjson.loads(declared or b"{}")
    except orjson.JSONDecodeError:
        return OPEN
    return policy_of(policy) if isinstance(policy, dict) else OPEN
