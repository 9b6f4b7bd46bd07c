"""Who did what on the pages, and what came of it: in the log whatever its level, for it cannot be asked for afterwards."""

import logging

from starlette.requests import Request

from .keys import Keyring

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)


def note_action(request: Request, keyring: Keyring, action: str, target: str, outcome: str) -> None:
    """Something was done, or tried."""
    logger.info("http action=%r target=%r who=%s outcome=%r", action, target, keyring.who(request), outcome)


def note_visit(request: Request, keyring: Keyring, action: str) -> None:
    """Somebody came or went."""
    logger.info("http action=%r who=%s", action, keyring.who(request))
