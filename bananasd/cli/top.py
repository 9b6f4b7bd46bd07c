"""``bananasd top``: ``status`` and ``queues`` together, live."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from .. import clock
from ..settings import Config
from .errors import Failure
from .keyboard import Keyboard
from .nodes import Line
from .observer import Observer
from .output import columns
from .picture import picture
from .rates import Look
from .server import takes_config
from .times import duration

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

STYLES = {"title": "bold", "head": "dim", "note": "dim", "bad": "bold red", "good": "", "": ""}
MIN_INTERVAL_SECONDS = 0.1
SLICE_SECONDS = 0.1
"""How soon a resized terminal is drawn anew."""

QUIT = ("q", "Q")
UNBOUNDED = 10**9


@click.command()
@click.option(
    "--interval",
    metavar="TIME",
    type=duration,
    default="1",
    help="The time from one look to the next; by default 1 s.",
)
@takes_config
def top(config: Config, interval: float) -> None:
    """Watch the daemon and its queues live; q or Ctrl-C ends it.

    It shows what 'status' and 'queues' do, with CPU as percent of a core and jobs a second since the look before. It
    goes on while the daemon or Redis is away. If the output is no terminal it is one picture.
    """
    try:
        from rich.console import Console  # noqa: PLC0415
    except ImportError:
        raise Failure("top needs the extra of its name: pip install 'bananasd[top]'") from None
    console = Console()
    with Observer(config) as observer:
        if not sys.stdout.isatty() or console.is_dumb_terminal:
            _echo(picture(None, observer.look(UNBOUNDED), config.run_dir, columns(), UNBOUNDED))
        else:
            _watch(console, observer, config, max(interval, MIN_INTERVAL_SECONDS))


def _echo(lines: Iterable[Line]) -> None:
    for line in lines:
        click.echo(line.text)


def _watch(console: "Console", observer: Observer, config: Config, interval_seconds: float) -> None:
    from rich.live import Live  # noqa: PLC0415

    before: Look | None = None
    try:
        with Keyboard() as keyboard, Live(console=console, screen=True, auto_refresh=False) as live:
            is_over = False
            while not is_over:
                now = observer.look(console.height)
                is_over = _show(live, keyboard, (before, now), config, clock.deadline_in(interval_seconds))
                before = now
    except KeyboardInterrupt:
        pass


def _show(
    live: "Live", keyboard: Keyboard, looks: tuple[Look | None, Look], config: Config, deadline: float
) -> bool:
    """Keep the picture on the screen, whatever size that takes, until the next look is due; whether it is the last."""
    size = None
    while True:
        if size != live.console.size:
            size = live.console.size
            lines = picture(*looks, config.run_dir, size.width, size.height)
            live.update(_to_text(lines), refresh=True)
        key = keyboard.wait(min(SLICE_SECONDS, clock.remaining(deadline)))
        if key in QUIT or clock.remaining(deadline) == 0:
            return key in QUIT


def _to_text(lines: Iterable[Line]) -> "Text":
    from rich.text import Text  # noqa: PLC0415

    joint = Text("\n", no_wrap=True, overflow="ellipsis")
    return joint.join(Text(line.text, STYLES[line.kind]) for line in lines)
