"""The life of a worker's process: load the handlers, see whether it is fit, work."""

import gc
import logging
import os
from collections.abc import Callable

from ..errors import HandlersError
from ..handlers import Registry
from ..hooks import WorkerInfo
from ..store.access import Access
from . import exits, procfs
from .hook_calls import HookCalls
from .news import News
from .row import Row
from .tallies import Tallies
from .worker import Post, Worker

logger = logging.getLogger(__name__)


def run_worker(
    row: Row, post: Post, load_handlers: Callable[[], Registry], access: Access, tallies: Tallies | None
) -> int:
    """Load the handlers and work; the life of a worker's process."""
    try:
        registry = load_handlers()
    except HandlersError as error:
        _tell_once(row, error.problems)
        return exits.CONFIG
    gc.collect()
    gc.freeze()
    if not _fits(post.max_rss_mb):
        return exits.CONFIG
    # Handlers and lanes, and what no handler is called for.
    more = len(list(registry)) + len(post.lanes) + 1
    tally = tallies.of_row(row, more) if tallies else None
    if registry.hooks is None:
        return Worker(row, post, registry, access, tally=tally).run()
    hooks = HookCalls(registry.hooks, WorkerInfo(post.node, row.slot_name, row.pool), News(row.head))
    hooks.start()
    status = Worker(row, post, registry, access, hooks, tally).run()
    hooks.stop(is_last=row.is_of_leaving_daemon)
    return status


def _tell_once(row: Row, problems: list[str]) -> None:
    # The master counts the deaths that follow.
    level = logging.ERROR if News(row.head).note("\n".join(problems)) else logging.DEBUG
    for problem in problems:
        logger.log(level, "handlers broken: %s", problem)


def _fits(max_rss_mb: int) -> bool:
    """Whether there is room for work: a worker that begins above its limit would be replaced for ever."""
    rss_mb = procfs.rss_mb(os.getpid())
    if max_rss_mb and rss_mb >= max_rss_mb:
        logger.error(
            "workers.max_rss_mb: %d: a worker that has run nothing has %.0f MB already", max_rss_mb, rss_mb
        )
        return False
    return True
