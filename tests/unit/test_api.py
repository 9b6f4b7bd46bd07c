"""The API reference: every public name is in it, is told of, and what its text refers to is a link."""

import importlib.util
import re
import sys
from pathlib import Path

import pdoc.doc
import pytest

import bananasd
from bananasd import Client
from bananasd.aio import AsyncClient

PROGRAM = Path(__file__).parents[2] / "docs" / "api.py"


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


def test_every_public_name_has_a_docstring_whose_references_are_links(api, pages):
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


def test_only_what_is_public_is_in_it(pages):
    assert set(pages) == {"bananasd", "bananasd.testing"}
    assert set(re.findall(r'id="\w+\.(_\w+)"', pages["bananasd"])) == {"__init__"}


WRONG = '''
"""A module."""

__all__ = ["Told", "untold"]


class Told:
    """It has ``told``, and refers to `Told.told`, `nothing` and ``nothing``."""

    told: int = 1
    untold: int = 2


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
        "bananasd_wrong.Told: `nothing` leads nowhere",
        "bananasd_wrong.Told.untold: has no docstring",
        "bananasd_wrong.untold: has no docstring",
    ]
