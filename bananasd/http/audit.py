"""Who did what on the pages, and what came of it: in the log whatever its level, for it cannot be asked for afterwards."""

import logging
from dataclasses import dataclass

from starlette.requests import Request

from .keys import Keyring

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)


@dataclass(slots=True)
class Note:
    """To what something was done, and what came of it."""

    target: str
    outcome: str = "unknown"


def note_action(request: Request, keyring: Keyring, action: str, note: Note) -> None:
    """Something was done, or tried."""
    who = keyring.who(request)
    logger.info("http action=%r target=%r who=%s outcome=%r", action, note.target, who, note.outcome)


def note_visit(request: Request, keyring: Keyring, action: str) -> None:
    """Somebody came or went."""
    logger.info("http action=%r who=%s", action, keyring.who(request))
