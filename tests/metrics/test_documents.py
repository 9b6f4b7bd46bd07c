"""The board of Grafana and the alert rules name what is really told, and each alert leads to what to do."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bananasd import Client
from bananasd.metrics.exposition import Metrics
from bananasd.processes.board import Board
from bananasd.processes.row import Kind, State, Word
from bananasd.processes.run_tally import RunTally
from bananasd.store.access import Access
from bananasd.store.connection import Server
from bananasd.store.store import Retention
from tests.conftest import RedisServer

DOCS = Path(__file__).parents[2] / "docs"
BOARD = json.loads((DOCS / "grafana.json").read_text())
(GROUP,) = yaml.safe_load((DOCS / "alerts.yml").read_text())["groups"]
RULES = {rule["alert"]: rule for rule in GROUP["rules"]}
OPERATIONS = (DOCS / "operations.md").read_text()
FUNCTIONS = {"sum", "max", "count", "rate", "increase", "histogram_quantile", "label_values"}
OF_PROMETHEUS = {"instance", "job", "le"}


def expressions() -> Iterator[str]:
    """Every query of the board and the rules."""
    yield from (target["expr"] for panel in BOARD["panels"] for target in panel.get("targets", ()))
    yield from (variable["query"] for variable in BOARD["templating"]["list"] if variable["type"] == "query")
    yield from (rule["expr"] for rule in RULES.values())


EXPRESSIONS = sorted(set(expressions()))


@pytest.fixture
def told(tmp_path: Path, server: RedisServer) -> dict[str, set[str]]:
    """Names of samples, each with the labels that it has."""
    board = Board.create(tmp_path, "n-1", 4)
    row = board.rows[0]
    row.words[Word.GENERATION], row.words[Word.KIND], row.state = 1, Kind.WORKER, State.UP
    assert board.tallies is not None
    RunTally(board.tallies.of_row(row, 3), ["mail"], ["default:high"])
    with Client(server.url) as client:
        client.submit_job("mail", {})
        client.pause("default")
    metrics = Metrics(board, Access(Server(server.url, 5), "default", Retention()))
    samples = [
        s for family in text_string_to_metric_families(metrics.text().decode()) for s in family.samples
    ]
    return {sample.name: set(sample.labels) for sample in samples}


def names_in(expression: str) -> set[str]:
    return set(re.findall(r"\bbananasd_\w+", expression))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_a_query_names_is_told(expression, told):
    names = names_in(expression)
    assert names or expression == 'up{job="bananasd"} == 0'
    assert names <= set(told)


def test_a_job_that_no_handler_is_loaded_for_is_one_alert():
    """By its own rule; the other one takes only what a handler was called for."""
    runs = re.findall(r"bananasd_job_runs_total\{(.*?)\}", RULES["BananasdHandlerFails"]["expr"])
    assert runs and all('handler!=""' in labels for labels in runs)
    assert 'handler=""' in RULES["BananasdNoHandler"]["expr"]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_query_asks_for_labels_that_are_there(expression, told):
    labels = set().union(*(told[name] for name in names_in(expression)), OF_PROMETHEUS)
    asked = re.findall(r"(\w+)=~?\"|(\w+)!~?\"", expression)
    grouped = re.findall(r"by \(([\w, ]+)\)", expression)
    used = {one for pair in asked for one in pair if one} | {one for by in grouped for one in by.split(", ")}
    assert used <= labels


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_query_is_written_as_promql_is(expression):
    bare = re.sub(r'"[^"]*"', '""', expression)
    assert '"' not in bare.replace('""', "")
    for opening, closing in ("()", "{}", "[]"):
        assert bare.count(opening) == bare.count(closing)
    assert set(re.findall(r"\b(\w+)(?= ?\((?!\w+[,)]))", bare)) - {"by", "and", "or"} <= FUNCTIONS
    for ranged in re.findall(r"(?:rate|increase)\((\w+)", bare):
        assert re.search(r"_(total|bucket|count|sum)$", ranged), f"{ranged} is no counter"


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_every_node_tells_alike_is_not_summed_over_nodes(expression):
    for name in names_in(expression):
        if name.startswith("bananasd_namespace_"):
            assert re.search(rf"max(?: by \([\w, ]+\) )?\((?:rate\(|increase\()?{name}", expression)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_told_of_a_namespace_is_told_by_its_server(expression):
    # "default" is the name of one on many servers.
    groups = re.findall(r"by \(([^)]*)\) \((?:rate\(|increase\()?bananasd_namespace_", expression)
    assert all(group.startswith("server, namespace") for group in groups)


def test_everything_that_is_told_is_on_the_board(told):
    shown = set().union(*map(names_in, EXPRESSIONS))
    bases = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in shown}
    assert {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in told} <= bases


def test_the_panels_of_the_board_lie_side_by_side():
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_an_alert_says_what_is_wrong_and_leads_to_what_to_do(rule: dict[str, Any]):
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"\d+[mh]", rule.get("for", "0m"))
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["annotations"]["summary"] and rule["annotations"]["description"]
    assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"
    section = OPERATIONS.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    told = section.partition(f"\n### {rule['alert']}\n")[2].partition("\n### ")[0]
    assert len(told.split()) > 20, "what to do?"


def test_the_runbook_has_no_alert_that_is_none():
    section = OPERATIONS.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^### (\w+)$", section, re.MULTILINE)) == set(RULES)
