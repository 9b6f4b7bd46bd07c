"""``bananasd doctor``: what is out of order in Redis, and mending it."""

from collections import defaultdict
from typing import Any

import click

from ..store.doctor import Doctor
from ..store.faults import FAULTS, Finding
from .errors import Failure
from .output import count, echo_json, json_option, printable
from .server import Namespace, takes_namespace

SHOWN = 10
"""How many of a kind are told by name; ``--json`` has all."""


@click.command()
@click.option("--repair", "is_mending", is_flag=True, help="Mend what is found.")
@json_option
@takes_namespace
def doctor(namespace: Namespace, is_mending: bool, as_json: bool) -> None:
    """Find what is out of order in Redis: lost ids, damaged records, keys that nobody knows.

    Daemons may run meanwhile. A repair loses no job: what can be run goes back to its lane, what cannot goes to the
    dead letters with the reason. Ends with 1 if something was found and not mended.
    """
    examined = Doctor(namespace.connection, namespace.name, is_mending=is_mending)
    findings = list(examined.examine())
    if as_json:
        echo_json({"records": examined.looked_at, "findings": [_to_dict(finding) for finding in findings]})
    else:
        _echo(findings)
        click.echo(f"{count(examined.looked_at, 'record')} looked at, {_sum(findings, is_mending)}")
    if findings and not is_mending:
        raise Failure(f"{count(len(findings), 'fault')} found; 'bananasd doctor --repair' mends them")


def _sum(findings: list[Finding], is_mending: bool) -> str:
    if not findings:
        return "everything is in order"
    return f"{count(len(findings), 'fault')} {'mended' if is_mending else 'found'}"


def _echo(findings: list[Finding]) -> None:
    kinds: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        kinds[finding.fault].append(finding)
    for name, found in kinds.items():
        click.echo(f"{FAULTS[name].what}: {len(found):,}")
        for finding in found[:SHOWN]:
            click.echo(printable(f"    {finding.subject}  {finding.detail}".rstrip()))
        if len(found) > SHOWN:
            click.echo(f"    and {len(found) - SHOWN:,} more")
        click.echo(f"  {'mended' if found[0].is_mended else 'a repair'}: {FAULTS[name].remedy}")


def _to_dict(finding: Finding) -> dict[str, Any]:
    fault = FAULTS[finding.fault]
    return finding._asdict() | {"what": fault.what, "remedy": fault.remedy}
