"""What the benchmark makes of what it measures."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from bananasd.processes import batch
from bench import check, ground, latency, stamps
from bench.__main__ import CORE, FULL, as_json, chosen, main
from bench.errors import BenchError
from bench.figure import Figure, Kind
from bench.forks import in_children
from bench.ground import AGAINST, TREE, YARDSTICK, Ground, Size
from bench.submitter import PROGRAM
from bench.table import number, table
from bench.tree import Tree

GOOD = dict.fromkeys(check.CHECKED, 0.5)
SLOW = dict.fromkeys(check.CHECKED, 0.34)
BARELY = dict.fromkeys(check.CHECKED, 0.36)
FIRST, SECOND = check.CHECKED[:2]


def checked(*runs, recorded=GOOD):
    """What the check says to these runs, and how many of them it asked for."""
    left, said = list(runs), []
    return check.check(recorded, lambda: left.pop(0), said.append), len(runs) - len(left)


def test_ratios_above_seventy_percent_of_their_record_pass_at_once():
    assert checked(BARELY, SLOW) == ([], 1)


def test_a_ratio_that_is_too_small_twice_fails():
    assert checked(GOOD | {FIRST: 0.34}, SLOW) == ([FIRST], 2)


def test_a_ratio_that_is_too_small_once_passes():
    assert checked(SLOW, GOOD) == ([], 2)


def test_another_ratio_in_the_second_run_is_bad_luck_as_well():
    assert checked(GOOD | {FIRST: 0.1}, GOOD | {SECOND: 0.1}) == ([], 2)


def test_the_report_marks_what_missed():
    lines = check.report(GOOD, GOOD | {SECOND: 0.1}).splitlines()
    assert [line.endswith("MISSED") for line in lines] == [label == SECOND for label in check.CHECKED]


def test_what_is_recorded_is_the_median_of_the_runs(tmp_path):
    path = tmp_path / "recorded.toml"
    check.write(path, [GOOD, SLOW, BARELY])
    assert check.read(path) == BARELY


def test_the_record_of_the_repository_has_what_is_checked():
    assert all(ratio > 0 for ratio in check.read(check.RECORD).values())


@pytest.mark.parametrize("text", ["", "[ratios]\n", "[ratios", f'[ratios]\n"{FIRST}" = 0.5\n'])
def test_a_record_that_lacks_something_is_told_with_its_remedy(tmp_path, text):
    path = tmp_path / "recorded.toml"
    path.write_text(text)
    with pytest.raises(BenchError, match=r"recorded\.toml has .*make bench-record"):
        check.read(path)


@pytest.mark.parametrize("part", check.PARTS)
def test_everything_that_is_checked_is_a_figure_of_a_part(part):
    labels = {f"{kind.name} / {kind.yardstick}" for kind in part.KINDS}
    assert labels & set(check.CHECKED)


def sampled(**values):
    return [{who: {"rate": value} for who, value in zip(values, row, strict=True)} for row in zip(*values.values(), strict=True)]  # fmt: skip


def test_a_figure_is_the_median_of_its_rounds_and_of_their_ratios():
    rounds = sampled(tree=[10.0, 40.0, 30.0], yardstick=[20.0, 50.0, 100.0])
    figure = Kind("rate", "drain", "jobs/s", "sketch").figure(rounds)
    assert figure == Figure("drain", 30, "jobs/s", "sketch", 50, 0.5)


def test_where_less_is_better_a_ratio_above_one_still_means_better():
    rounds = sampled(tree=[2.0], yardstick=[1.0], against=[4.0])
    figure = Kind("rate", "latency", "ms", "sketch", is_less_better=True).figure(rounds)
    assert (figure.ratio, figure.against_value, figure.against_ratio) == (0.5, 4, 2)


def test_a_figure_without_a_yardstick_has_no_ratio_to_it():
    figure = Kind("rate", "memory", "MB").figure(sampled(tree=[2.0], yardstick=[1.0]))
    assert (figure.yardstick_value, figure.ratio) == (None, None)


def test_what_never_happened_is_never_better():
    figure = Kind("rate", "CPU", "%", is_less_better=True).figure(sampled(tree=[0.0], against=[1.0]))
    assert (figure.value, figure.against_value, figure.against_ratio) == (0, 1, None)


class Emptied:
    """A server that counts how often it was emptied."""

    times = 0

    def empty(self):
        self.times += 1


def test_rounds_go_to_and_fro_on_an_empty_server():
    server, seen = Emptied(), []
    sides = {TREE: "this", AGAINST: "that"}
    found = Ground(server, None, sides, Size(rounds=2)).rounds(
        lambda _, side: seen.append(side) or {"n": len(seen)}, lambda _: seen.append("yardstick") or {"n": len(seen)}
    )  # fmt: skip
    assert seen == ["yardstick", "this", "that", "that", "this", "yardstick"]
    assert found[1] == {AGAINST: {"n": 4}, TREE: {"n": 5}, YARDSTICK: {"n": 6}}
    assert server.times == 6


def test_a_scale_changes_all_counts_and_none_to_nothing():
    size = Size(rounds=5).scaled(0.0001)
    assert (size.rounds, size.drained, size.enqueued, list(size.backlogs)) == (5, 10, 1, [1, 10, 100])
    assert set(ground.COUNTED) | {"rounds", "backlogs", "idle_seconds", "slept_seconds"} == set(vars(size))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), (0.0, "0"), (12345.6, "12,346"), (99.94, "99.9"), (0.01234, "0.0123"), (3.0, "3")],
)
def test_numbers_show_three_digits(value, shown):
    assert number(value) == shown


def test_the_table_has_columns_of_the_other_tree_only_if_there_is_one():
    alone = Figure("drain", 25_000.0, "jobs/s", "sketch", 50_000.0, 0.5)
    compared = Figure("drain", 25_000.0, "jobs/s", "sketch", 50_000.0, 0.5, 20_000.0, 1.25, (1.0, 1.5))
    assert table([alone]).splitlines() == [
        "figure                  yardstick          share",
        "drain   25,000  jobs/s  sketch     50,000   0.50",
    ]
    assert table([compared, alone]).splitlines() == [
        "figure                  yardstick          share  against  this/that  least to most",
        "drain   25,000  jobs/s  sketch     50,000   0.50   20,000       1.25   1.00 to 1.50",
        "drain   25,000  jobs/s  sketch     50,000   0.50",
    ]


def test_json_has_every_field_of_a_figure():
    told = json.loads(as_json("2 cores", [Figure("drain", 1.0, "jobs/s", "sketch", 2.0, 0.5)]))
    assert told["machine"] == "2 cores"
    assert told["figures"][0] == {
        "name": "drain", "value": 1.0, "unit": "jobs/s", "yardstick": "sketch", "yardstick_value": 2.0, "ratio": 0.5,
        "against_value": None, "against_ratio": None, "against_range": None,
    }  # fmt: skip


def test_without_names_the_core_is_measured_or_everything():
    assert (chosen([], False), chosen([], True)) == (CORE, FULL)
    assert list(chosen(["latency", "drain"], False)) == ["latency", "drain"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["drian"], "no measurement drian; there are bare, enqueue, drain"),
        (["--rounds", "0"], "--rounds 0"),
        (["--scale", "0"], "--scale 0"),
        (["--tree", "/nowhere"], "/nowhere has no bananasd/ in it"),
        (["--against", "/"], "/ has no bananasd/ in it"),
    ],
)
def test_bad_arguments_are_told_before_anything_starts(arguments, message):
    with pytest.raises(BenchError, match=message):
        main(arguments)


def test_a_tree_hides_what_would_lead_its_daemon_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("BANANAS_REDIS_URL", "redis://elsewhere")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    (tmp_path / "bananasd").mkdir()
    (tmp_path / "bananasd" / "__main__.py").touch()
    environ = Tree.at(str(tmp_path)).environ(BENCH_STAMPS="here")
    assert "BANANAS_REDIS_URL" not in environ
    assert (environ["PYTHONPATH"], environ["BENCH_STAMPS"]) == (str(tmp_path), "here")


def test_what_a_tree_runs_is_its_own(tmp_path):
    (tmp_path / "bananasd").mkdir()
    for name in ("__init__.py", "__main__.py"):
        (tmp_path / "bananasd" / name).touch()
    tree = Tree.at(str(tmp_path))
    for start in (["-c", "import bananasd; print(bananasd.__file__)"], [str(PROGRAM), "--help"]):
        done = subprocess.run(
            tree.command(*start), env=tree.environ(), cwd="/", capture_output=True, text=True
        )
        assert str(tmp_path) in done.stdout + done.stderr


def test_percentiles_are_values_that_were_measured():
    assert latency.ranks([float(n) for n in range(1000, 0, -1)]) == {
        "p50": 501, "p99": 991, "p99.9": 1000, "max": 1000,
    }  # fmt: skip
    assert set(latency.ranks([7.0]).values()) == {7}


def test_stamps_tell_the_rate_from_the_first_to_the_last(tmp_path):
    path = tmp_path / "stamps"
    assert stamps.count(path) == 0
    path.write_bytes(b"".join(b"%019d\n" % (n * 10**6) for n in (30, 10, 20)))
    assert (stamps.count(path), stamps.rate(stamps.read(path))) == (3, 100)


def test_timed_stamps_tell_how_long_a_job_waited(tmp_path):
    path = tmp_path / "stamps"
    assert stamps.count_timed(path) == 0
    path.write_text("high 1000000 3500000 4000000\n")
    (job,) = stamps.read_timed(path)
    assert (stamps.count_timed(path), job.kind, job.waited_ms) == (1, "high", 2.5)


def test_children_return_what_they_found():
    assert sorted(in_children(3, lambda number: number / 2)) == [0, 0.5, 1]


def test_a_child_that_fails_is_told(capfd):
    with pytest.raises(BenchError, match=r"ended with \[1\]"):
        in_children(1, lambda number: 1 / number)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_the_switch_of_mixed_makes_a_worker_claim_one_at_a_time(monkeypatch):
    quick = batch.BatchSize(mean_seconds=1e-6)
    assert quick.jobs > 1
    monkeypatch.setattr(batch, "MAX_BATCH", 1)
    assert quick.jobs == 1


def test_the_page_names_every_measurement_in_the_order_of_a_run():
    page = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text()
    table = page.partition("## What is measured")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(FULL)
