"""Imports go one way, and some things are known in one place only."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import bananasd

ROOT = Path(bananasd.__file__).parent

# A part may import its own layer and those before it. Beside the chain of those who know jobs and Redis stands that
# of the master, who knows neither: it sees the foundations, and both see what a master and its children share.
FOUNDATIONS = [
    {
        "errors",
        "clock",
        "cores",
        "directories",
        "durations",
        "encoding",
        "escapes",
        "masking",
        "regular_files",
        "retry",
        "streams",
    },
    {"limits", "secret_files"},
    {"cron"},
    {
        "job",
        "record",
        "request",
        "schedule",
        "schedule_tables",
        "schema",
        "settings",
        "remark",
        "units",
        "contradictions",
        "config",
        "log",
        "repeats",
    },
]
SHARED_BY_PROCESSES = [
    {
        "processes",
        "processes.procfs",
        "processes.exits",
        "processes.inbox",
        "processes.row",
        "processes.tally",
    },
    {"processes.board", "processes.pace", "processes.tallies"},
    {"processes.child", "processes.views", "processes.usage"},
]
JOB_LAYERS = [
    *FOUNDATIONS,
    {"store"},
    {"waiting", "chunks", "explanation"},
    {"client", "declaration", "handlers", "hooks", "payloads", "server"},
    {"aio"},
    *SHARED_BY_PROCESSES,
    {
        "processes.batch",
        "processes.node_outage",
        "processes.offspring",
        "processes.outage",
        "processes.unsettled",
        "processes.run_context",
        "processes.run_tally",
        "processes.error_texts",
        "processes.forks",
        "processes.handler_call",
        "processes.hook_calls",
        "processes.performance",
        "processes.policies",
        "processes.turns",
    },
    {
        "processes.helper",
        "processes.beat",
        "processes.duty",
        "processes.firing",
        "processes.orders",
        "processes.publication",
        "processes.recovery",
    },
    {"processes.worker", "processes.scheduler", "metrics"},
    {"http"},
    {"processes.worker_process", "processes.http_process"},
]
MASTER_LAYERS = [
    *FOUNDATIONS,
    *SHARED_BY_PROCESSES,
    {
        "processes.slots",
        "processes.restarts",
        "processes.locks",
        "processes.notify",
        "processes.redis_server",
        "processes.server_log",
        "processes.watch",
    },
    {
        "processes.interrupts",
        "processes.drain",
        "processes.deaths",
        "processes.stacks",
        "processes.checker",
        "processes.replacement",
        "processes.recycling",
    },
    {"processes.plan", "processes.spawner"},
    {
        "processes.recycler",
        "processes.reload",
        "processes.resizing",
        "processes.warden",
        "processes.waiting",
    },
    {"processes.master", "processes.control"},
]
TOP = {"", "__main__", "cli", "demo", "demo_dashboard", "processes.daemon", "processes.blueprint", "testing"}
"""Where everything meets; nothing below imports it, not even as ``from bananasd import …``."""


def may_import() -> dict[str, set[str]]:
    """For each part, the parts that it may import."""
    allowed: dict[str, set[str]] = {}
    for layers in (JOB_LAYERS, MASTER_LAYERS):
        for depth, layer in enumerate(layers, start=1):
            # What stands in both chains has what both allow.
            allowed |= {
                part: allowed.get(part, set().union(*layers)) & set().union(*layers[:depth]) for part in layer
            }
    return allowed | {part: {*allowed, *TOP} for part in TOP}


MAY_IMPORT = may_import()


def modules() -> dict[str, Path]:
    """Every module of the package, by its name below it; the package itself is the empty name."""
    names = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


MODULES = modules()


def part_of(name: str) -> str:
    """The part of the tables above that a module belongs to: itself or the nearest package around it."""
    while name and name not in MAY_IMPORT:
        name = name.rpartition(".")[0]
    return name


@cache
def nodes_of(name: str) -> list[ast.AST]:
    """Everything in a module."""
    return list(ast.walk(ast.parse(MODULES[name].read_text())))


def imports_of(name: str) -> Iterator[tuple[str, int]]:
    """Every import of a module, lazy ones and those for types too: the full name, and the line."""
    path = MODULES[name]
    package = ["bananasd", *name.split(".")] if name else ["bananasd"]
    if path.name != "__init__.py":
        package = package[:-1]
    for node in nodes_of(name):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)


def own_imports_of(name: str) -> Iterator[tuple[str, int]]:
    """The imports from within the package, as names of its modules."""
    for imported, line in imports_of(name):
        top, _, rest = imported.partition(".")
        if top == "bananasd":
            while rest not in MODULES:  # what it imports may be a thing in the module
                rest = rest.rpartition(".")[0]
            yield rest, line


def test_every_module_has_its_place_among_the_layers() -> None:
    assert not [name for name in MODULES if name and not part_of(name)], "give it a place in the tables above"


@pytest.mark.parametrize("name", MODULES, ids=lambda name: name or "bananasd")
def test_imports_go_one_way(name: str) -> None:
    wrong = [
        f"{MODULES[name]}:{line}: {part_of(name) or 'bananasd'} must not import {imported or 'bananasd'}"
        for imported, line in own_imports_of(name)
        if part_of(imported) not in MAY_IMPORT[part_of(name)]
    ]
    assert not wrong, "\n".join(wrong)


def test_no_parts_import_each_other() -> None:
    below_top = [name for name in MODULES if part_of(name) not in TOP]
    graph: dict[str, set[str]] = {part_of(name): set() for name in below_top}
    for name in below_top:
        graph[part_of(name)] |= {part_of(imported) for imported, _ in own_imports_of(name)} - {part_of(name)}
    TopologicalSorter(graph).prepare()  # raises CycleError with the way round


@pytest.mark.parametrize("part", ["store", "client"])
def test_store_and_client_take_plain_arguments(part: str) -> None:
    importers = [name for name in MODULES if part_of(name) == part]
    assert importers
    assert not [name for name in importers for imported, _ in own_imports_of(name) if imported == "config"]


def places_that_import(*libraries: str) -> set[str]:
    """The parts that import one of these libraries."""
    return {
        part_of(name).partition(".")[0]
        for name in MODULES
        for imported, _ in imports_of(name)
        if imported.partition(".")[0] in libraries
    }


def places_that_call(thing: str, names: set[str]) -> set[str]:
    """The parts that name one of these attributes of a thing, or import it from there."""
    return {
        part_of(name).partition(".")[0]
        for name in MODULES
        if any(isinstance(node, ast.Attribute) and node.attr in names and ast.unparse(node.value) == thing
               for node in nodes_of(name))
        or any(imported in {f"{thing}.{attribute}" for attribute in names} for imported, _ in imports_of(name))
    }  # fmt: skip


def test_only_the_store_knows_redis() -> None:
    assert places_that_import("redis", "hiredis") == {"store"}


def test_only_one_module_switches_greenlets() -> None:
    users = {
        name
        for name in MODULES
        for imported, _ in imports_of(name)
        if imported.partition(".")[0] == "greenlet"
    }
    assert users == {"store.greenlets"}


def test_only_one_module_asks_psutil_and_only_top_draws() -> None:
    users = {
        library: {
            name
            for name in MODULES
            for imported, _ in imports_of(name)
            if imported.partition(".")[0] == library
        }
        for library in ("psutil", "rich")
    }
    assert users == {"psutil": {"processes.usage"}, "rich": {"cli.top"}}


def test_only_processes_handle_signals_or_fork() -> None:
    assert places_that_import("signal", "multiprocessing") <= {"processes"}
    assert places_that_call("os", {"fork", "forkpty", "posix_spawn"}) <= {"processes"}


def test_only_the_clock_reads_time() -> None:
    assert places_that_import("time") == {"clock"}
    assert places_that_call("datetime", {"now", "utcnow", "today"}) <= {"clock"}


def test_importing_the_client_stays_light() -> None:
    heavy = {
        "click",
        "cronsim",
        "greenlet",
        "http",
        "msgspec",
        "prometheus_client",
        "psutil",
        "setproctitle",
        "starlette",
        "uvicorn",
    }
    parts = {
        "bananasd.aio",
        "bananasd.cli",
        "bananasd.config",
        "bananasd.demo",
        "bananasd.http",
        "bananasd.processes",
    }
    # Coverage would import more than the program does.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    # Where OpenTelemetry's SDK is installed redis-py loads that, and with it much else.
    program = "import sys; sys.modules['opentelemetry'] = None; import bananasd; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", program],
        env=environment, stdout=subprocess.PIPE, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert "bananasd.client" in loaded
    assert not [name for name in loaded if name.partition(".")[0] in heavy or name in parts]
