"""Which handler runs the jobs of a name: one of those that were given, else of those that this process has declared."""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..declaration import DECLARED, Handler, HandlerSpec
from ..errors import HandlersError
from ..handlers import Registry, load_directory

Handlers = str | os.PathLike[str] | Registry | Iterable[Handler[..., Any]]
"""A handlers directory, a `Registry`, or functions that `handler` has marked."""

Find = Callable[[str], HandlerSpec | None]


def finder(handlers: Handlers | None) -> Find:
    """How to find a handler by the name of its jobs."""
    if handlers is None:
        return _declared
    if isinstance(handlers, (str, os.PathLike)):
        return load_directory(Path(handlers)).get
    if isinstance(handlers, Registry):
        return handlers.get
    return Registry([function.spec for function in handlers]).get


def _declared(name: str) -> HandlerSpec | None:
    """The handler that an imported module declares under this name, the latest of a file.

    Raises `HandlersError` if two files do: which of them is meant only the test knows.
    """
    found = {spec.file: spec for spec in _all_declared() if spec.name == name}
    if len(found) > 1:
        places = " and ".join(f"{spec.file}:{spec.line}" for spec in found.values())
        raise HandlersError(
            [f"handler {name!r} is declared at {places}; say which is meant: fake(handlers=[function, …])"]
        )
    return next(iter(found.values()), None)


def _all_declared() -> list[HandlerSpec]:
    # Not vars(): what stands in sys.modules need not be a module.
    return [
        spec
        for module in list(sys.modules.values())
        for spec in getattr(module, "__dict__", {}).get(DECLARED, ())
    ]
