"""To be replaced by yours."""

import logging

from bananasd import Job, handler

log = logging.getLogger(__name__)


@handler("greet")
def greet(job: Job) -> str:
    """Greet whom the payload names."""
    log.info("greeting somebody")  # payloads stay out of the log, which more people read
    return f"Hello, {job.payload['name']}!"
