"""A machine with a systemd and an installed bananasd, and the service in it."""

import re
import shutil
from collections.abc import Iterator

import pytest

from tests.systemd.machine import ROOT, Machine, Unit, handlers_of
from tests.systemd.surroundings import require, require_namespaces

OPERATIONS = ROOT / "docs" / "operations.md"

CONFIG = """\
run_dir = "/run/bananasd"
state_dir = "/var/lib/bananasd"
[workers]
count = 4
handlers = "tested"
[master]
drain_seconds = 30
"""


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    require(
        shutil.which("systemd-nspawn") is not None,
        "systemd-nspawn is missing: apt-get install systemd-container",
    )
    require(shutil.which("make") is not None, "make is missing")
    require_namespaces()
    machine = Machine()
    yield machine
    machine.close()


@pytest.fixture(scope="session")
def installed(machine: Machine) -> str:
    """The configuration as it was installed."""
    return Unit(machine).config.read_text()


@pytest.fixture
def unit(machine: Machine, installed: str) -> Iterator[Unit]:
    """``bananasd.service`` as it was installed, but with settings and handlers of the tests; not started yet."""
    unit = Unit(machine)
    unit.config.write_text(CONFIG)
    unit.write_handlers(handlers_of("tested"))
    yield unit
    unit.reset()
    unit.config.write_text(installed)


@pytest.fixture
def mail(unit: Unit) -> Iterator[Unit]:
    """``bananasd@mail.service``, made from the other's configuration by the command of docs/operations.md."""
    mail = Unit(unit.machine, "mail")
    (command,) = re.findall(r"^sed .*mail\.toml$", OPERATIONS.read_text(), re.MULTILINE)
    unit.machine.run("sh", "-c", command)
    yield mail
    mail.reset()
    mail.config.unlink()
