"""What the documents name exists, and what exists is in them."""

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import click
import pytest

import bananasd
from bananasd import Client, Job, Priority, Status, config
from bananasd.cli import MODULES, main
from bananasd.processes import exits
from bananasd.processes.row import Word
from bananasd.record import SPEC_VERSION, check_spec
from bananasd.store.faults import FAULTS
from bananasd.store.keys import Keys, Lane
from tests.command_line import complete

ROOT = Path(__file__).parents[2]
PACKAGE = Path(bananasd.__file__).parent
LUA = PACKAGE / "store" / "lua"
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
OF_USERS = {"tests/store/test_NAME.py", "bananasd/store/lua/NAME.lua", "handlers/hooks.py"}
"""Names of files that somebody else will make."""
OF_SCRIPTS = {"cancel", "expires_in", "guarded_run", "waiters", "unique_ms"}
"""Fields of a record that no program reads."""


def section(text, heading):
    """What stands below a heading, up to the next of its level."""
    marks = re.escape(heading.partition(" ")[0])
    found = re.search(rf"^{re.escape(heading)}$(.*?)(?=^{marks} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no heading {heading!r}"
    return found[1]


def rows(text):
    """The cells of every row of its tables, heads left out."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def code_in(cell):
    return re.findall(r"`([^`]+)`", cell)


# The protocol


def documented_keys():
    return {
        code_in(cells[0])[0]: cells[1] for cells in rows(section(PROTOCOL, "## Keys")) if code_in(cells[0])
    }


def keys_of_the_code():
    """Each key as the page writes it, with its type as the docstring says it."""
    keys, found = Keys("NAMESPACE"), {}
    placeholders = {"job": "ID", "held": "HOLDER", "node": "NODE", "aside": "KEY", "result": "ID", "mail": "BOX", "unique": "KEY",
                    "orders": "NODE", "bell": "NODE",
                    "ready": Lane("QUEUE", "PRIORITY"),
                    "wake": Lane("QUEUE", "PRIORITY")}  # fmt: skip
    for name, member in inspect.getmembers(Keys):
        doc = getattr(member, "__doc__", None) or ""
        kind = re.match(r"(Hash|List|Set|Sorted set|String|Any type):", doc)
        if kind and not name.startswith("_"):
            value = getattr(keys, name)
            key = value(placeholders[name]) if callable(value) else value
            found[key.removeprefix(keys.prefix)] = kind[1].lower()
    return found


def test_the_protocol_names_every_key_and_its_type():
    assert documented_keys() == keys_of_the_code()


def test_the_protocol_names_the_prefix_of_keys():
    assert f"`{Keys('NAMESPACE').prefix}`" in PROTOCOL


def documented_fields():
    table = section(PROTOCOL, "## The record of a job").partition("### ")[0]
    return [code_in(cells[0])[0] for cells in rows(table) if code_in(cells[0])]


def test_the_protocol_names_every_field_of_a_record():
    assert set(documented_fields()) - OF_SCRIPTS == set(
        re.findall(r'b"(\w+)"', inspect.getsource(Job.from_record))
    )


def test_the_protocol_names_every_status():
    (row,) = (cells for cells in rows(section(PROTOCOL, "## The record of a job")) if cells[0] == "`status`")
    assert set(code_in(row[2])) == {status.value for status in Status}


def test_the_protocol_names_every_counter():
    (row,) = (cells for cells in rows(section(PROTOCOL, "## Keys")) if cells[0] == "`stats`")
    counted = re.findall(r"'stats', '(\w+)'", "".join(map(Path.read_text, LUA.rglob("*.lua"))))
    assert set(code_in(row[2])) == set(counted)


def test_the_example_of_a_spec_can_be_run():
    (example,) = blocks(PROTOCOL, "json")
    spec = json.loads(example)
    check_spec(spec)
    assert spec["v"] == SPEC_VERSION
    members = [code_in(cells[0])[0] for cells in rows(section(PROTOCOL, "### The spec")) if code_in(cells[0])]
    assert set(members) == set(spec)


def documented_scripts():
    found = {}
    for cells in rows(section(PROTOCOL, "## The scripts")):
        if len(cells) == 4 and code_in(cells[0]):
            found[code_in(cells[0])[0]] = cells
    return found


def arguments_of_the_code(name, kind):
    """How many KEYS or ARGV a script's head numbers, and whether more may follow."""
    head = re.match(r"(?:--.*\n)+", (LUA / f"{name}.lua").read_text())[0]
    lines = re.search(rf"^-- {kind}  (.*?)(?=^-- (?:KEYS|ARGV|Returns))", head, re.MULTILINE | re.DOTALL)[1]
    numbered = re.findall(r"(?:^|--|  )\s*(\d+)(\.\.)?(?= )", lines)
    return sum(not more for _, more in numbered), any(more for _, more in numbered) or "   then " in lines


def arguments_of_the_page(cell):
    fixed, more, _ = re.sub(r"\([^)]*\)", "", cell).partition(";")
    return len(fixed.split(",")), bool(more)


def test_the_protocol_names_every_script():
    assert set(documented_scripts()) == {path.stem for path in LUA.glob("*.lua")}


@pytest.mark.parametrize("name", [path.stem for path in sorted(LUA.glob("*.lua"))])
def test_the_protocol_names_every_argument_of_a_script(name):
    _, keys, argv, returns = documented_scripts()[name]
    assert arguments_of_the_page(keys) == arguments_of_the_code(name, "KEYS")
    assert arguments_of_the_page(argv) == arguments_of_the_code(name, "ARGV")
    assert returns


def test_the_operations_page_names_every_fault_that_the_doctor_finds():
    page = (ROOT / "docs" / "operations.md").read_text()
    named = [
        name
        for cells in rows(section(page, "## When something is out of order"))
        for name in code_in(cells[0])
    ]
    assert named == list(FAULTS)


def test_every_fault_is_one_that_a_script_tells():
    text = "".join(path.read_text() for path in LUA.glob("mend_*.lua"))
    assert set(FAULTS) <= set(re.findall(r"'([a-z_]+)'", text))


# A stand-in for machines without redis-cli: as much of it as the example uses.
REDIS_CLI = """\
#!{python}
import sys
from pathlib import Path
from bananasd.store.connection import HeldConnection, Server
command = sys.argv[1:]
if command[0] == "--eval":
    comma = command.index(",")
    keys, args = command[2:comma], command[comma + 1 :]
    command = ["EVAL", Path(command[1]).read_text(), len(keys), *keys, *args]
(reply,) = HeldConnection(Server({url!r}, 5)).trip([command])
for n, part in enumerate(reply if isinstance(reply, list) else [reply], start=1):
    line = f"(integer) {{part}}" if isinstance(part, int) else '"' + part.decode() + '"'
    print(f"{{n}}) {{line}}" if isinstance(reply, list) else line)
"""


def redis_cli(server):
    """The real one, led to the server, if this machine has it."""
    real = shutil.which("redis-cli") or shutil.which("valkey-cli")
    if real:
        return f'#!/bin/sh\nexec {real} --no-raw -s {server.socket} "$@"\n'
    return REDIS_CLI.format(python=sys.executable, url=server.url)


def test_a_job_can_be_submitted_as_the_protocol_shows(server, tmp_path):
    program = tmp_path / "redis-cli"
    program.write_text(redis_cli(server))
    program.chmod(0o755)
    page = section(PROTOCOL, "## Submitting from another language")
    environment = os.environ | {"PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euc", "\n".join(blocks(page, "bash"))], cwd=tmp_path, env=environment, capture_output=True, text=True
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("".join(blocks(page, "text")), "")
    job_id, later_id = re.findall(r"[0-9a-f-]{36}", page)[:2]
    with Client(server.url) as client:
        job = client.get_job(job_id)
        assert (job.name, job.payload, job.priority) == ("hello", {"name": "Ada"}, Priority.HIGH)
        assert client.get_job(later_id).status is Status.SCHEDULED
        assert complete(server) == job_id
        assert client.get_job(job_id).status is Status.COMPLETED


# Files, links, names


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = (document.parent / path) if path else document
        assert found.exists(), target
        if anchor:
            assert anchor in headings_of(found), target


def headings_of(document):
    titles = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_and_folder_that_is_named_exists(document):
    named = re.findall(r"`(\w[\w./-]*(?:\.(?:py|lua|md|toml|service|cfg)|/))`", document.read_text())
    places = (ROOT, PACKAGE, LUA, LUA.parent)
    missing = [name for name in named if not any((place / name).exists() for place in places)]
    assert [name for name in missing if name not in OF_USERS] == []


def test_the_boot_path_names_functions_of_its_files():
    boot = [
        cells for cells in rows(section(ARCHITECTURE, "## The boot, in reading order")) if code_in(cells[0])
    ]
    assert len(boot) > 10
    for file, function, _ in boot:
        assert_defines(PACKAGE / code_in(file)[0], code_in(function)[0])


def assert_defines(file, dotted):
    text = file.read_text()
    for name in dotted.split("."):
        assert re.search(rf"^ *(?:def|class) {name}\b", text, re.MULTILINE), f"{file}: no {dotted}"


def test_the_architecture_names_methods_that_exist():
    text = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    for name in re.findall(r"`([A-Z]\w+)\.([a-z_]\w*)`", ARCHITECTURE):
        assert re.search(
            rf"^class {name[0]}\b.*?^    (?:async )?def {name[1]}\b", text, re.MULTILINE | re.DOTALL
        ), name


def test_the_architecture_names_words_of_the_board():
    named = {word for cells in rows(section(ARCHITECTURE, "## The board")) for word in code_in(cells[1])}
    assert len(named) > 10
    assert named <= set(Word.__members__)


def test_contributing_names_classes_and_tests_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for name, file in re.findall(r"See `(\w+)` in `([\w/.]+\.py)`", text):
        assert_defines(ROOT / file, name)


# The command line, the configuration, the messages


@cache
def group(*names):
    command = main
    for name in names:
        command = command.get_command(click.Context(main), name)
        assert command is not None, names
    return command


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_that_is_shown_exists(document):
    text = document.read_text()
    shown = re.findall(
        r"`bananasd ([^`]+)`|^bananasd (.+)$", "\n".join([text, *blocks(text, "bash")]), re.MULTILINE
    )
    for line in {quoted or typed for quoted, typed in shown}:
        words = line.split()
        if words[0] not in MODULES:
            assert words[0].startswith("-") or ":" in line or words[0] == "demo", line
            continue
        command = group(*words[: 2 if words[0] == "dead" and len(words) > 1 else 1])
        options = {name for param in command.params for name in param.opts} | {"--help"}
        assert {word for word in words if re.match(r"--\w", word)} <= options, line


def test_the_readme_shows_every_command():
    table = section(README, "## Command line")
    assert [name for name in MODULES if f"`bananasd {name}" not in table] == []


def test_the_readme_tells_every_exit_code():
    told = {cells[0] for cells in rows(section(README, "## Command line")) if cells[0].isdigit()}
    in_help = set(re.findall(r"^ +(\d+) +\w", main.help.partition("Exit codes:")[2], re.MULTILINE))
    assert told == in_help
    assert {str(exits.SOFTWARE), str(exits.CONFIG)} <= told


@pytest.mark.parametrize(
    "page", [README, (ROOT / "docs" / "operations.md").read_text()], ids=["README", "operations"]
)
def test_the_configuration_on_a_page_is_valid(page, tmp_path):
    examples = blocks(page, "toml")
    assert examples
    for example in examples:
        path = tmp_path / "bananas.toml"
        path.write_text(example)
        config.load(path, {})


def test_the_messages_of_troubleshooting_are_those_of_the_code():
    code = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    code = re.sub(r'"\s*\n\s*f?"', "", code)  # literals that go on in the next line
    of_the_system = {"Error 111 connecting to "}
    messages = [
        message for cells in rows(section(README, "## Troubleshooting")) for message in code_in(cells[0])
    ]
    assert len(messages) > 15
    pieces = [piece for message in messages for piece in message.split("…")]
    assert [piece for piece in pieces if piece not in code and piece not in of_the_system] == []


def test_the_unit_agrees_with_the_daemon():
    unit = (ROOT / "systemd" / "bananasd.service").read_text()
    settings = dict(re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE))
    assert int(settings["TimeoutStopSec"]) > config.load(None, {"HOME": "/"}).master.drain_seconds
    assert settings["RestartPreventExitStatus"] == str(exits.CONFIG)
    assert settings["ExecStart"].endswith("bananasd start --config /etc/bananasd/bananas.toml")
