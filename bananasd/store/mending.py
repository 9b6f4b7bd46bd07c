"""The scripts that tell what is out of order and, if they may, put it right: one method each, no search."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from .calls import Call, run_calls, text
from .connection import Transport
from .faults import Finding
from .keys import Keys
from .scripts import script
from .store import DEFAULT_RETENTION, node_of

STALE_MS = 3_600_000
"""After so long without a lease and a beat a node does not come back, and its holders are anybody's."""


class Suspect(NamedTuple):
    """A job that seems out of order: where its id was seen, and what its spec or id has against its being run."""

    job_id: bytes
    places: Sequence[bytes]
    complaint: str = ""
    digest: str = ""


class Mender:
    """Looks closely, in the server, where nothing moves meanwhile. With ``is_mending`` it also mends."""

    def __init__(self, transport: Transport, keys: Keys, *, is_mending: bool) -> None:
        self.keys = keys
        self.is_mending = is_mending
        self._transport = transport

    def mend_jobs(self, suspects: Sequence[Suspect]) -> list[Finding]:
        """What is wrong with which of these jobs."""
        args: list[Any] = [*self._common(), DEFAULT_RETENTION.completed_ms]
        for suspect in suspects:
            args += (suspect.job_id, suspect.complaint, suspect.digest, len(suspect.places), *suspect.places)
        return self._findings(self._run("mend_job", [self.keys.dead], args))

    def mend_holder(self, holder: str) -> Finding | None:
        """Whether this holder is one that nobody would recover."""
        node = node_of(holder)
        keys = [self.keys.held(holder), self.keys.holders, self.keys.nodes, self.keys.node(node)]
        held, is_more = 0, True
        fault = b""
        while is_more:
            said, count, more = self._run("mend_holder", keys, (*self._common(), holder, node, STALE_MS))
            fault, held, is_more = fault or said, max(held, count), bool(more)
        return Finding(text(fault), holder, f"{held:,} held", self.is_mending) if fault else None

    def mend_keys(self, kinds: Sequence[tuple[bytes, str]]) -> list[Finding]:
        """What is wrong with these keys, given without prefix and with the type that each should have."""
        args = [*self._common(), *(word for pair in kinds for word in pair)]
        return self._findings(self._run("mend_key", [self.keys.queues], args))

    def _common(self) -> tuple[str, str]:
        return self.keys.prefix, "1" if self.is_mending else ""

    def _findings(self, reply: list[bytes]) -> list[Finding]:
        triples = zip(*[iter(map(text, reply))] * 3, strict=True)
        return [Finding(fault, subject, detail, self.is_mending) for subject, fault, detail in triples]

    def _run(self, name: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        return run_calls(self._transport, [Call(script(name), keys, args)])[0]
