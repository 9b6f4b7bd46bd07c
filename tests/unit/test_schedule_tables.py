"""[[schedules]] in the configuration."""

import os

import pytest

from bananasd import Priority, config
from bananasd.errors import ConfigError


@pytest.fixture
def load(tmp_path):
    def load(text):
        (tmp_path / "bananas.toml").write_text(text)
        return config.load(tmp_path / "bananas.toml", {})

    return load


@pytest.fixture
def problems(load, tmp_path):
    def problems(text):
        with pytest.raises(ConfigError) as caught:
            load(text)
        return [problem.replace(f"{tmp_path}{os.sep}", "") for problem in caught.value.problems]

    return problems


def test_a_file_that_says_nothing_of_schedules_and_one_that_has_none_are_not_the_same(load):
    assert load("").schedules is None
    assert load("schedules = []").schedules == ()


def test_a_schedule_has_its_settings_and_defaults_for_the_others(load):
    first, second = load("""
        [[schedules]]
        name = "nightly"
        job = "report"
        cron = "30 3 * * *"
        timezone = "Europe/Berlin"
        payload = { kinds = ["a", 1, 2.5, true] }
        priority = "low"
        queue = "reports"
        description = "the numbers"
        misfire = "all"
        enabled = false
        [[schedules]]
        name = "often"
        job = "ping"
        every = "1m30s"
    """).schedules
    assert (first.name, first.job, first.when, first.timezone) == (
        "nightly",
        "report",
        "30 3 * * *",
        "Europe/Berlin",
    )
    assert first.payload == {"kinds": ["a", 1, 2.5, True]}
    assert (first.priority, first.queue, first.description) == (Priority.LOW, "reports", "the numbers")
    assert (first.misfire, first.enabled, first.source) == ("all", False, "config")
    assert (second.when, second.timezone, second.payload, second.priority) == (
        "every 1m30s",
        "UTC",
        None,
        "normal",
    )
    assert (second.queue, second.misfire, second.enabled) == ("default", "skip", True)


def test_everything_that_is_wrong_is_told_at_once_with_its_place(problems):
    assert problems("""
        [[schedules]]
        nmae = "nightly"
        cron = "61 3 * * *"
        [[schedules]]
        name = "a"
        job = "x"
        every = "1m"
        timezone = "Europe/Berlin"
        [[schedules]]
        name = "b"
        job = ""
        cron = "@daily"
        every = "1d"
        misfire = "most"
        payload = nan
        source = "client"
        [workers]
        count = -1
    """) == [
        "bananas.toml: schedules[1].nmae: unknown key; did you mean 'name'?",
        "bananas.toml: schedules[1].name: is missing",
        "bananas.toml: schedules[1].job: is missing",
        "bananas.toml: schedules[1].cron: '61 3 * * *': bad minute '61': want 0 to 59, or *, in lists (1,2), ranges (1-5) and steps (*/2)",
        "bananas.toml: schedules[2].timezone: 'Europe/Berlin': goes with cron; every counts from the epoch everywhere",
        "bananas.toml: schedules[3].source: unknown key",
        "bananas.toml: schedules[3].job: '': want 1 to 200 characters, without control characters",
        "bananas.toml: schedules[3].misfire: 'most': want skip, once or all",
        "bananas.toml: schedules[3].cron: both cron ('@daily') and every ('1d') are given: want one of them",
        "bananas.toml: workers.count: -1: must be a whole number from 0 to 1000",
    ]  # fmt: skip


def test_a_payload_that_is_not_json_is_told(problems):
    (problem,) = problems('schedules = [{name = "a", job = "x", every = "1m", payload = {b = [1, inf]}}]')
    assert problem.startswith("bananas.toml: schedules[1].payload: ")
    assert "['b'][1]" in problem


def test_a_name_that_is_there_twice_is_told(problems):
    one = '{name = "a", job = "x", every = "1m"}'
    assert problems(f"schedules = [{one}, {one}]") == [
        'bananas.toml: schedules[2].name: "a": is the name of schedules[1] already'
    ]


@pytest.mark.parametrize("text", ["[schedules]\nname = 'a'", "schedules = 5", "schedules = ['a']"])
def test_what_are_no_sections_is_told_with_how_to_write_them(problems, text):
    (problem,) = problems(text)
    assert "schedules" in problem
    assert "write [[schedules]] for each" in problem
