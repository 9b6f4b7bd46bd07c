"""The API reference: every public name is in it, is told of, and what its text refers to is a link."""

import importlib.util
import re
import sys
import typing
from pathlib import Path

import pdoc.doc
import pytest

import bananasd
from bananasd import Client, LaneStats, QueueStats, Reason
from bananasd.aio import AsyncClient
from bananasd.hooks import JobEnd, WorkerInfo

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "docs" / "api.py"


@pytest.fixture(scope="module")
def api():
    spec = importlib.util.spec_from_file_location("bananasd_docs_api", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    names = list(bananasd.__all__)
    spec.loader.exec_module(module)
    yield module
    bananasd.__all__[:] = names
    vars(bananasd).pop("AsyncClient", None)


@pytest.fixture(scope="module")
def pages(api, tmp_path_factory):
    return api.build(tmp_path_factory.mktemp("api"))


def test_every_public_name_has_a_docstring_its_references_are_links_and_its_types_are_public(api, pages):
    assert list(api.faults(pages)) == []


def test_the_program_ends_well_if_all_is_well(api, tmp_path):
    assert api.main(str(tmp_path)) == 0
    assert (tmp_path / "index.html").is_file()


def test_every_public_name_has_its_place(pages):
    page = pages["bananasd"]
    for name in {*bananasd.__all__, "AsyncClient"} - {"__version__"}:
        assert f'<section id="{name}">' in page, name
    for owner in (Client, AsyncClient):
        for method in (name for name in vars(Client) if not name.startswith("_")):
            assert f'id="{owner.__name__}.{method}"' in page, (owner, method)
    for name in ("inline", "fake", "FakeQueue", "FakeQueue.drain"):
        assert f'id="{name}"' in pages["bananasd.testing"], name


def test_what_calls_return_and_hooks_are_given_has_its_place_with_all_that_it_holds(pages):
    for page, kind in (
        ("bananasd", LaneStats),
        ("bananasd", QueueStats),
        ("bananasd.hooks", WorkerInfo),
        ("bananasd.hooks", JobEnd),
    ):
        for field in typing.get_type_hints(kind):
            assert f'id="{kind.__name__}.{field}"' in pages[page], (kind, field)
    for reason in Reason:
        assert f'id="Reason.{reason.name}"' in pages["bananasd"], reason


def test_only_what_is_public_is_in_it(pages):
    assert "due" not in re.findall(r'id="Schedule\.(\w+)"', pages["bananasd"])
    assert set(pages) == {"bananasd", "bananasd.hooks", "bananasd.testing"}
    assert set(re.findall(r'id="\w+\.(_\w+)"', pages["bananasd"])) == {"__init__"}


WRONG = '''
"""A module."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

__all__ = ["Row", "Told", "lists", "untold"]


class Base:
    pass


class Lost(NamedTuple):
    field: int


class Row(NamedTuple):
    """A row, with a field."""

    field: int


class Told(Base):
    """It has ``told``, and refers to `Told.told`, `nothing` and ``nothing``."""

    told: int = 1
    untold: int = 2

    def __init__(self, lost: Lost) -> None:
        """It has a constructor."""

    @property
    def lost(self) -> Lost | None:
        """The same."""

    def secret(self, lost: Lost) -> None:
        """@private"""


def lists(names: Callable[[list[Lost]], "Iterator[Told]"]) -> dict[str, "Lost"]:
    """It names types of all sorts."""


def untold():
    pass
'''


def test_what_is_wrong_is_told_by_its_place(api, tmp_path, monkeypatch):
    (tmp_path / "bananasd_wrong.py").write_text(WRONG)
    monkeypatch.syspath_prepend(tmp_path)
    pdoc.pdoc("bananasd_wrong", output_directory=tmp_path)
    monkeypatch.setitem(sys.modules, "bananasd_wrong", sys.modules["bananasd_wrong"])
    page = (tmp_path / "bananasd_wrong.html").read_text()
    assert list(api.faults({"bananasd_wrong": page})) == [
        "bananasd_wrong.Row.field: has no docstring",
        "bananasd_wrong.Told: `nothing` leads nowhere",
        "bananasd_wrong.Told.untold: has no docstring",
        "bananasd_wrong.untold: has no docstring",
        "bananasd_wrong.Told: names bananasd_wrong.Base, which is not public",
        "bananasd_wrong.Told: names bananasd_wrong.Lost, which is not public",
        "bananasd_wrong.Told.lost: names bananasd_wrong.Lost, which is not public",
        "bananasd_wrong.lists: names bananasd_wrong.Lost, which is not public",
        "bananasd_wrong.lists: names bananasd_wrong.Lost, which is not public",
    ]


def test_the_readme_says_where_it_is():
    recipe = re.search(r"^api:.*\n\t.* docs/api\.py (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    readme = (ROOT / "README.md").read_text()
    assert "`make api`" in readme
    assert f"`{recipe[1]}/index.html`" in readme
