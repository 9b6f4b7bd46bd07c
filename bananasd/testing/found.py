"""Which handler runs the jobs of a name: one of those that were given, else of those that this process has declared."""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..declaration import DECLARED, Handler, HandlerSpec
from ..errors import HandlersError
from ..handlers import Registry, faults_of, load_directory
from ..limits import shown

Handlers = str | os.PathLike[str] | Registry | Iterable[Handler[..., Any]]
"""A handlers directory, a `Registry`, or functions that `handler` has marked."""

Find = Callable[[str], HandlerSpec | None]


def finder(handlers: Handlers | None) -> Find:
    """How to find a handler by the name of its jobs.

    Raises `HandlersError`, here or when it is looked for, for one that a worker would not take; TypeError and ValueError for
    what holds no handlers.
    """
    if handlers is None:
        return _declared
    if isinstance(handlers, (str, os.PathLike)):
        return load_directory(_directory(handlers)).get
    if isinstance(handlers, Registry):
        return handlers.get
    if not isinstance(handlers, Iterable):
        raise TypeError(f"handlers {shown(handlers)}: want a directory, a Registry, or a list of functions")
    return Registry([_checked(_spec_of(function)) for function in handlers]).get


def _directory(path: str | os.PathLike[str]) -> Path:
    # pathlib takes it for the working directory, every module of which would run.
    if not os.fspath(path):
        raise ValueError("handlers '': want the name of a handlers directory")
    return Path(path)


def _spec_of(function: Any) -> HandlerSpec:
    spec = getattr(function, "spec", None)
    if not isinstance(spec, HandlerSpec):
        raise TypeError(f'handlers: {shown(function)} is no handler; declare it with @handler("name")')
    return spec


def _checked(spec: HandlerSpec) -> HandlerSpec:
    if problems := [f"{spec.file}:{spec.line}: {fault}" for fault in faults_of(spec)]:
        raise HandlersError(problems)
    return spec


def _declared(name: str) -> HandlerSpec | None:
    """The handler that an imported module declares under this name, the latest of a file.

    Raises `HandlersError` if two files do: which of them is meant only the test knows; and if it cannot be used.
    """
    found = {spec.file: spec for spec in _all_declared() if spec.name == name}
    if len(found) > 1:
        places = " and ".join(f"{spec.file}:{spec.line}" for spec in found.values())
        raise HandlersError(
            [f"handler {name!r} is declared at {places}; say which is meant: fake(handlers=[function, …])"]
        )
    return next(map(_checked, found.values()), None)


def _all_declared() -> list[HandlerSpec]:
    # Not vars(): what stands in sys.modules need not be a module.
    return [
        spec
        for module in list(sys.modules.values())
        for spec in getattr(module, "__dict__", {}).get(DECLARED, ())
    ]
