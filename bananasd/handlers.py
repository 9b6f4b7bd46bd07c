"""Handlers: a directory of modules that declare them, loaded into a `Registry` by the names of their jobs."""

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

from . import hooks
from .declaration import DECLARED, Handler, HandlerSpec, handler, submit_through, takes
from .errors import HandlersError, InvalidJob
from .hooks import Hooks
from .limits import check_max_retries, check_name, check_on_lost, check_retry, check_timeout, shown
from .schedule import Schedule

__all__ = ["Handler", "HandlerSpec", "Registry", "handler", "load_directory", "schedule_of", "submit_through"]

PACKAGE = "bananasd_handlers"
"""The private package that the modules of a handlers directory are imported into."""


class Registry:
    """The handlers of a worker, by name, and its ``hooks``, if there are any."""

    def __init__(self, specs: list[HandlerSpec], hooks: Hooks | None = None) -> None:
        """@private: a directory is loaded into it."""
        self._specs = {spec.name: spec for spec in specs}
        self.hooks = hooks

    def get(self, name: str) -> HandlerSpec | None:
        """The handler for jobs of this name, if there is one."""
        return self._specs.get(name)

    def names(self) -> list[str]:
        """The names that there are handlers for, sorted."""
        return sorted(self._specs)

    def __iter__(self) -> Iterator[HandlerSpec]:
        return iter(self._specs.values())

    def __len__(self) -> int:
        return len(self._specs)


def schedule_of(spec: HandlerSpec) -> Schedule | None:
    """The schedule that a handler declares for itself, if it does. Raises `InvalidJob`."""
    if spec.cron is None and spec.every is None and spec.timezone == "UTC":
        return None
    return Schedule(
        name=spec.name,
        job=spec.name,
        cron=spec.cron,
        every=spec.every,
        timezone=spec.timezone,
        source="handler",
    )


def load_directory(path: Path) -> Registry:
    """Import every module of a handlers directory and register what it declares.

    The directory comes first on ``sys.path``; files whose names start with ``_`` are left to be imported by
    others, and ``hooks.py`` holds no handlers but the registry's hooks. Loading again, in the same process too, runs the
    code as it is now.

    Raises `HandlersError` with every problem: no directory, no handler, a module that cannot be imported,
    a name twice, a name or option or signature that cannot be, what looks like a hook and is none.
    """
    directory = path.absolute()
    _forget_loaded()
    files = _module_files(directory)
    open_package(directory)
    specs, problems = _import_all(files)
    problems += _problems_of(specs)
    found, faults = _load_hooks(directory / hooks.FILE)
    problems += faults
    if not specs and not problems:
        problems = [
            f'workers.handlers: {directory}: no handler in it; a module there declares one with @handler("name")'
        ]
    if problems:
        _forget_loaded()
        raise HandlersError(problems)
    return Registry(specs, found)


def _load_hooks(file: Path) -> tuple[Hooks | None, list[str]]:
    """What the file of hooks defines, and what is wrong with it."""
    if not file.is_file():
        return None, []
    try:
        module = _import_file(file)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a user's module may raise anything
        return None, [_describe(error, file)]
    return hooks.hooks_of(module, str(file)), list(hooks.faults_of(module, str(file)))


def _module_files(directory: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(directory))  # noqa: PTH208 - names are what is wanted
    except OSError as error:
        problem = f"workers.handlers: {directory}: not a directory of handlers ({error.strerror})"
        raise HandlersError([problem]) from None
    names = [name for name in names if name.endswith(".py") and name != hooks.FILE]
    files = (directory / name for name in names if not name.startswith(("_", ".")))
    return [file for file in files if file.is_file()]


def open_package(directory: Path) -> None:
    """Make the directory importable, as the private package and first on the path."""
    package = ModuleType(PACKAGE)
    package.__path__ = [str(directory)]
    sys.modules[PACKAGE] = package
    sys.path.insert(0, str(directory))
    # Not all caches: what a worker does not write to it shares with the others.
    sys.path_importer_cache.pop(str(directory), None)


def _forget_loaded() -> None:
    """Undo the last load: drop its modules, and what they imported from beside them."""
    package = sys.modules.get(PACKAGE)
    if package is None:
        return
    directory = package.__path__[0]
    ours = {PACKAGE} | {
        name
        for name, module in sys.modules.items()
        if _folder_of(module) == directory and name not in ("__main__", __package__)
    }
    for name in [name for name in sys.modules if name.partition(".")[0] in ours]:
        del sys.modules[name]
    with suppress(ValueError):  # a module may have taken it off the path itself
        sys.path.remove(directory)


def _folder_of(module: ModuleType) -> str:
    """The folder that a module's file, or a package's own folder, stands in."""
    namespace = getattr(module, "__dict__", {})
    places = [*namespace.get("__path__", ()), namespace.get("__file__")]
    return os.path.dirname(places[0] or "")  # noqa: PTH120 - asked for every module there is


def _import_all(files: list[Path]) -> tuple[list[HandlerSpec], list[str]]:
    """Import the files one by one; return what they declare, and what is wrong with those that fail."""
    specs: dict[int, HandlerSpec] = {}
    problems = []
    for file in files:
        try:
            module = _import_file(file)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a user's module may raise anything
            problems.append(_describe(error, file))
        else:
            specs |= {id(spec): spec for spec in _specs_in(module, files)}
    return list(specs.values()), problems


def _import_file(file: Path) -> ModuleType:
    name = f"{PACKAGE}.{file.stem}"
    if name in sys.modules:  # another module has imported it from the package
        return sys.modules[name]
    loader = SourceFileLoader(name, str(file))
    spec = spec_from_loader(name, loader)
    assert spec is not None  # noqa: S101 - a file's loader always makes one
    sys.modules[name] = module = module_from_spec(spec)
    try:
        # Not loader.exec_module: its cache takes a file that was changed within a second for the same.
        exec(loader.source_to_code(file.read_bytes(), str(file)), vars(module))  # noqa: S102
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _specs_in(module: ModuleType, files: list[Path]) -> Iterator[HandlerSpec]:
    """What a module declares itself, then what it has imported from elsewhere."""
    names = vars(module)
    yield from names.get(DECLARED, ())
    for value in list(names.values()):
        spec = inspect.getattr_static(value, "spec", None)
        if isinstance(spec, HandlerSpec) and not _is_copy(spec, files):
            yield spec


def _is_copy(spec: HandlerSpec, files: list[Path]) -> bool:
    """Whether it comes from ``import mail``, which runs mail.py again beside ``bananasd_handlers.mail``."""
    module = str(getattr(spec.function, "__module__", ""))
    return Path(spec.file) in files and module.partition(".")[0] != PACKAGE


def _describe(error: BaseException, file: Path) -> str:
    """A failed import as ``FILE:LINE: what``, at the innermost line that its author has written."""
    where, line = str(file), 1
    for frame, lineno in traceback.walk_tb(error.__traceback__):
        if Path(frame.f_code.co_filename).parent == file.parent:
            where, line = frame.f_code.co_filename, lineno
    what = _told(error)
    if isinstance(error, SystemExit):
        what = f"sys.exit({error.code!r}) while it is imported"
    elif isinstance(error, SyntaxError) and error.filename and Path(error.filename).parent == file.parent:
        where, line, what = error.filename, error.lineno or 1, f"{type(error).__name__}: {error.msg}"
    return f"{where}:{line}: {what}"


def _told(error: BaseException) -> str:
    """The type and text of what somebody else's code has raised, in one line."""
    try:
        text = str(error)
    except Exception as fault:  # noqa: BLE001 - an exception's own text may raise anything
        text = f"its text cannot be shown ({type(fault).__name__})"
    return " ".join(f"{type(error).__name__}{': ' if text else ''}{text}".split())


def _problems_of(specs: list[HandlerSpec]) -> list[str]:
    """Everything that is wrong with what was declared."""
    problems = []
    first: dict[str, HandlerSpec] = {}
    for spec in specs:
        faults = list(faults_of(spec))
        if not faults and first.setdefault(spec.name, spec) is not spec:
            other = first[spec.name]
            faults = [f"handler {spec.name!r} is declared twice, first at {other.file}:{other.line}"]
        problems += [f"{spec.file}:{spec.line}: {fault}" for fault in faults]
    return problems


def faults_of(spec: HandlerSpec) -> Iterator[str]:
    """Everything that is wrong with one handler."""
    options: list[tuple[Callable[[Any], Any], Any]] = [
        (check_max_retries, spec.max_retries), (check_timeout, spec.timeout_seconds), (check_retry, spec.retry),
        (check_on_lost, spec.on_lost),
    ]  # fmt: skip
    given = [(check, value) for check, value in options if value is not None]
    for check, value in [(check_name, spec.name), *given]:
        try:
            check(value)
        except InvalidJob as error:
            yield f"@handler: {error}"
    if isinstance(spec.name, str):
        yield from _faults_of_schedule(spec)
    for option in ("retry_on", "dead_on"):
        if not _are_errors(getattr(spec, option)):
            yield (
                f"@handler: {option} {shown(getattr(spec, option))}: want an exception class, or a tuple of them"
            )
    if both := _classes(spec.retry_on) & _classes(spec.dead_on):
        names = ", ".join(sorted(kind.__qualname__ for kind in both))
        yield f"@handler: {names}: stands in retry_on and in dead_on; want it in one of them"
    yield from _faults_of_call(spec)
    if inspect.isgeneratorfunction(spec.function) or inspect.isasyncgenfunction(spec.function):
        yield f"handler {spec.name!r} is a generator: calling it would run nothing; return, do not yield"


def _faults_of_schedule(spec: HandlerSpec) -> Iterator[str]:
    try:
        schedule_of(spec)
    except InvalidJob as error:
        yield f"@handler: {error}"


def _are_errors(kinds: Any) -> bool:
    return all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in _each(kinds))


def _classes(kinds: Any) -> set[type]:
    """The classes among them: anything may have been given."""
    return {kind for kind in _each(kinds) if isinstance(kind, type)}


def _each(kinds: Any) -> tuple[Any, ...]:
    return kinds if isinstance(kinds, tuple) else () if kinds is None else (kinds,)


def _faults_of_call(spec: HandlerSpec) -> Iterator[str]:
    try:
        count = 1 if spec.read_payload is None else 2
    except TypeError as error:
        yield f"handler {spec.name!r}: {error}"
        return
    if not takes(spec.function, count):
        yield (
            f"handler {spec.name!r} cannot be called: it must take the job, "
            "and may take the payload as a second argument that has a type"
        )
