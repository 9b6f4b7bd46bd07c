"""The fail-point sweep over a real daemon, its start and its drain included: a round for each cut."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from bananasd import Client, JobRequest, Priority, Status
from tests.faults.cutter import UNANSWERED, UNSENT, Call
from tests.faults.form import either
from tests.faults.gate import Gate
from tests.patience import insist

MAX_NUMBER = 3
SETTINGS = {"workers": {"count": 1}}
ENDS = {
    "brief": Status.COMPLETED,
    "fails once": Status.COMPLETED,
    "give up": Status.FAILED,
    "a name that no handler has": Status.FAILED,
}
"""The jobs of a round, and how they end."""

SAMPLE = [
    {Call("client", "submit", 1): UNSENT, Call("worker", "claim", 2): UNSENT, Call("scheduler", "promote", 1): UNSENT},
    {Call("client", "submit", 1): UNANSWERED, Call("worker", "complete", 1): UNANSWERED,
     Call("scheduler", "leave", 1): UNANSWERED},
]  # fmt: skip
"""What the short form cuts, of each process at once."""


@pytest.fixture
def gate(own_server) -> Iterator[Gate]:
    gate = Gate(own_server.socket)
    yield gate
    gate.close()


class Sweep:
    """One daemon that is started and stopped in each round, and the jobs of all rounds."""

    def __init__(self, scene, gate: Gate) -> None:
        self.scene, self.gate = scene, gate
        self.daemon = None

    def round(self, wanted: dict[Call, str]) -> list[Call]:
        """The calls that were made in it."""
        self.gate.begin(wanted)
        self.start()
        before = len(self.daemon.lines("redis lost"))
        ids = self._submit()
        self.scene.wait_until(lambda: self.scene.are_final(ids))
        self._check_jobs(ids, wanted)
        self.scene.stop(self.daemon)
        assert not self.scene.look.holders() and not self.scene.look.nodes(), wanted
        assert len(self.daemon.lines("redis lost")) - before <= len(wanted), wanted
        return self.gate.sent

    def start(self) -> None:
        if self.daemon is None:
            self.daemon = self.scene.node(SETTINGS, url=self.gate.url)
        else:
            self.scene.start(self.daemon)

    def _submit(self) -> list[str]:
        requests = [
            JobRequest("brief", {}, Priority.HIGH),
            *(JobRequest(name, {}, max_retries=int(name == "fails once")) for name in ENDS),
        ]
        requests += [JobRequest("brief", {}, scheduled_for=timedelta(milliseconds=200))]
        with insist(lambda: Client(self.gate.url)) as client:
            client.submit_many(requests)
            # As one who never saw that they were taken.
            ids = client.submit_many(requests)
            self.scene.job_ids += ids
            cancelled = client.submit_job_scheduled("brief", {}, Priority.LOW, timedelta(hours=1))
            assert client.cancel(cancelled)
            client.queue_stats()
            client.get_job(ids[0])
        return ids

    def _check_jobs(self, ids: list[str], wanted: dict[Call, str]) -> None:
        completed = 0
        for job in map(self.scene.client.get_job, ids):
            assert job.status is ENDS[job.name], (job, wanted)
            ends = len(self.scene.ledger.ends(job.id))
            assert ends == (job.status is Status.COMPLETED), (job, wanted)
            completed += ends
        assert [child.done for child in self.daemon.children("worker")] == [completed], wanted
        assert not any(child.restarts for child in self.daemon.children()), wanted


def points(calls: list[Call]) -> Iterator[dict[Call, str]]:
    """Each of these calls, cut in each way, but for the later ones of what is done again and again."""
    for call in calls:
        if call.number <= MAX_NUMBER:
            yield from ({call: mode} for mode in (UNSENT, UNANSWERED))


def all_points(sweep: Sweep) -> list[dict[Call, str]]:
    """What a round without a cut tells; the second, for in the first the server has yet to learn the scripts."""
    sweep.round({})
    return list(points(sweep.round({})))


@pytest.mark.timeout(either(60, 3600))
def test_whichever_call_of_a_daemon_is_cut_nothing_is_lost_or_doubled(gate, scene):
    # In this order: the scene's daemons still need the gate when the case is over.
    sweep = Sweep(scene, gate)
    rounds = either(lambda _: SAMPLE, all_points)(sweep)
    wanted, made = set(), set()
    for cuts in rounds:
        sweep.round(cuts)
        wanted |= {(call.who, call.what, mode) for call, mode in cuts.items()}
        made |= {(call.who, call.what, cuts[call]) for call in gate.cut}
    # What goes by the clock may not come as often as it did; but each kind has been cut in each way.
    assert made == wanted
    sweep.start()
