"""config/bananas.toml, which people copy and read, says what the code does."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from bananasd import config
from bananasd.contradictions import risks
from bananasd.schedule import SETTINGS

FILE = Path(__file__).parents[2] / "config" / "bananas.toml"
EXAMPLES = ("pools", "schedules")
EXAMPLE = re.compile(r"^# (?=\[\[\w+\]\]|\w+ = )", re.MULTILINE)
"""What makes a comment of the section that is there for an example only."""

SETTING = re.compile(r"(?P<key>\w+) = (?P<value>[^#]+?) +# (?P<comment>.+)")


def settings_of(struct, prefix=""):
    for field in msgspec.structs.fields(struct):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from settings_of(field.type, f"{field.name}.")
        elif field.name not in ("path", *EXAMPLES):
            yield prefix + field.name


def file_with_examples():
    return EXAMPLE.sub("", FILE.read_text())


def settings_in_file():
    for key, value in tomllib.loads(FILE.read_text()).items():
        yield from (f"{key}.{below}" for below in value) if isinstance(value, dict) else (key,)


def test_the_file_says_the_same_as_an_empty_one(tmp_path):
    path = tmp_path / "bananas.toml"
    path.write_text(FILE.read_text())
    documented = config.load(path, {})
    path.write_text("")
    assert documented == config.load(path, {})


def test_nothing_in_the_file_is_a_risk():
    assert list(risks(config.load(FILE, {}))) == []


def test_the_file_has_every_setting_in_the_order_of_the_code():
    assert list(settings_in_file()) == list(settings_of(config.Config))


def test_the_example_of_a_pool_has_every_setting_of_one_and_is_right(tmp_path):
    path = tmp_path / "bananas.toml"
    path.write_text(file_with_examples())
    (pool,) = config.load(path, {}).pools
    (example,) = tomllib.loads(file_with_examples())["pools"]
    assert list(example) == list(settings_of(type(pool)))
    assert {name: getattr(pool, name) for name in ("name", "workers", "priorities")} == {
        "name": "urgent",
        "workers": 1,
        "priorities": ("high",),
    }


def test_the_example_of_a_schedule_has_every_setting_of_one_and_is_right(tmp_path):
    path = tmp_path / "bananas.toml"
    path.write_text(file_with_examples())
    (schedule,) = config.load(path, {}).schedules
    (example,) = tomllib.loads(file_with_examples())["schedules"]
    assert list(example) == [name for name in SETTINGS if name != "every"]
    assert (schedule.name, schedule.when, schedule.payload) == (
        "nightly-report",
        "30 3 * * *",
        {"kind": "short"},
    )


@pytest.mark.parametrize("text", [FILE.read_text(), file_with_examples()])
def test_the_file_has_a_comment_for_every_setting_and_nothing_else(text):
    lines = [line for line in text.splitlines() if line and line[0] not in "#["]
    assert [line for line in lines if not SETTING.fullmatch(line)] == []
    in_examples = sum(len(section) for name in EXAMPLES for section in tomllib.loads(text).get(name, []))
    assert len(lines) == len(list(settings_in_file())) + in_examples
