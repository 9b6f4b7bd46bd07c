"""The fail-point sweep: each call to the store is cut, before it is sent and after it ran, and the play ends the same.

Which calls there are is not written down anywhere: a play that nobody disturbs tells, and so does each that is disturbed.
"""

import ast
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import bananasd.store
from bananasd.store.scripts import script
from tests.faults.cutter import IN_FULL, SCRIPTS, Call
from tests.faults.form import either
from tests.faults.play import Ending, Play

STORE = Path(bananasd.store.__file__).parent
WHO = ("client", "doctor", "scheduler", "worker", "helper")
MAX_NUMBER = either(2, 1000)
"""Up to the how-manieth call of a kind the sweep goes: the first, and one that is not the first."""

EXPECTED = {
    "orphan": "completed", "astray": "completed", "misplaced": "completed", "urgent": "completed",
    "later": "completed", "cancelled": "cancelled", "too late": "expired", "before": "completed",
    "guarded": "completed", "before, too": "completed",
    "long": "completed", "behind": "completed", "retried": "completed", "buried": "completed", "unknown": "gone",
    "replaced": "cancelled", "unique": "completed", "duplicate": "gone", "stopped": "cancelled",
    "quitting": "completed", "left over": "pending", "by the clock": "completed",
}  # fmt: skip

CUT_LINES = ("redis lost", "redis back", "redis connected anew", "outcome refused", "jobs recovered")
"""What a cut may add to the log."""

Cuts = dict[Call, str]


class Performance(NamedTuple):
    """A play as it went. ``lines`` of its log."""

    sent: list[Call]
    cut: list[Call]
    ending: Ending
    lines: list[str]

    @property
    def kinds(self) -> set[tuple[str, str]]:
        """Who made calls of what kind."""
        return {(call.who, call.what) for call in self.sent}


Perform = Callable[..., Performance]


@pytest.fixture
def perform(server, monkeypatch, caplog) -> Perform:
    """Gives the play, with these calls cut."""
    caplog.set_level(logging.INFO, "bananasd")
    for name in SCRIPTS:
        server.call("SCRIPT", "LOAD", script(name).text)

    def perform(cuts: Cuts, **options: bool) -> Performance:
        server.call("FLUSHALL")
        caplog.clear()
        play = Play(server.url, monkeypatch)
        play.cutter.wanted = dict(cuts)
        try:
            ending = play.run(**options)
        except BaseException:
            print(f"cut: {cuts}\nsent: {play.cutter.sent}")
            raise
        finally:
            play.close()
        return Performance(play.cutter.sent, play.cutter.cut, ending, list(caplog.messages))

    return perform


def points(calls: Iterable[Call]) -> Iterator[Cuts]:
    """Every way to cut one of these calls."""
    for call in calls:
        if call.number <= MAX_NUMBER:
            for mode in call.modes:
                yield {call: mode}


def assert_the_same(cuts: Cuts, performed: Performance, undisturbed: Performance) -> None:
    """Nothing lost, nothing doubled, and no more lines than a cut may add."""
    # How often the scheduler asks for tokens depends on how soon one comes.
    may_be_missed = any(call.what == "BLPOP" and call.number > 1 for call in cuts)
    assert performed.cut == list(cuts) or may_be_missed, cuts
    assert performed.ending == undisturbed.ending, cuts
    added = [line for line in performed.lines if line.startswith(CUT_LINES)]
    others = [line for line in performed.lines if not line.startswith(CUT_LINES)]
    usual = [line for line in undisturbed.lines if not line.startswith(CUT_LINES)]
    assert len(others) == len(usual), (cuts, performed.lines)
    assert sum(line.startswith("redis lost") for line in added) <= len(cuts), (cuts, added)
    assert len(added) <= 1 + len(EXPECTED) * len(cuts), (cuts, added)


def test_a_play_that_nobody_disturbs_comes_to_its_end(perform):
    performed = perform({})
    assert performed.ending.statuses == EXPECTED
    completed = {role for role, status in EXPECTED.items() if status == "completed"}
    assert performed.ending.ends == {role: int(role in completed) for role in EXPECTED}
    # "buried" and "unknown" die once before they are brought back, "unknown" once more.
    counters = {
        "submitted": 21,
        "completed": 15,
        "cancelled": 3,
        "expired": 1,
        "lost": 1,
        "retried": 1,
        "dead": 3,
    }
    assert performed.ending.counters == counters
    assert (performed.ending.done, performed.ending.failed) == (16, 4)


@pytest.mark.parametrize("who", WHO)
def test_whichever_call_is_cut_nothing_is_lost_or_doubled(perform, who):
    undisturbed = perform({})
    unknown: dict[tuple[str, str], Cuts] = {}
    for cuts in points(call for call in undisturbed.sent if call.who == who):
        performed = perform(cuts)
        assert_the_same(cuts, performed, undisturbed)
        for kind in performed.kinds - undisturbed.kinds:
            unknown.setdefault(kind, cuts)
    # Calls that nobody makes but after a cut are cut too: the second of two in a row.
    for (other, what), first in unknown.items():
        for second in points([Call(other, what, 1)]):
            assert_the_same(first | second, perform(first | second), undisturbed)


@pytest.mark.parametrize("who", either(["helper"], WHO))
def test_whichever_two_calls_are_cut_one_after_the_other_nothing_is_lost_or_doubled(perform, who):
    undisturbed = perform({})
    for first in points(call for call in undisturbed.sent if call.who == who):
        sent = perform(first).sent
        (call,) = first
        if call in sent:
            after = next((later for later in sent[sent.index(call) + 1 :] if later.who == who), None)
            for second in points([after] if after else []):
                assert_the_same(first | second, perform(first | second), undisturbed)


OF_A_CONNECT = {"ROLE"}
"""What is asked of a server to which Sentinels have led, before there is a call to send: it changes nothing."""


def test_whichever_call_is_cut_of_those_to_a_server_that_knows_no_script(perform):
    undisturbed = perform({}, forget_scripts=True)
    assert undisturbed.ending.statuses == EXPECTED
    for cuts in points(call for call in undisturbed.sent if IN_FULL in call.what and call.number == 1):
        assert_the_same(cuts, perform(cuts, forget_scripts=True), undisturbed)


def test_the_play_makes_every_call_that_there_is(server, perform):
    """A script or a command that is new is to be played, and is cut then."""
    by_digest, in_full = perform({}), perform({}, forget_scripts=True)
    kinds = {part for call in by_digest.sent + in_full.sent for part in call.what.split("+")}
    scripts = {name for name in SCRIPTS if name in kinds} | {
        kind.removesuffix(IN_FULL) for kind in kinds if kind.endswith(IN_FULL)
    }
    assert scripts == set(SCRIPTS)
    assert commands_named(server) - kinds == set()


def test_all_calls_leave_by_the_one_method_that_cuts_them():
    assert sum(path.read_text().count(".send_until(") for path in STORE.glob("*.py")) == 1


def commands_named(server) -> set[str]:
    """The commands of the server that the code of the store names; scripts are called by two that have names of their own."""
    names = {reply[0].decode().upper() for reply in server.call("COMMAND")}
    words = {
        node.value
        for path in STORE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return (words & names) - {"EVAL", "EVALSHA"} - OF_A_CONNECT
