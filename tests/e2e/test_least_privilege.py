"""The users of docs/operations.md: with no more than these allow, daemon, client and doctor do all that they do."""

import ast
import json
import os
import re
import signal
import urllib.request
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from bananasd import Client, Priority, Schedule, ServerRefused, Status
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.scripts import SCRIPTS, script
from tests.command_line import bananasd
from tests.conftest import wait_until
from tests.http.web import Web
from tests.sentinels import free_port

ROOT = Path(__file__).parents[2]
USERS = {
    line.split()[1]: line.split()[2:]
    for line in (ROOT / "docs" / "operations.md").read_text().splitlines()
    if line.startswith("user bananas-")
}
OF_CLIENTS = (
    "await", "cancel", "explain", "pause", "purge_dead", "put_schedules", "read_schedules", "remove_schedule", "reprioritise",
    "requeue_dead", "reschedule", "resume", "submit",
)  # fmt: skip
FOR_DAEMONS = ("store", "access", "health", "held", "listing")
FOR_CLIENTS = ("stats", "facts", "heads", "mailbox", "scripts", "connection")
REFUSED = {"CONFIG"}
"""The doctor does without: whoever may ask that is told the server's password as well."""
OF_THE_DOCTOR = ("mend_holder", "mend_job", "mend_key")


@pytest.fixture
def url_of(own_server):
    """Where a user of the page is let in, and to what the page allows; it has what it is called for its password."""
    for name, rules in USERS.items():
        words = [word.replace("_PASSWORD", "-secret") for word in rules]
        assert own_server.call("ACL", "SETUSER", name, "reset", *words) == b"OK"
    passwords = {name: next(word[1:] for word in rules if word[0] == ">") for name, rules in USERS.items()}
    return lambda name: f"unix://{name}:{passwords[name].replace('_PASSWORD', '-secret')}@{own_server.socket}"


@pytest.fixture
def refusals(own_server):
    """What the server has refused to anybody, since the test began."""
    own_server.call("ACL", "LOG", "RESET")
    return lambda: own_server.call("ACL", "LOG")


# What the page allows is what the code needs


def commands_of(name):
    """What may be a command among the words of a script."""
    words = set(re.findall(r"'([A-Z]{3,})'", script(name).text))
    # The one that puts an id at the end, or to the front, of a lane.
    return words | ({"LPUSH", "RPUSH"} if "redis.call(push" in script(name).text else set())


def words_in(*modules):
    """What may be a command among the words of these modules of the store."""
    trees = (ast.parse(files("bananasd.store").joinpath(f"{module}.py").read_text()) for module in modules)
    constants = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {word for word in constants if isinstance(word, str) and re.fullmatch("[A-Z]{3,}", word)}


def needs(server):
    """By user, the commands without which something would not work."""
    scripts = {path.name.removesuffix(".lua") for path in SCRIPTS.iterdir() if path.name.endswith(".lua")}
    client = set().union(*map(commands_of, OF_CLIENTS), words_in(*FOR_CLIENTS))
    daemon = client.union(*map(commands_of, scripts - {*OF_THE_DOCTOR}), words_in(*FOR_DAEMONS))
    doctor = daemon.union(*map(commands_of, OF_THE_DOCTOR), words_in("doctor", "census", "vitals")) - REFUSED
    words = sorted(doctor)
    known = {word for word, about in zip(words, server.call("COMMAND", "INFO", *words), strict=True) if about}
    return {
        "bananas-client": client & known,
        "bananas-daemon": daemon & known,
        "bananas-doctor": doctor & known,
    }


@pytest.mark.parametrize("name", USERS)
def test_the_page_allows_a_user_what_the_code_needs_and_no_more(server, name):
    allowed = {word[1:].upper() for word in USERS[name] if word.startswith("+")}
    assert sorted(allowed) == sorted(needs(server)[name])
    assert {word for word in USERS[name] if word[0] in "~&%@-"} == {"~{bananas:default}:*", "-@all"}


# And it is enough


def test_a_daemon_and_a_client_need_no_more_than_the_page_allows(make_daemon, url_of, refusals):
    daemon = make_daemon(
        """
        from noted import run_note

        @handler("fail", max_retries=1)
        def fail(job):
            raise ValueError

        @handler("once", on_lost="dead")
        def once(job):
            job.set_progress(1, 2)
            run_note.submit({})
        """,
        redis_url=url_of("bananas-daemon"),
        settings={"retry": {"base_seconds": 0.01}},
    ).start()
    gate = daemon.directory / "gate"
    with Client(url_of("bananas-client")) as client:
        client.put_schedule(Schedule(name="tick", job="note", every="1s", payload={}))
        put_at = client.schedules()[0].last_at
        assert client.submit_and_wait("note", {"result": 5}, wait_seconds=15, unique_key="k").result == 5
        later = client.submit_job_scheduled("note", {}, Priority.LOW, timedelta(hours=1), expires_in=7200)
        client.reprioritise(later, Priority.HIGH)
        client.reschedule(later, timedelta(0))
        client.wait(later, 15)
        dead = client.wait(client.submit_job("fail", None), 15)
        assert dead.status is Status.FAILED
        assert [job.id for job in client.dead_jobs()] == [dead.id]
        assert client.retry_dead([dead.id]) == [dead.id]
        client.wait(dead.id, 15)
        assert client.purge_dead() == 1
        assert client.wait(client.submit_job("once", None), 15, lambda job: None).status is Status.COMPLETED
        client.pause("default", 60)
        waiting = client.submit_job("note", {})
        assert client.cancel(waiting)
        client.resume("default")
        held = client.submit_job("hold", {"until": str(gate)})
        worker = daemon.worker_of(held).pid
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: client.get_job(held).recoveries == 1)
        daemon.worker_of(held)
        client.cancel(held, "soft")
        assert client.wait(held, 15).status is Status.CANCELLED
        assert client.queue_stats().dead == 0
        assert client.explain(held)
        wait_until(lambda: client.schedules()[0].last_at > put_at)
        client.remove_schedule("tick")
        drained = client.submit_job("hold", {"until": str(gate)})
        daemon.worker_of(drained)
        assert daemon.stop() == 0
        assert client.get_job(drained).status is Status.PENDING
    assert not daemon.lines("NOPERM")
    assert refusals() == []


def test_the_dashboard_needs_no_more_than_the_daemon(make_daemon, url_of, refusals):
    web = Web(free_port())
    settings = {"http": {"listen": web.address}, "retry": {"max_retries": 0}}
    make_daemon(redis_url=url_of("bananas-daemon"), settings=settings).start()
    with Client(url_of("bananas-client")) as client:
        # A note that is no object is one that its handler cannot run.
        dead = [client.submit_job("note", None) for _ in range(3)]
        client.wait(dead, 15)
        client.submit_job_scheduled("note", {}, Priority.LOW, timedelta(hours=1))
        client.submit_job("note", {}, queue="nobody")
    status, page = web.get("/api/dead?limit=2")
    assert (status, page["total"], len(page["jobs"])) == (200, 3, 2)
    status, page = web.get(f"/api/dead?limit=2&mark={page['mark']}")
    assert (status, len(page["jobs"])) == (200, 1)
    for path in (f"/api/jobs/{dead[0]}", "/api/lanes/nobody/normal", "/api/scheduled", "/api/schedules"):
        assert web.get(path)[0] == 200, path
    with web.watching() as snapshots:
        assert next(seen["queues"] for seen in snapshots if seen["queues"])["dead"] == 3
    with urllib.request.urlopen(f"{web.url}/metrics", timeout=10) as answer:
        assert b"bananasd_namespace_dead" in answer.read()
    assert refusals() == []


def test_the_doctor_needs_no_more_than_the_page_allows(own_server, url_of, refusals):
    with Client(url_of("bananas-client")) as client:
        client.submit_job("note", {})
    own_server.call("RPUSH", "{bananas:default}:ready:default:high", "0b52f5b2-2f5c-4f4c-9d43-3a0f3f4f9a55")
    own_server.call("SET", "{bananas:default}:nonsense", "1")
    where = ("--url", url_of("bananas-doctor"), "--namespace", "default")
    for options, exit_code in (((), 1), (("--repair",), 0), ((), 0)):
        done = bananasd("doctor", *options, *where)
        assert done.exit_code == exit_code, done.output
    refused = [dict(zip(entry[::2], entry[1::2], strict=True))[b"object"] for entry in refusals()]
    assert set(refused) <= {b"config|get"}


@pytest.mark.parametrize("lacking", ["scan", "hmget", "hstrlen", "lrange"])
def test_a_doctor_that_may_not_ask_says_so(own_server, url_of, lacking):
    with Client(url_of("bananas-client")) as client:
        client.submit_job("note", {})
    own_server.call("ACL", "SETUSER", "bananas-doctor", f"-{lacking}")
    done = bananasd("doctor", "--url", url_of("bananas-doctor"), "--namespace", "default")
    assert done.exit_code == 1
    assert f"no permissions to run the '{lacking}' command" in " ".join(done.stdout.split())


def test_the_doctor_as_the_daemons_user_looks_at_all_but_the_jobs(own_server, url_of):
    with Client(url_of("bananas-client")) as client:
        client.submit_job("note", {})
    done = bananasd("doctor", "--json", "--url", url_of("bananas-daemon"), "--namespace", "default")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["records"]) == (1, None)
    found = {check["check"]: check for check in told["checks"]}
    assert [*found] == ["server", "persistence", "memory", "clock", "round trip", "jobs", "nodes", "lanes"]
    assert found["jobs"]["level"] == "error"
    assert found["jobs"]["what"].startswith("this user of the server may not examine them: ")
    assert "--url with the doctor's user" in found["jobs"]["remedy"]
    assert found["lanes"]["what"] == "1 ready, and no live worker takes them"


def test_a_user_who_may_not_even_ask_the_time_is_told_of_another(own_server, url_of):
    own_server.call("ACL", "SETUSER", "bananas-doctor", "-time")
    done = bananasd("doctor", "--json", "--url", url_of("bananas-doctor"), "--namespace", "default")
    (server,) = json.loads(done.stdout)["checks"]
    assert (done.exit_code, server["level"]) == (69, "error")
    assert "--url with the doctor's user" in server["remedy"]


def test_a_user_who_may_not_count_nodes_is_told_of_another(own_server, url_of):
    own_server.call("ACL", "SETUSER", "bananas-doctor", "-zrange")
    done = bananasd("doctor", "--json", "--url", url_of("bananas-doctor"), "--namespace", "default")
    (nodes,) = (check for check in json.loads(done.stdout)["checks"] if check["check"] == "nodes")
    assert nodes["what"].startswith("nodes and lanes cannot be counted: ")
    assert "--url with the doctor's user" in nodes["remedy"]


# It is no more than enough


def is_refusal(reply):
    """Whether it is one for want of a permission, in the words of Valkey or Redis, of a script or not."""
    words = "permission|ACL failure|can't run this command|can't access at least one of the keys"
    return isinstance(reply, Exception) and re.search(words, str(reply)) is not None


@pytest.mark.parametrize("name", ["bananas-client", "bananas-daemon"])
@pytest.mark.parametrize(
    "command",
    [
        ("FLUSHALL",), ("FLUSHDB",), ("CONFIG", "GET", "*"), ("CONFIG", "SET", "maxmemory", "1"), ("ACL", "LIST"), ("SHUTDOWN",),
        ("KEYS", "*"), ("SCAN", "0"), ("RANDOMKEY",), ("SCRIPT", "FLUSH"), ("MONITOR",), ("CLIENT", "LIST"),
        ("REPLICAOF", "NO", "ONE"), ("SAVE",), ("SELECT", "1"), ("SWAPDB", "0", "1"), ("PUBLISH", "a", "b"),
        ("GET", "{bananas:other}:job:1"), ("GET", "of somebody else"), ("HSET", "{bananas:other}:job:1", "status", "pending"),
        ("EVAL", "return redis.call('GET', '{bananas:other}:job:1')", "0"),
        ("EVAL", "return redis.call('FLUSHALL')", "0"),
        ("EVAL", "return redis.call('GET', KEYS[1])", "1", "{bananas:other}:job:1"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_nothing_else_is_allowed(own_server, url_of, name, command):
    own_server.call("SET", "of somebody else", "here")
    connection = HeldConnection(Server(url_of(name), 5))
    (reply,) = connection.trip([command])
    connection.close()
    assert is_refusal(reply), reply
    assert own_server.call("GET", "of somebody else") == b"here"


def test_a_client_may_not_ask_the_server_about_itself_as_the_daemon_does(url_of):
    connection = HeldConnection(Server(url_of("bananas-client"), 5))
    (reply,) = connection.trip([("INFO",)])
    connection.close()
    assert is_refusal(reply), reply


def test_another_namespace_is_refused_to_a_client(url_of):
    with Client(url_of("bananas-client"), namespace="other") as client, pytest.raises(ServerRefused):
        client.submit_job("note", {})
