"""``bananasd run``: a handler without Redis."""

import json
import re
from pathlib import Path

import pytest

from bananasd import Client
from tests.command_line import bananasd
from tests.conftest import RedisServer

HANDLERS = """
import logging, sys
from bananasd import GiveUp, handler

@handler("double")
def double(job):
    logging.info("doubling %s", job.payload)
    job.set_progress(1, 2, "half\\x1b")
    assert not job.should_stop and job.attempt == 1 and job.started_at >= job.created_at
    return {"n": job.payload["n"] * 2}

@handler("later")
async def later(job):
    return None

@handler("raise")
def fail(job):
    return 1 / 0

@handler("exit")
def leave(job):
    sys.exit(3)

@handler("interrupt")
def interrupt(job):
    raise KeyboardInterrupt

@handler("set")
def no_json(job):
    return {1, 2}

@handler("typed")
def typed(job, payload: dict[str, int]):
    return sum(payload.values())

@handler("chain")
def chain(job):
    return double.submit({"n": 1})
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with handlers that end in every way."""
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "tested.py").write_text(HANDLERS)
    path = tmp_path / "bananas.toml"
    path.write_text('[redis]\nurl = "redis://localhost:1"\n[log]\nformat = "text"\n')
    return path


def test_the_result_is_printed_as_json_and_all_else_apart(config: Path) -> None:
    result = bananasd("run", "double", "--payload", '{"n": 21}', "--config", config)
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"n": 42}
    assert "progress: 1 of 2: half\\x1b\n" in result.stderr


def test_logs_carry_the_job(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "name=double attempt=1] root: doubling" in bananasd(
        "run", "double", "--payload", '{"n": 1}', "--config", config
    ).stderr  # fmt: skip


def test_an_async_handler_that_returns_nothing(config: Path) -> None:
    assert bananasd("run", "later", "--config", config).stdout == "null\n"


def test_a_handler_that_raises_shows_its_own_traceback(config: Path) -> None:
    result = bananasd("run", "raise", "--config", config)
    assert (result.exit_code, result.stdout) == (1, "")
    lines = result.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert 'tested.py", line' in lines[1]
    assert "ZeroDivisionError: division by zero" in lines
    assert lines[-1] == "bananasd: the handler 'raise' raised ZeroDivisionError"


def test_a_handler_that_exits_has_failed(config: Path) -> None:
    result = bananasd("run", "exit", "--config", config)
    assert result.exit_code == 1
    assert result.stderr.endswith("bananasd: the handler 'exit' raised SystemExit\n")


def test_a_typed_handler_gets_what_it_declares(config: Path) -> None:
    assert bananasd("run", "typed", "--payload", '{"a": 1, "b": 2}', "--config", config).stdout == "3\n"


def test_a_payload_that_does_not_fit_the_handler(config: Path) -> None:
    result = bananasd("run", "typed", "--payload", "[]", "--config", config)
    assert (result.exit_code, result.stdout) == (1, "")
    told = "bananasd: the payload does not fit the handler: $: expected object, got array\n"
    assert result.stderr == told


def test_ctrl_c_ends_it(config: Path) -> None:
    result = bananasd("run", "interrupt", "--config", config)
    assert result.exit_code == 130
    assert "Traceback" not in result.stderr


def test_a_result_that_is_not_json(config: Path) -> None:
    result = bananasd("run", "set", "--config", config)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(
        "bananasd: the handler returned, but the result cannot be written as JSON"
    )


def test_an_unknown_name_is_told_with_those_that_there_are(config: Path) -> None:
    result = bananasd("run", "dubble", "--config", config)
    assert result.exit_code == 1
    assert "chain, double, exit" in result.stderr


def test_a_payload_that_no_job_could_have(config: Path) -> None:
    assert bananasd("run", "double", "--payload", "NaN", "--config", config).exit_code == 2


def test_broken_handlers(config: Path) -> None:
    (config.parent / "handlers" / "broken.py").write_text("import nothing_of_this_name\n")
    result = bananasd("run", "double", "--config", config)
    assert result.exit_code == 78
    assert "broken.py:1: ModuleNotFoundError" in result.stderr


def test_what_a_handler_submits_goes_to_the_server_of_the_configuration(
    config: Path, server: RedisServer
) -> None:
    config.write_text(f'namespace = "mine"\n[redis]\nurl = "{server.url}"\n')
    job_id = json.loads(bananasd("run", "chain", "--config", config).stdout)
    with Client(server.url, namespace="mine") as client:
        assert client.get_job(job_id).name == "double"


def test_the_handler_in_the_readme_runs(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (example,) = re.findall(
        r"^```python\n(from dataclasses.*?)^```$",
        readme.partition("\n## Handlers\n")[2],
        re.MULTILINE | re.DOTALL,
    )
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "payments.py").write_text(example)
    (tmp_path / "bananas.toml").write_text("")
    config = tmp_path / "bananas.toml"
    paid = bananasd("run", "charge_card", "--payload", '{"customer": "Ada", "cents": 5}', "--config", config)
    assert json.loads(paid.stdout) == "Ada has paid 5 cents"
    wrong = bananasd(
        "run", "charge_card", "--payload", '{"customer": "Ada", "cents": "5"}', "--config", config
    )
    assert wrong.stderr.endswith("$.cents: expected int, got str\n")
