"""The observer: looks at a daemon and its queues again and again, whichever of them is there."""

from typing import TYPE_CHECKING, Self

from .. import clock
from ..errors import ConfigError, ConnectionFailed
from ..processes.control import nodes
from ..processes.usage import usages
from ..settings import Config
from ..store.stats import QueueStats
from .rates import Look
from .server import quick_client
from .status import pids_of

if TYPE_CHECKING:
    from ..client import Client


class Observer:
    """Of the daemon and the server of a configuration."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._client: Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()

    def look(self, most: int) -> Look:
        """What is to be seen now; memory and time of the first so many processes, for that takes time itself."""
        found = nodes(self._config.run_dir)
        at, usage = clock.monotonic(), usages(pids_of(found)[:most])
        try:
            return Look(at, found, usage, self._queue_stats(), "")
        except (ConnectionFailed, ConfigError) as error:
            return Look(at, found, usage, None, str(error))

    def _queue_stats(self) -> QueueStats:
        if self._client is None:
            self._client = quick_client(self._config)
        return self._client.queue_stats()
