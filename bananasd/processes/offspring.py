"""What a handler starts by multiprocessing's ``spawn`` or ``forkserver``: a fresh interpreter, which this makes one of its worker's.

Such a process imports the main module of the one that started it, so that what is pickled can be found there. In a
worker that module is this one. It opens the handlers' package, whose modules are in no place where an import would look,
and sets up the log; both as the worker has left it in the environment.
"""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from .. import log
from ..handlers import open_package
from .board import Board
from .row import Row

VARIABLE = "BANANASD_OFFSPRING"


def provide(handlers: Path, row: Row | None = None) -> None:
    """From now on be ready for such processes. ``row``: that of this worker, which shows the job for which they log."""
    told: dict[str, object] = {"handlers": str(handlers.absolute()), "log": log.settings()}
    told["log_file"] = log.file()
    if row is not None:
        told |= {"board": str(row.board_path), "row": row.index, "generation": row.generation}
    os.environ[VARIABLE] = json.dumps(told)
    sys.modules["__main__"] = sys.modules[__name__]


def begin() -> None:
    """In the new process, before anything is unpickled."""
    if VARIABLE not in os.environ:
        return  # a handler gave it an environment without: it can do what needs none of this
    told = json.loads(os.environ[VARIABLE])
    level, form, process = told["log"]
    log.set_process(process)
    # A fork server has the file of before, if that was renamed meanwhile.
    with suppress(OSError):
        log.to_file(told.get("log_file", ""))
    log.configure(level, form)
    log.capture()
    open_package(Path(told["handlers"]))
    if "board" in told and (board := Board.open(Path(told["board"]))):
        row = board.rows[told["row"]]
        log.ask_job(lambda: _job_in(row, told["generation"]))


def _job_in(row: Row, generation: int) -> log.JobContext | None:
    """The job that the worker runs; none if there is none, or the row is another's by now."""
    job = row.job()
    return (job.job_id, job.name, job.attempt) if job and row.generation == generation else None


if __name__ == "__mp_main__":
    begin()
