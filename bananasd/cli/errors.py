"""Errors as a command tells them: one clear line on standard error, and an exit code that scripts can act on."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from click.exceptions import ClickException, Exit, NoArgsIsHelpError, UsageError

from ..errors import (
    AlreadyRunning,
    BadAddress,
    BadDirectory,
    BananasError,
    ConfigError,
    ConnectionFailed,
    HandlersError,
    InvalidJob,
    StopTimeout,
    WaitTimeout,
)
from ..log import journal_mark
from .output import printable

FAILED = 1
USAGE = 2
UNREACHABLE = 69
ALREADY_RUNNING = 73
TIMED_OUT = 75
BROKEN_CONFIG = 78
INTERRUPTED = 130

_EXIT_CODES: dict[type[BananasError], int] = {
    InvalidJob: USAGE,
    BadAddress: USAGE,
    ConnectionFailed: UNREACHABLE,
    AlreadyRunning: ALREADY_RUNNING,
    BadDirectory: BROKEN_CONFIG,
    WaitTimeout: TIMED_OUT,
    StopTimeout: TIMED_OUT,
    ConfigError: BROKEN_CONFIG,
    HandlersError: BROKEN_CONFIG,
}


class Failure(BananasError):
    """What a command could not do, where no other error says it."""


def warn(text: str) -> None:
    """Tell something that does not keep the command from going on."""
    _tell(logging.WARNING, f"warning: {text}")


def _tell(level: int, text: str) -> None:
    click.echo(f"{journal_mark(level, sys.stderr)}bananasd: {text}", err=True)


@contextmanager
def reported() -> Iterator[None]:
    """Tell what a command raises, and end with its exit code. What no one foresaw keeps its traceback: it is a bug."""
    try:
        yield
    except BrokenPipeError:
        raise  # click ends quietly: whoever read the output has seen enough
    except (BananasError, OSError) as error:
        for problem in _problems(error):
            # It may quote a job's name or a file, which must not be able to drive a terminal.
            _tell(logging.ERROR, printable(problem))
        raise Exit(_exit_code(error)) from None
    except NoArgsIsHelpError:
        raise  # click shows the help
    except ClickException as error:
        _tell(logging.ERROR, _complaint(error))
        raise Exit(error.exit_code) from None
    except KeyboardInterrupt:
        click.echo(err=True)  # closes the line of the terminal's ^C
        raise Exit(INTERRUPTED) from None


def _problems(error: BananasError | OSError) -> list[str]:
    if isinstance(error, (ConfigError, HandlersError)):
        return error.problems
    if isinstance(error, OSError) and error.filename:
        return [f"{error.filename}: {error.strerror}"]
    return [str(error)]


def _complaint(error: ClickException) -> str:
    """What is wrong with how a command was called, in one line, and where its help is."""
    message = printable(" ".join(error.format_message().split()))
    if isinstance(error, UsageError) and error.ctx is not None:
        return f"{message.rstrip('.')} (see '{error.ctx.command_path} --help')"
    return message


def _exit_code(error: BananasError | OSError) -> int:
    return next((code for kind, code in _EXIT_CODES.items() if isinstance(error, kind)), FAILED)
