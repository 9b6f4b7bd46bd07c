"""The comparison with other systems: what of it can be tried without them."""

import ast
import os
import re
import signal
from pathlib import Path

import pytest

from bananasd.processes import procfs
from bench.__main__ import NAMED, chosen
from bench.errors import BenchError
from bench.ground import Ground, Size
from bench.rivals import environments, kills, rates
from bench.rivals.fleet import APPS, Fleet
from bench.rivals.systems import BANANASD, RIVALS, System
from bench.tree import ROOT, Tree
from tests.conftest import wait_until

SYSTEMS = (BANANASD, *RIVALS)
PAGE = Path(__file__).parents[2] / "docs" / "comparison.md"


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_each_system_has_both_jobs_and_submits_them(system):
    tree = ast.parse((APPS / f"{system.app}.py").read_text())
    functions = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    assert {"noop", "hold", "main"} <= functions


def test_each_rival_is_a_measurement_and_all_are_one():
    assert {"rivals", *(system.name for system in RIVALS)} <= set(NAMED)
    assert list(chosen(["rq"], is_full=False)) == ["rq"]
    assert "rivals" not in chosen([], is_full=True)


def test_rivals_are_not_measured_over_a_socket_that_ours_alone_would_have():
    class OverUnix:
        transport = "unix"

    with pytest.raises(BenchError, match="say --transport tcp"):
        rates.measure(Ground(OverUnix(), None, {}, Size()))


@pytest.mark.parametrize(
    ("after", "words"), [(None, "not within 60 s"), (0.0123, "after 0.01 s"), (12.34, "after 12.3 s")]
)
def test_what_was_seen_is_told_in_seconds(after, words):
    assert kills.told(after, 60) == words


def test_an_unknown_system_is_named_with_those_that_there_are():
    with pytest.raises(BenchError, match=r"no system resque; there are bananasd, celery"):
        kills.main(["resque"])


def test_environments_go_again_unless_a_place_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv(environments.KEPT, raising=False)
    with environments.environments() as directory:
        assert directory.is_dir()
    assert not directory.exists()
    monkeypatch.setenv(environments.KEPT, str(tmp_path))
    with environments.environments() as directory:
        pass
    assert directory == tmp_path


def test_what_cannot_be_installed_is_told(tmp_path):
    impossible = System("impossible", ("not/a requirement",), (), "")
    with pytest.raises(BenchError, match="not/a requirement cannot be installed"):
        environments.programs(impossible, tmp_path)


def test_a_fleet_that_is_killed_leaves_nothing_though_its_parent_was_killed_before(tmp_path):
    orphan = tmp_path / "orphan"
    script = f"sleep 300 & echo $! > {orphan}; wait"
    parent = System("orphans", ("none",), (("sh", "-c", script),), "")
    with Fleet(parent, Path("/usr/bin"), "redis://localhost", Tree.at(str(ROOT))) as fleet:
        fleet.start()
        assert fleet.wait(lambda: orphan.exists() and orphan.read_text().strip(), 10)
        (first, second) = fleet.pids()
        assert {first, second} == {fleet.pids()[0], int(orphan.read_text())}
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: procfs.born(first) is None)
        assert fleet.pids()
    wait_until(lambda: procfs.born(second) is None)


def test_a_job_of_ours_is_seen_to_run_again_after_both_kills(capsys):
    assert kills.main(["bananasd", "--seconds", "20"]) == 0
    row = capsys.readouterr().out.splitlines()[-1]
    assert len(re.findall(r"after [\d.]+ s", row)) == 3, row


def test_the_page_has_a_figure_for_each_system():
    page = PAGE.read_text()
    for system in SYSTEMS:
        assert len(re.findall(rf"^\| {system.name} \d[\w.]* \|", page, re.MULTILINE)) >= 1, system.name
