"""Welcome a new user by e-mail."""

import logging
import time
from typing import Any

from bananasd import GiveUp, Job, handler

log = logging.getLogger(__name__)


@handler("send_welcome_email", max_retries=5, timeout_seconds=60)
def send_welcome_email(job: Job) -> dict[str, str]:
    """Payload: ``{"to": "ada@example.org"}``. Result: whom it was sent to."""
    to = _recipient(job.payload)
    # Nothing of the payload: a log is kept longer, and read by more people. The line has the job's id.
    log.info("sending a welcome")
    time.sleep(0.5)  # here a real handler would talk to its mail server; if that fails, it is tried again
    return {"sent_to": to}


def _recipient(payload: Any) -> str:
    to = payload.get("to") if isinstance(payload, dict) else None
    if not isinstance(to, str) or "@" not in to:
        raise GiveUp('the payload has no recipient: want {"to": "ada@example.org"}')
    return to
