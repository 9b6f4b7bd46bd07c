"""What all scripts have in common: how they are sent, what they need of the server, and what they touch."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bananasd import JobRequest, ServerRefused
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.doctor import Doctor
from bananasd.store.facts import find_facts
from bananasd.store.keys import Lane
from bananasd.store.outcomes import Buried, Completed, Released, Retried
from bananasd.store.scripts import script
from bananasd.store.store import Charge, Retention, Store
from tests.store.conftest import HOLDER, LEASE_MS, NODE, OTHER, World

LUA = Path(str(files("bananasd.store").joinpath("lua")))
NAMES = sorted(path.stem for path in LUA.glob("*.lua"))


def is_claimed(world: World, job_id: str) -> bool:
    return [job.job_id for job in world.claim(5).jobs] == [job_id]


def mends(world: World, key: str, fault: str) -> bool:
    """Whether the doctor mends this fault, and no other, when this key is gone."""
    world.call("DEL", key)
    findings = Doctor(world.transport, "test", is_mending=True).examine()
    return [finding.fault for finding in findings] == [fault]


# One call of each script on the seed below, and whether it did its work.
CALLS: dict[str, Callable[[World, Any], bool]] = {
    "submit": lambda w, ids: w.store.submit([JobRequest("greet", None)]).new == 1,
    "enter": lambda w, ids: w.enter(OTHER) in w.store.holders(),
    "claim": lambda w, ids: is_claimed(w, ids.pending),
    "complete": lambda w, ids: w.store.settle([Completed(HOLDER, ids.running, 1, b"5")]) == [],
    "retry": lambda w, ids: w.store.settle([Retried(HOLDER, ids.running, 1, 0, "no")]) == [],
    "bury": lambda w, ids: w.store.settle([Buried(HOLDER, ids.running, 1, "no")]) == [],
    "release": lambda w, ids: w.store.settle([Released(HOLDER, ids.running, 1)]) == [],
    "guard": lambda w, ids: w.store.settle_and_guard([], HOLDER, ids.running, 1) == ([], True),
    "recover": lambda w, ids: (
        w.store.recover(HOLDER, Charge.failed(ids.running, "", 9)).retried == [ids.running]
    ),
    "promote": lambda w, ids: w.store.promote() == (1, None),
    "cancel": lambda w, ids: w.store.cancel(ids.pending) == (True, "cancelled"),
    "read_orders": lambda w, ids: (
        w.store.cancel(ids.running, "hard") == (True, "processing")
        and len(w.orders()) == 1
        and w.orders(*w.orders()) == []
    ),
    "await": lambda w, ids: w.store.await_jobs("b", [ids.running, ids.dead])[1] == ["processing", "failed"],
    "reprioritise": lambda w, ids: w.store.reprioritise(ids.pending, "high", "") == (True, "pending"),
    "reschedule": lambda w, ids: w.store.reschedule(ids.pending, "+9") == (True, "scheduled"),
    "pause": lambda w, ids: w.store.pause("default", None) is None and w.claim().jobs == [],
    "resume": lambda w, ids: w.store.pause("default", None) is None and w.store.resume("default"),
    "progress": lambda w, ids: w.store.progress(HOLDER, ids.running, 1, b"{}"),
    "beat": lambda w, ids: w.store.beat(NODE, LEASE_MS, b"{}", [HOLDER, OTHER]) == [OTHER],
    "leave": lambda w, ids: w.store.leave(NODE) is None and w.claim().is_gone,
    "requeue_dead": lambda w, ids: w.store.requeue_dead([ids.dead]) == [ids.dead],
    "purge_dead": lambda w, ids: w.store.purge_dead([ids.dead]) == 1,
    "mend_job": lambda w, ids: mends(w, w.keys.ready(Lane("default", "normal")), "in_no_lane"),
    "mend_holder": lambda w, ids: mends(w, w.keys.holders, "not_admitted"),
    "mend_key": lambda w, ids: mends(w, w.keys.queues, "unlisted_queue"),
    "put_schedules": lambda w, ids: w.schedules.put("client", {"b": b"{}"}) == [("b", "put")],
    "remove_schedule": lambda w, ids: w.schedules.remove("hourly"),
    "read_schedules": lambda w, ids: len(w.schedules.read().entries) == 1,
    "fire": lambda w, ids: w.fire(ids.slot)[0] == "fired",
    "explain": lambda w, ids: find_facts(w.transport, "test", ids.pending).place == 0,
    "trim": lambda w, ids: Store(w.transport, "test", Retention(dead_count=0)).trim() == (0, 1, 0),
}


def seed(world: World) -> Any:
    (dead,), (running,), (pending,), (due,) = world.kill(), world.start(), world.submit(), world.schedule(-1)
    slot = world.plan(-1)
    return SimpleNamespace(dead=dead, running=running, pending=pending, due=due, slot=slot)


@pytest.fixture
def own_world(own_server):
    connection = HeldConnection(Server(own_server.url, 5))
    yield World(connection)
    connection.close()


def test_these_are_all_scripts():
    assert sorted(CALLS) == NAMES


@pytest.mark.parametrize("name", sorted(CALLS.keys() - {"submit", "requeue_dead"}))
def test_a_server_at_maxmemory_can_be_drained(own_world, name):
    ids = seed(own_world)
    own_world.call("CONFIG", "SET", "maxmemory", 1)
    with pytest.raises(ServerRefused, match="maxmemory"):
        own_world.store.submit([JobRequest("greet", None)])
    assert CALLS[name](own_world, ids)


def test_a_submit_that_a_full_server_refuses_leaves_nothing_behind(own_world):
    own_world.submit()
    before = own_world.dump()
    own_world.call("CONFIG", "SET", "maxmemory", 1)
    with pytest.raises(ServerRefused, match="maxmemory"):
        own_world.store.submit([JobRequest("greet", None)])
    assert own_world.dump() == before


def test_a_full_server_refuses_a_job_before_that_which_it_would_replace_is_cancelled(own_world):
    own_world.submit(unique_key="k")
    before = own_world.dump()
    own_world.call("CONFIG", "SET", "maxmemory", 1)
    with pytest.raises(ServerRefused, match="maxmemory"):
        own_world.submit(unique_key="k", on_duplicate="replace")
    assert own_world.dump() == before


@pytest.mark.parametrize("name", NAMES)
def test_a_script_that_the_server_has_lost_is_sent_again(world, name):
    ids = seed(world)
    world.call("SCRIPT", "FLUSH")
    assert CALLS[name](world, ids)


@pytest.mark.parametrize("name", NAMES)
def test_a_script_touches_no_key_outside_of_its_namespace(server, world, name):
    world.call("ACL", "SETUSER", "fenced", "on", ">secret", "~{bananas:test}:*", "+@all")
    connection = HeldConnection(Server(f"unix://fenced:secret@{server.socket}", 5))
    fenced = World(connection)
    with pytest.raises(Exception, match="permissions"):
        fenced.call("GET", "elsewhere")
    assert CALLS[name](fenced, seed(fenced))
    connection.close()
    world.call("ACL", "DELUSER", "fenced")


class Spy:
    """A transport that notes the commands' names."""

    def __init__(self, transport: Any) -> None:
        self.transport, self.sent = transport, []

    def trip(self, commands: Any) -> list[Any]:
        self.sent.append([command[0] for command in commands])
        return self.transport.trip(commands)


def test_settling_and_claiming_is_one_trip_and_scripts_go_in_full_only_when_the_server_has_lost_them(world):
    spy = Spy(world.transport)
    running, waiting = world.start(2)
    outcomes = [Completed(HOLDER, running, 1, b""), Released(HOLDER, waiting, 1)]
    world.call("SCRIPT", "FLUSH")
    refused, claim = Store(spy, "test").settle_and_claim(outcomes, HOLDER, NODE, [], 1)
    assert (refused, claim.jobs) == ([], [])
    assert spy.sent == [["EVALSHA"] * 3, ["EVAL"], ["EVAL"], ["EVAL"]]
    spy.sent.clear()
    assert Store(spy, "test").settle_and_claim(outcomes, HOLDER, NODE, [], 1)[0] == [running, waiting]
    assert spy.sent == [["EVALSHA"] * 3]


def test_outcomes_of_one_kind_and_holder_settle_in_one_call(world):
    spy = Spy(world.transport)
    jobs = [(holder, job_id) for holder in (HOLDER, OTHER) for job_id in world.start(2, holder)]
    assert Store(spy, "test").settle([Completed(holder, job_id, 1, b"") for holder, job_id in jobs]) == []
    assert len(spy.sent[0]) == 2
    assert [world.status(job_id) for _, job_id in jobs] == ["completed"] * 4


def test_nothing_to_settle_is_no_trip(world):
    spy = Spy(world.transport)
    assert Store(spy, "test").settle([]) == []
    assert spy.sent == []


def test_an_error_of_the_server_is_a_refusal_that_says_why(own_world):
    own_world.call("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(ServerRefused, match="read only replica"):
        own_world.submit()


@pytest.mark.parametrize("name", NAMES)
def test_a_script_opens_with_what_it_does_and_what_goes_in_and_out(name):
    lines = (LUA / f"{name}.lua").read_text().splitlines()
    header = "\n".join(
        lines[: next(i for i, line in enumerate(lines) if not line.startswith("-- ") and line != "--")]
    )
    assert header.startswith(f"-- {name}: ")
    for part in ("\n-- KEYS  1 ", "\n-- ARGV  1 ", "\n-- Returns "):
        assert part in header


@pytest.mark.parametrize("path", sorted((LUA / "lib").glob("*.lua")), ids=lambda path: path.stem)
def test_what_scripts_share_opens_with_what_it_is_for(path):
    assert path.read_text().startswith("-- ")


@pytest.mark.parametrize("name", NAMES)
def test_every_include_is_filled_in(name):
    assert "--!include" not in script(name).text


@pytest.mark.parametrize("name", NAMES)
def test_every_script_has_its_file_of_tests(name):
    assert Path(__file__).with_name(f"test_{name}.py").exists()
