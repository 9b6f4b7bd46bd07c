"""The Lua scripts: one file per transition, sent by digest, in full only when the server does not know it."""

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

INCLUDE = "--!include "
SCRIPTS = files(__package__).joinpath("lua")

Command = tuple[Any, ...]


class Script:
    """A script that is called by name; ``lib/*.lua`` stands in for its include lines.

    A call makes every function anew that it comes by, and each costs it a tenth of a microsecond. So the scripts that
    every job goes through include in a block of their own what only some jobs need.
    """

    __slots__ = ("digest", "name", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def by_digest(self, keys: Sequence[str], args: Sequence[Any]) -> Command:
        """The command that every call tries first."""
        return ("EVALSHA", self.digest, len(keys), *keys, *args)

    def in_full(self, keys: Sequence[str], args: Sequence[Any]) -> Command:
        """The command for a server that has lost the script, or never had it."""
        return ("EVAL", self.text, len(keys), *keys, *args)


@cache
def script(name: str) -> Script:
    """The script of ``lua/NAME.lua``."""
    return Script(name, _assemble(f"{name}.lua"))


def _assemble(path: str) -> str:
    text = SCRIPTS.joinpath(path).read_text("utf-8")
    lines = [
        _assemble(f"lib/{line.strip().removeprefix(INCLUDE)}.lua")
        if line.lstrip().startswith(INCLUDE)
        else line
        for line in text.splitlines()
    ]
    return "\n".join(lines) + "\n"
