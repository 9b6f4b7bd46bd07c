"""``bananasd script``: the text is the one that is sent, and every script that others may call can be had."""

import re
from pathlib import Path

import pytest

from bananasd.cli.script import FOR_EVERYBODY
from bananasd.store.scripts import script
from tests.command_line import bananasd

PROTOCOL = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()


@pytest.mark.parametrize("name", FOR_EVERYBODY)
def test_a_script_is_printed_whole(name):
    told = bananasd("script", name)
    assert (told.stdout, told.exit_code) == (script(name).text, 0)
    assert "--!include" not in told.stdout


def test_what_everybody_may_call_can_be_printed():
    table = PROTOCOL.partition("### For everybody\n")[2].partition("\n### ")[0]
    assert tuple(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == FOR_EVERYBODY


def test_a_workers_script_is_not_for_others():
    assert bananasd("script", "claim").exit_code == 2
