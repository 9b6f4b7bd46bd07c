"""The lines that docs/operations.md explains are those that the daemon logs."""

import ast
import re
from pathlib import Path

import bananasd

PACKAGE = Path(bananasd.__file__).parent
PAGE = (PACKAGE.parent / "docs" / "operations.md").read_text()
LEVELS = ("debug", "info", "warning", "error", "critical", "exception", "log")


def logged():
    """Each message of the code with the names of the calls that log it."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if is_log_call(node):
                yield from ((node.func.attr, text) for text in map(literal, node.args) if text)


def is_log_call(node):
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LEVELS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "logger"
    )


def literal(node):
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def explained():
    """The words of each row, with its level."""
    section = re.search(r"^### What the lines mean$(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)[1]
    return dict(re.findall(r"^\| `([^`]+)` \| (\w+) \|", section, re.MULTILINE))


def test_every_line_that_is_explained_is_one_of_the_daemon():
    rows, messages = explained(), list(logged())
    assert len(rows) > 25
    for words, level in rows.items():
        calls = {call for call, text in messages if re.match(rf"{re.escape(words)}\b", text)}
        assert calls & {level, "log", *(["exception"] if level == "error" else [])}, (words, level, calls)


def test_every_line_of_level_error_or_above_is_explained():
    rows = explained()
    grave = {text for call, text in logged() if call in ("error", "critical", "exception")}
    assert len(grave) > 10
    assert [text for text in grave if not any(text.startswith(words) for words in rows)] == []
