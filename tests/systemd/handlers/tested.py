"""Handlers that every daemon in the machine has. They write into the state directory, for nowhere else they may."""

import logging
import os
import time
from pathlib import Path

from bananasd import handler

STATE = Path(os.environ["STATE_DIRECTORY"])


@handler("hold")
def hold(job):
    """Run until the test says so, and keep count of the runs."""
    with (STATE / f"runs-{job.id}").open("a") as runs:
        runs.write(".")
    while not (STATE / f"go-{job.id}").exists():
        time.sleep(0.005)


@handler("nothing")
def nothing(job):
    """Nothing."""


@handler("version")
def version(job):
    return "old"


@handler("complain")
def complain(job):
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(logging.getLogger("mine"), level)("a line of level %s for %s", level, job.payload)
