"""What a stop is said to wait for."""

import pytest

from bananasd.processes.views import ChildView, NodeView
from bananasd.processes.waiting import what_is_left


def child(slot, job="", seconds=None) -> ChildView:
    return ChildView(
        slot=slot, kind=slot.split()[0], pid=9, state="draining", up_seconds=9.0, job_id=f"id-{job}" if job else "",
        job_name=job, job_seconds=seconds, done=0, failed=0, restarts=0, crashes=0, last_end="",
        starts_in_seconds=None, generation=1, is_stopped=False,
    )  # fmt: skip


def node(*children, **values) -> NodeView:
    return NodeView(
        **{
            "node": "n1", "master_pid": 7, "is_running": True, "is_stopped": False, "phase": "draining",
            "up_seconds": 9.0, "slots": 9, "children": list(children),
        } | values
    )  # fmt: skip


SCHEDULER, IDLE = child("scheduler"), child("worker 0")
MAIL, SUMS = child("worker 1", "mail", 12.3), child("worker 2", "sums", 187.0)


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([node(SCHEDULER, IDLE, MAIL)], "worker 1: mail id-mail (12s)"),
        ([node(SCHEDULER, IDLE, MAIL, SUMS)], "worker 2: sums id-sums (187s), and 1 more"),
        ([node(SCHEDULER, IDLE)], "scheduler to end, and 1 more"),
        ([node(SCHEDULER)], "scheduler to end"),
        ([node()], "the master to end"),
        ([], "the master to end"),
        ([node(MAIL, is_running=False)], "the master to end"),
        ([node(MAIL, master_pid=8)], "the master to end"),
        ([node(MAIL, is_stopped=True)], "the master, which is stopped: 'kill -CONT 7' lets it go on"),
    ],
)
def test_it_is_the_longest_job_then_processes_then_the_master(nodes, words):
    assert what_is_left(nodes, 7).words == words


def test_the_time_alone_is_no_change():
    earlier, later = (what_is_left([node(MAIL._replace(job_seconds=seconds))], 7) for seconds in (1.0, 2.0))
    assert earlier.what == later.what
    assert earlier.words != later.words
    assert what_is_left([node(MAIL, SUMS)], 7).what != what_is_left([node(SUMS)], 7).what
