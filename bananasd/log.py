"""Logging: one event, one line, as text or JSON, with the job that was running and without secrets."""

import json
import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from types import FunctionType, MethodType, TracebackType
from typing import Any, TextIO

from . import clock
from .escapes import escape
from .masking import mask_url

_SYSLOG_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG_PRIORITY = 7

STDERR = 2

logger = logging.getLogger(__name__)

JobContext = tuple[str, str, int]
"""Id, name and attempt."""

_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None]

_process = "bananasd"
_file = ""
_level, _format = "info", "auto"
_job: JobContext | None = None
_ask_job: Callable[[], JobContext | None] | None = None


def configure(level: str, format: str, stream: TextIO | None = None) -> None:  # noqa: A002 - as in [log]
    """Send every record to ``stream`` (standard error), in place of what an earlier call set up.

    ``level``: debug, info, warning, error or critical. ``format``: text, json, or auto, which takes text for a
    terminal and for systemd's journal, and JSON for everything else.
    """
    global _level, _format
    _level, _format = level, format
    stream = stream or sys.stderr
    is_journal = _is_journal(stream)
    is_text = format == "text" or (format == "auto" and (is_journal or stream.isatty()))
    handler = _LineHandler(stream)
    handler.setFormatter(_TextFormatter(is_journal) if is_text else _JsonFormatter())
    root = logging.getLogger()
    root.handlers = [other for other in root.handlers if not isinstance(other, _LineHandler)] + [handler]
    root.setLevel(level.upper())
    logging.setLogRecordFactory(_make_record)


def capture() -> None:
    """Log what Python would print by itself: warnings, and exceptions that end a thread or that nobody can catch."""
    warnings.showwarning = _log_warning
    threading.excepthook = _log_thread
    sys.unraisablehook = _log_unraisable


def to_file(path: str) -> None:
    """Let standard error, and with it all that is logged, end in this file from now on; "" leaves it where it is.

    Raises OSError if the file cannot be opened; then nothing has changed.
    """
    global _file  # noqa: PLW0603 - there is one standard error
    if path:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        # In place: no line that another thread writes meanwhile is lost, and programs of handlers follow, too.
        os.dup2(descriptor, STDERR)
        os.close(descriptor)
        _file = path


def reopen() -> None:
    """Write to the file of that name, after somebody has renamed the old one; the old one is kept if that fails."""
    with suppress(OSError):
        to_file(_file)


def set_process(name: str) -> None:
    """Name this process in its lines from now on: ``master``, ``worker 3``."""
    global _process  # noqa: PLW0603 - what this process is
    _process = name


def set_job(job_id: str, name: str, attempt: int) -> None:
    """Put a job into every record of this process, whichever thread makes it: a worker runs one at a time."""
    global _job  # noqa: PLW0603 - a plain variable costs the least, and this happens twice a job
    _job = (job_id, name, attempt)


def settings() -> tuple[str, str, str]:
    """Level and format as they were set up, and the name of this process: what another has to know to log as this one does."""
    return _level, _format, _process


def file() -> str:
    """The file in which its lines end; "" if standard error was left where it was."""
    return _file


def ask_job(ask: Callable[[], JobContext | None]) -> None:
    """Put the job that this tells into every record: this process works for one that runs jobs, and runs none itself."""
    global _ask_job  # noqa: PLW0603
    _ask_job = ask


def clear_job() -> None:
    """No job is running any more."""
    global _job  # noqa: PLW0603
    _job = None


class _LineHandler(logging.StreamHandler[TextIO]):
    """Writes lines; nothing that a record holds, and no state of the stream, may raise in the caller."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            return super().format(record)
        except Exception as error:  # noqa: BLE001 - a record holds users' objects, whose __str__ may do anything
            # A line that says so beats no line.
            return super().format(_unformattable(record, error))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """The stream failed. Logging's own way would print the record's arguments there, with their secrets."""


class _TextFormatter(logging.Formatter):
    """``TIME LEVEL PROCESS [id=… name=… attempt=…] LOGGER: MESSAGE``; what follows its first line is indented.

    For the journal each line begins with its priority, which systemd takes off again.
    """

    def __init__(self, has_priority: bool) -> None:
        super().__init__()
        self.has_priority = has_priority

    def format(self, record: logging.LogRecord) -> str:
        job = _job_of(record)
        context = " [id={} name={} attempt={}]".format(*job) if job else ""
        head = f"{_time(record)} {record.levelname.lower()} {_process}{context} {record.name}: "
        body = "\n".join(filter(None, (record.getMessage(), _traceback(self, record), record.stack_info)))
        prefix = f"<{_priority(record.levelno)}>" if self.has_priority else ""
        # Text from users may hold line ends: it must not be able to begin a line that looks like one of ours.
        return prefix + escape(mask_url(head + body)).replace("\n", f"\n{prefix}    ")


class _JsonFormatter(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "process": _process,
            "pid": record.process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if job := _job_of(record):
            fields |= {"job_id": job[0], "job_name": job[1], "attempt": job[2]}
        if error := _traceback(self, record):
            fields["exception"] = error
        if record.stack_info:
            fields["stack"] = record.stack_info
        # Before the encoding: what hides a password in a finished line could take the closing quote with it.
        return json.dumps(
            {key: mask_url(value) if isinstance(value, str) else value for key, value in fields.items()}
        )


def _log_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int,
    file: TextIO | None = None, line: str | None = None,
) -> None:  # fmt: skip
    if file is not None:
        file.write(warnings.formatwarning(message, category, filename, lineno, line))
        return
    # By the name that logging's own captureWarnings has, for those who set a level for it.
    logging.getLogger("py.warnings").warning("%s: %s at %s:%d", category.__name__, message, filename, lineno)


def _log_thread(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_type is not SystemExit:
        name = failure.thread and failure.thread.name
        logger.error("thread failed name=%s", name, exc_info=_error_of(failure))


def _log_unraisable(failure: "sys.UnraisableHookArgs") -> None:
    # Not its repr, which is code of a user, and may hold what no line may.
    where = failure.object
    named = where if isinstance(where, (FunctionType, MethodType)) else type(where)
    logger.error("exception ignored in=%s", named.__qualname__, exc_info=_error_of(failure))


def _error_of(failure: "threading.ExceptHookArgs | sys.UnraisableHookArgs") -> _ExceptionInfo:
    # Three of them: one exception alone that counts as false would be none to logging.
    error = failure.exc_value
    if error is None:
        error = RuntimeError(f"{failure.exc_type.__qualname__}, of which nothing else is known")
    return type(error), error, failure.exc_traceback


def _make_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    # At its making, not at its formatting: handlers of users may format it later, when another job runs.
    record = logging.LogRecord(*args, **kwargs)
    record.__dict__["bananas_job"] = _ask_job() if _ask_job else _job
    return record


def _job_of(record: logging.LogRecord) -> JobContext | None:
    return record.__dict__.get("bananas_job")


def _unformattable(record: logging.LogRecord, error: Exception) -> logging.LogRecord:
    reason = traceback.format_exception_only(error)[-1].strip()
    message = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
    text = f"log call cannot be formatted at {record.pathname}:{record.lineno}: {reason}: {message}"
    replaced = {"msg": text, "args": None, "exc_info": None, "stack_info": None}
    return logging.makeLogRecord(record.__dict__ | replaced)


def _time(record: logging.LogRecord) -> str:
    instant = clock.to_datetime(int(record.created * 1000))
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    # log.exception() where nothing was raised leaves a tuple of three None.
    return formatter.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""


def _priority(level: int) -> int:
    """The priority of syslog, as sd-daemon(3) has it."""
    return next((priority for least, priority in _SYSLOG_PRIORITIES if level >= least), _DEBUG_PRIORITY)


def journal_mark(level: int, stream: TextIO | None) -> str:
    """What a line of this level begins with, if systemd's journal reads the stream; it takes that off again."""
    return f"<{_priority(level)}>" if _is_journal(stream) else ""


def _is_journal(stream: TextIO | None) -> bool:
    """Whether systemd reads this stream: it says so by the device and inode of the socket it made."""
    if stream is None:
        return False
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
