"""``bananasd init``: a directory that is ready to start."""

import shlex
from pathlib import Path

import click

from .errors import Failure

CONFIG = """\
# Configuration of bananasd. Everything has a default: what is commented out here shows it.
# Check it, and the handlers, with: bananasd check

#namespace = "default"          # jobs of different namespaces on one server do not see each other

[redis]
url = "embedded"                # a private server, run by the daemon; or redis://HOST:6379/0, rediss://…, unix://…
#password_file = ""             # a file that holds the server's password

[workers]
#count = 0                      # how many jobs run at a time; 0: one per core
handlers = "handlers"           # the directory whose modules declare the handlers
#queues = ["default"]           # the queues to take jobs from
#timeout_seconds = 300          # how long a job may run; 0: for ever; a handler or a job may set its own

[master]
#drain_seconds = 30             # a stop takes no longer than this, whatever the jobs do

[retry]
#max_retries = 5                # tries after the first, then the job is dead
#base_seconds = 2               # the first delay …
#factor = 2                     # … and its growth: 2, 4, 8, 16, 32 s

[http]
#listen = ""                    # the dashboard, metrics and health checks: "127.0.0.1:8580" (pip install 'bananasd[http]')

[log]
#level = "info"                 # debug, info, warning, error, critical
#format = "auto"                # text on a terminal and in the journal, JSON lines elsewhere; or "text", "json"
"""

HANDLER = '''\
"""An example: copy it, rename it, make it yours. Every module in this directory is loaded."""

import logging

from bananasd import GiveUp, Job, handler

log = logging.getLogger(__name__)


@handler("hello", max_retries=3, timeout_seconds=30)
def hello(job: Job) -> dict[str, str]:
    """Greet someone. Payload: {"name": "Ada"}. What it returns becomes the result of the job."""
    name = job.payload.get("name") if isinstance(job.payload, dict) else None
    if not isinstance(name, str):
        raise GiveUp('the payload has no name: want {"name": "Ada"}')  # no retry could help
    log.info("greeting %s", name)  # the line carries the id and the name of the job
    return {"greeting": f"Hello, {name}!"}
'''

FILES = {"bananas.toml": CONFIG, "handlers/hello.py": HANDLER}


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def init(directory: Path) -> None:
    """Make a directory that is ready to start.

    It gets a configuration, bananas.toml, and a handler to begin with, handlers/hello.py.

    What is already there is never overwritten.
    """
    contents = {directory / name: text for name, text in FILES.items()}
    if existing := [str(path) for path in contents if path.exists()]:
        raise Failure(f"{', '.join(existing)}: already there; nothing was written")
    for path, text in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        click.echo(f"made {path}")
    click.echo(_next_steps(directory))


def _next_steps(directory: Path) -> str:
    go_there = "" if directory == Path() else f"  cd {shlex.quote(str(directory))}\n"
    return f"""
Next:
{go_there}  bananasd check
  bananasd start
and in another terminal, in the same directory:
  bananasd submit hello --payload '{{"name": "Ada"}}' --wait"""
