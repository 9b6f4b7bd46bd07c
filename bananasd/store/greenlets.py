"""Code that waits as in a thread, run by a task of an event loop, which does its waiting."""

import sys
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

try:
    from greenlet import getcurrent, greenlet
except ImportError as error:
    raise ImportError("AsyncClient needs greenlet: pip install 'bananasd[async]'") from error

T = TypeVar("T")
P = ParamSpec("P")


async def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that waits by `wait_for`; what breaks in on the task meanwhile, it meets where it waits."""
    task = getcurrent()
    side = greenlet(function, task)
    side.gr_context = task.gr_context
    came = side.switch(*args, **kwargs)
    while not side.dead:
        try:
            value = await came
        except BaseException:  # noqa: BLE001 - the function's, a cancellation too
            came = side.throw(*sys.exc_info())
        else:
            came = side.switch(value)
    return came  # type: ignore[no-any-return]


def wait_for(awaitable: Awaitable[T]) -> T:
    """In a function that `run` has called: let the task await this."""
    task = getcurrent().parent
    return task.switch(awaitable)  # type: ignore[union-attr,no-any-return] # there it has one
