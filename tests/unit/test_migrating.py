"""The examples of docs/migrating.md: each handler and each program is run as it stands there."""

import re
import sys
from pathlib import Path

import pytest

from bananasd import Status
from bananasd.testing import inline

PAGE = (Path(__file__).parents[2] / "docs" / "migrating.md").read_text()
PROGRAM = "# the program that submits\n"

# What becomes of the jobs of each example, in the order of submission: queue, payload, result.
ENDS = {
    "Celery": [
        ("default", {"order_id": 17, "cents": 990}, {"order": 17, "receipt": "R17"}),
        ("default", {"order_id": 18, "cents": 250}, {"order": 18, "receipt": "R18"}),
    ],
    "RQ": [("texts", {"text": "to be or not to be"}, 6)],
    "Dramatiq": [("images", {"path": "cat.png", "width": 200}, "cat.png at 200")],
    "Sidekiq": [("mail", {"user_id": number}, f"welcome, user {number}") for number in (17, 18, 19)],
    "Bananas in Go": [("default", {"email": "Ada@example.org"}, {"account": "ada@example.org"})],
}


def sections():
    return {text.partition("\n")[0]: text for text in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]}


def our_code(system):
    """The handler's file, its text, and the program."""
    blocks = re.findall(r"^```python\n(.*?)^```$", sections()[system], re.MULTILINE | re.DOTALL)
    (program,) = (block for block in blocks if block.startswith(PROGRAM))
    (handlers,) = (block for block in blocks if block.startswith("# handlers/"))
    return handlers.partition("\n")[0].removeprefix("# "), handlers, program


@pytest.fixture
def _a_bank(monkeypatch):
    """The module that the first example takes for granted."""
    bank = type(sys)("bank")
    bank.charge = lambda order_id, cents: f"R{order_id}"
    bank.IsClosed = type("IsClosed", (Exception,), {})
    monkeypatch.setitem(sys.modules, "bank", bank)


def test_every_system_has_a_table_what_changes_and_an_example():
    systems = [heading for heading in sections() if heading != "The same for all"]
    assert systems == list(ENDS)
    for system in systems:
        assert "| here |" in sections()[system]
        assert "What changes:\n" in sections()[system]


@pytest.mark.parametrize("system", ENDS)
@pytest.mark.usefixtures("_a_bank")
def test_the_example_runs_as_it_stands_there(system, tmp_path):
    name, handlers, program = our_code(system)
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text(handlers)
    with inline(tmp_path / "handlers") as queue:
        exec(compile(program, f"{system}.py", "exec"), {})
    assert {job.status for job in queue.jobs} == {Status.COMPLETED}
    assert [(job.queue, job.payload, job.result) for job in queue.jobs] == ENDS[system]
