"""What the doctor has to say of a thing beside the jobs: the server, the nodes, the unit."""

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """``error``: jobs are lost, refused or not run. ``warning``: it works, and will cost something some day."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Remark(NamedTuple):
    """``what`` there is to say, ``where`` it is so, and the ``remedy``; ``check`` names what was looked at."""

    level: Level
    check: str
    what: str = ""
    where: str = ""
    remedy: str = ""
