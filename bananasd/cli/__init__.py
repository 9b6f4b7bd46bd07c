"""The command line: the group, and which file holds which command. A command is imported when it is asked for."""

import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from .. import __version__
from .errors import reported

MODULES = {
    "demo": "demo",
    "init": "init",
    "check": "check",
    "start": "daemon",
    "stop": "daemon",
    "reload": "daemon",
    "dump": "daemon",
    "status": "status",
    "top": "top",
    "submit": "submit",
    "run": "run",
    "job": "jobs",
    "explain": "explain",
    "queues": "jobs",
    "cancel": "cancel",
    "reprioritise": "moves",
    "reschedule": "moves",
    "pause": "pauses",
    "resume": "pauses",
    "schedules": "schedules",
    "dead": "dead",
    "doctor": "doctor",
    "script": "script",
}
"""Command → its module in this package, in the order of the help."""


class _Commands(click.Group):
    """A group that imports a command at its first use, so that ``submit`` does not pay for ``start``."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in MODULES:
            return None
        module = import_module(f".{MODULES[cmd_name]}", __name__)
        command: click.Command = vars(module).get(f"{cmd_name}_") or vars(module)[cmd_name]
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with reported():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with reported():
            return super().invoke(ctx)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="bananasd", message="%(prog)s %(version)s")
def main() -> None:
    """Run background jobs from Redis: a supervised daemon, and what is needed to look after it.

    A first try: 'bananasd demo'. A project of your own: 'bananasd init jobs', then 'bananasd start'.

    Without --config the configuration is ./bananas.toml, else /etc/bananasd/bananas.toml, else the defaults.
    $BANANAS_REDIS_URL takes the place of its redis.url and redis.sentinels.

    \b
    Exit codes:
      0    fine
      1    it failed: the job failed, was not found, no daemon is running …
      2    wrong usage: an unknown option, or a value that could never be right
      69   the Redis server cannot be reached
      70   start only: something could not be kept running; the log says what
      73   a daemon is already running there
      75   the time to wait was over
      78   the configuration or the handlers are broken, or run_dir or state_dir cannot be used
      130  interrupted by Ctrl-C
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    # Text of users may hold what this terminal cannot show: better escaped than an error.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
