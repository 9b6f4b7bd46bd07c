"""Hooks: functions in ``hooks.py`` of a handlers directory that every worker calls around its life and its jobs.

What each is for, and what may be relied on, stands in docs/hooks.md.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from types import ModuleType
from typing import Any

from .declaration import DECLARED, is_async, takes

__all__ = ["JobEnd", "WorkerInfo"]

FILE = "hooks.py"

PARAMETERS = {
    "on_worker_start": ("worker",),
    "on_worker_stop": ("worker",),
    "before_job": ("job",),
    "after_job": ("job", "end"),
    "on_failure": ("job", "error"),
    "on_dead": ("job", "error"),
}
"""Every hook that there is, with what it is called with."""

_BEGINNINGS = ("on_", "before_", "after_")


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """The worker that calls: its daemon's ``node``, its ``name`` there (``worker 3``), and its ``pool`` ("" for ``[workers]``)."""

    node: str
    name: str
    pool: str


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a run ended, as its worker reports it.

    ``outcome`` is ``completed``, ``retried`` (the attempt failed, another follows), ``dead`` (it failed for good) or
    ``released`` (it had to go: drained, cancelled, or its lease lost; nothing is counted against it). ``error`` is what
    the handler raised, None if it returned. ``seconds`` is how long the handler ran.
    """

    outcome: str
    error: BaseException | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Hooks:
    """Those of a handlers directory, by name."""

    file: str
    functions: dict[str, Callable[..., object]]

    def get(self, name: str) -> Callable[..., object] | None:
        """The hook of this name, if there is one."""
        return self.functions.get(name)

    def names(self) -> list[str]:
        """Those that there are, in the order of a worker's life."""
        return [name for name in PARAMETERS if name in self.functions]


def hooks_of(module: ModuleType, file: str) -> Hooks:
    """What a module defines under the names of hooks; see `faults_of` for what is wrong with it."""
    names = vars(module)
    return Hooks(file, {name: names[name] for name in PARAMETERS if name in names})


def faults_of(module: ModuleType, file: str) -> Iterator[str]:
    """Everything that is wrong with a module of hooks, each with its place."""
    names = vars(module)
    for spec in names.get(DECLARED, ()):
        yield f"{spec.file}:{spec.line}: handler {spec.name!r}: {FILE} is for hooks; declare handlers in another module"
    for name, value in list(names.items()):
        place = f"{file}:{_line(value)}"
        if name in PARAMETERS:
            yield from (f"{place}: hook {name}: {fault}" for fault in _faults_of_hook(name, value))
        elif _is_own(value, module) and (fault := _typing_error(name)):
            yield f"{place}: {fault}"


def _faults_of_hook(name: str, hook: Any) -> Iterator[str]:
    wanted = PARAMETERS[name]
    if not callable(hook):
        yield f"is no function but of type {type(hook).__name__}"
    elif is_async(hook) or inspect.isgeneratorfunction(hook) or inspect.isasyncgenfunction(hook):
        yield (
            "must be a plain function: a worker calls it where no event loop runs, so nobody would await it"
        )
    elif not takes(hook, len(wanted)):
        yield f"cannot be called with ({', '.join(wanted)})"


def _typing_error(name: str) -> str:
    """Why this is likely meant to be a hook and is none; "" if it is not."""
    near = get_close_matches(name, PARAMETERS, n=1, cutoff=0.8)
    if not near and not name.startswith(_BEGINNINGS):
        return ""
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(PARAMETERS)};"
    return f"no hook is named {name}: {hint} (a function of your own: let its name begin with '_')"


def _is_own(value: Any, module: ModuleType) -> bool:
    """Whether it is a function that the module itself defines: what it imports may have any name."""
    return inspect.isfunction(value) and value.__module__ == module.__name__


def _line(value: Any) -> int:
    return getattr(getattr(value, "__code__", None), "co_firstlineno", 1)
