"""The dashboard in the demo: at a free port if it can be had, and a while to look at it if somebody sits there."""

import select
import socket
import sys
from collections.abc import Callable
from importlib.util import find_spec

import click

from . import clock
from .http.obstacles import LIBRARIES

LOOK_SECONDS = 60.0
SLICE_SECONDS = 0.5


def free_address() -> str:
    """Where the dashboard can listen; empty if its libraries are not installed."""
    if not all(map(find_spec, LIBRARIES)):
        return ""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


def let_look(check_alive: Callable[[], None]) -> None:
    """Wait for Enter, or until the time is over; not at all where nobody sits at a terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return
    click.echo(f"   Now look at the dashboard. The demo goes on in {LOOK_SECONDS:.0f} s, or with Enter.")
    deadline = clock.deadline_in(LOOK_SECONDS)
    while left := clock.remaining(deadline):
        check_alive()
        if select.select([sys.stdin], [], [], min(SLICE_SECONDS, left))[0]:
            sys.stdin.readline()
            return
