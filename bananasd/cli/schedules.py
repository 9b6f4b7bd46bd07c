"""``bananasd schedules``: the jobs that are made by the clock."""

import click

from ..client import Client
from ..schedule import Schedule
from .errors import Failure
from .output import echo_json, echo_table, json_option
from .server import takes_client
from .words import any_name

HEADER = ("NAME", "WHEN", "ZONE", "JOB", "NEXT", "LAST", "SOURCE")


class _Schedules(click.Group):
    """``bananasd schedules`` alone is ``bananasd schedules list``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_told = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if is_told else ["list", *args])

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options of the list, which may be given without its name, and the commands."""
        records = [param.get_help_record(ctx) for param in [*list_.params, *self.get_params(ctx)]]
        with formatter.section("Options"):
            formatter.write_dl([record for record in records if record])
        self.format_commands(ctx, formatter)


@click.group(cls=_Schedules)
def schedules() -> None:
    """Show what makes jobs by the clock, and when next; remove it.

    Alone it is 'bananasd schedules list', with the options of that.
    """


@schedules.command("list")
@json_option
@takes_client
def list_(client: Client, as_json: bool) -> None:
    """Show the schedules; this is what 'bananasd schedules' does.

    NEXT and LAST are in the schedule's own time zone. LAST is the last slot that is done with, at first the time when the
    schedule was put. SOURCE: a daemon's configuration, a handler, or a client.
    """
    found = client.schedules()
    if as_json:
        echo_json([schedule.to_dict() for schedule in found])
    else:
        echo_table(HEADER, map(_row, found))


@schedules.command()
@click.argument("name", type=any_name)
@takes_client
def remove(client: Client, name: str) -> None:
    """Remove the schedule NAME; the jobs that it has made stay.

    One of a configuration or a handler is back when a daemon that has it starts or reloads.
    """
    if not client.remove_schedule(name):
        raise Failure(f"there is no schedule {name!r}")


def _row(schedule: Schedule) -> tuple[object, ...]:
    next_at = "rests" if schedule.next_at is None else schedule.local(schedule.next_at)
    last_at = schedule.last_at and schedule.local(schedule.last_at)
    return schedule.name, schedule.when, schedule.timezone, schedule.job, next_at, last_at, schedule.source
