"""Create the account of a new user."""

import logging
import time
import uuid
from typing import Any

from bananasd import GiveUp, Job, handler

log = logging.getLogger(__name__)


@handler("user_signup", max_retries=5, timeout_seconds=30)
def user_signup(job: Job) -> dict[str, str]:
    """Payload: ``{"email": "ada@example.org"}``. Result: the e-mail address and the id of the account."""
    email = _email(job.payload)
    # A job may run twice, after a crash: an id that follows from the payload makes that one account.
    user_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{email}"))
    log.info("creating account %s", user_id)
    time.sleep(1)  # here a real handler would write to its database
    return {"email": email, "user_id": user_id}


def _email(payload: Any) -> str:
    email = payload.get("email") if isinstance(payload, dict) else None
    if not isinstance(email, str) or "@" not in email:
        # No retry makes a payload right: give up at once, and say what would have been right.
        raise GiveUp('the payload has no e-mail address: want {"email": "ada@example.org"}')
    return email.lower()
