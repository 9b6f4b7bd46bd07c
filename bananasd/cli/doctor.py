"""``bananasd doctor``: what is out of order, in Redis and around it, and mending what can be mended."""

import textwrap
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import click

from ..errors import BadAddress, ConnectionFailed, ServerRefused
from ..remark import Level, Remark
from ..store.census import namespace_remarks
from ..store.connection import HeldConnection
from ..store.doctor import Doctor
from ..store.faults import FAULTS, Finding
from ..store.vitals import server_remarks
from .errors import Failure
from .output import columns, count, echo_json, json_option, one_line
from .server import Place, takes_place
from .units import unit_remarks

SHOWN = 10
"""How many of a kind are told by name; ``--json`` has all."""
INDENT = " " * 22


@dataclass
class Report:
    """What was found; ``records`` were looked at, None if the server could not be asked."""

    remarks: list[Remark] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    records: int | None = None
    failure: ConnectionFailed | None = None

    def number_of(self, level: Level) -> int:
        """How many remarks are of this level."""
        return sum(remark.level is level for remark in self.remarks)


@click.command()
@click.option("--repair", "is_mending", is_flag=True, help="Mend what is out of order in the namespace.")
@click.option(
    "--unit",
    metavar="UNIT",
    help="The systemd unit of the daemon, by its name or the path of its file; by default bananasd, if systemd runs.",
)
@json_option
@takes_place
def doctor(place: Place, is_mending: bool, unit: str | None, as_json: bool) -> None:
    """Look for what is wrong, or will be: at the server, the nodes, the unit, and every job.

    Of the server: its version, persistence, memory, clock and round trip. Of the namespace: nodes that were lost, lanes
    that nobody serves. Of the unit: what contradicts the configuration. Each has a level, ok, warning or error, and what
    to do about it.

    Then the jobs: lost ids, damaged records, keys that nobody knows. Daemons may run meanwhile. A repair loses no job:
    what can be run goes back to its lane, what cannot goes to the dead letters with the reason.

    Ends with 1 if there is an error, or a fault among the jobs that was not mended; a warning leaves it 0. With 69 if the
    server cannot be asked, when all else has been looked at.
    """
    report, of_the_unit = Report(), _look_at_unit(place, unit)
    try:
        _examine(place, report, is_mending=is_mending)
    except BadAddress:
        raise
    except ConnectionFailed as error:
        report.failure = error
        report.remarks.append(_out_of_reach(error, place.address))
    report.remarks += of_the_unit
    echo_json(_to_dict(report)) if as_json else _echo(report, is_mending)
    _end(report, is_mending)


def _look_at_unit(place: Place, unit: str | None) -> list[Remark]:
    """Nothing where no configuration is asked for, by which it could be judged."""
    if place.config is None and unit:
        raise click.UsageError(f"--unit {unit}: it is judged by a configuration; name that with --config")
    return list(unit_remarks(place.config, unit)) if place.config else []


def _examine(place: Place, report: Report, *, is_mending: bool) -> None:
    """The server, the jobs, then the namespace; what was found is kept if it is lost on the way."""
    with place.connect() as connection:
        report.remarks += server_remarks(connection, place.address)
        try:
            _examine_jobs(Doctor(connection, place.namespace, is_mending=is_mending), report)
        except ServerRefused as error:
            if not _is_forbidden(error):
                raise
            where, what = f"namespace {place.namespace}", "this user of the server may not examine them"
            report.remarks.append(Remark(Level.ERROR, "jobs", f"{what}: {error}", where, _ANOTHER_USER))
        report.remarks += _namespace_remarks(connection, place.namespace)


def _examine_jobs(examined: Doctor, report: Report) -> None:
    for finding in examined.examine():
        report.findings.append(finding)
    report.records = examined.looked_at


def _is_forbidden(error: ConnectionFailed) -> bool:
    """Whether it is the user who is refused: a daemon's may do less than the doctor has to."""
    return "NOPERM" in str(error)


_ANOTHER_USER = "give --url with the doctor's user ('Users of the Redis' in docs/operations.md)"


def _namespace_remarks(connection: HeldConnection, namespace: str) -> list[Remark]:
    """Behind a repair, for damaged keys cannot be counted."""
    try:
        return namespace_remarks(connection, namespace)
    except ServerRefused as error:
        mended = "'bananasd doctor --repair' mends keys of a wrong type"
        where, remedy = f"namespace {namespace}", _ANOTHER_USER if _is_forbidden(error) else mended
        return [Remark(Level.WARNING, "nodes", f"nodes and lanes cannot be counted: {error}", where, remedy)]


def _out_of_reach(error: ConnectionFailed, address: str) -> Remark:
    said = str(error).removeprefix(f"{address}: ")
    remedy = "see whether it runs, and whether address and password are right; the daemons wait for it"
    if _is_forbidden(error):
        remedy = _ANOTHER_USER
    return Remark(Level.ERROR, "server", f"it cannot be asked: {said}", address, remedy)


def _end(report: Report, is_mending: bool) -> None:
    """The exit code, and a last line for it."""
    if report.failure:
        raise report.failure
    if report.findings and not is_mending:
        raise Failure(f"{count(len(report.findings), 'fault')} found; 'bananasd doctor --repair' mends them")
    if errors := report.number_of(Level.ERROR):
        raise Failure(f"{count(errors, 'error')} found, above with what to do")


def _echo(report: Report, is_mending: bool) -> None:
    for before, remark in pairwise([Remark(Level.OK, ""), *report.remarks]):
        _echo_remark(remark, is_elsewhere=remark.where != before.where)
    click.echo()
    _echo_findings(report.findings)
    if report.records is not None:
        click.echo(f"{count(report.records, 'record')} looked at, {_sum(report, is_mending)}")


def _echo_remark(remark: Remark, *, is_elsewhere: bool) -> None:
    """Where it is so is said once for several in a row."""
    where = f" ({remark.where})" if is_elsewhere else ""
    lines = _wrap(f"{remark.level:<8}{remark.check:<{len(INDENT) - 8}}{remark.what}{where}")
    if remark.remedy and remark.level is not Level.OK:
        lines += _wrap(f"{INDENT}do: {remark.remedy}")
    for line in lines:
        click.echo(line)


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(
        one_line(text), columns(), subsequent_indent=INDENT, break_on_hyphens=False, break_long_words=False
    )


def _sum(report: Report, is_mending: bool) -> str:
    numbers = {level: report.number_of(level) for level in (Level.ERROR, Level.WARNING)}
    others = ", ".join(count(number, level) for level, number in numbers.items() if number)
    if report.findings:
        said = f"{count(len(report.findings), 'fault')} {'mended' if is_mending else 'found'}"
    else:
        said = "no fault found" if others else "everything is in order"
    return f"{said}; {others}" if others else said


def _echo_findings(findings: Iterable[Finding]) -> None:
    kinds: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        kinds[finding.fault].append(finding)
    for name, found in kinds.items():
        click.echo(f"{FAULTS[name].what}: {len(found):,}")
        for finding in found[:SHOWN]:
            click.echo(one_line(f"    {finding.subject}  {finding.detail}".rstrip()))
        if len(found) > SHOWN:
            click.echo(f"    and {len(found) - SHOWN:,} more")
        click.echo(f"  {'mended' if found[0].is_mended else 'a repair'}: {FAULTS[name].remedy}")


def _to_dict(report: Report) -> dict[str, Any]:
    return {
        "checks": [remark._asdict() for remark in report.remarks],
        "records": report.records,
        "findings": [_finding_to_dict(finding) for finding in report.findings],
    }


def _finding_to_dict(finding: Finding) -> dict[str, Any]:
    fault = FAULTS[finding.fault]
    return finding._asdict() | {"what": fault.what, "remedy": fault.remedy}
