"""The log of a real daemon: what its lines carry, what never stands in them, and how many there are."""

import json
import os
import re
import signal
import urllib.request
from datetime import timedelta
from itertools import pairwise
from urllib.parse import quote

import pytest

from bananasd import Status
from bananasd.processes import control
from tests.command_line import bananasd
from tests.conftest import wait_until
from tests.sentinels import free_port

# Many processes are started one after the other, each of which a busy machine delays.
pytestmark = pytest.mark.timeout(180)

CALM = {
    "redis": {"timeout_seconds": 10},
    "workers": {"count": 2},
    "master": {"drain_seconds": 30},
    "scheduler": {"beat_seconds": 3, "lease_seconds": 15},
    "log": {"level": "warning"},
}
"""Settings that ask for no trouble."""

HANDLERS = """
    import asyncio, logging, threading
    from concurrent.futures import ThreadPoolExecutor
    from multiprocessing import get_context

    log = logging.getLogger("mine")

    @handler("everywhere", max_retries=1)
    def everywhere(job):
        log.info("says plain")
        thread = threading.Thread(target=log.info, args=["says thread"])
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(log.info, "says pool").result()
        process = get_context("fork").Process(target=log.info, args=["says process"])
        process.start()
        process.join()
        if job.attempt == 1:
            raise RetryLater(0)

    @handler("everywhere_async")
    async def everywhere_async(job):
        async def say(what):
            await asyncio.sleep(0)
            log.info(what)
        log.info("says plain")
        await asyncio.gather(say("says task"), asyncio.create_task(say("says other task")))
        await asyncio.to_thread(log.info, "says thread")

    @handler("fail", max_retries=0)
    def fail(job):
        raise ConnectionError(job.payload["error"])

    @handler("typed")
    def typed(job, payload: dict[str, int]): ...

    @handler("result")
    def result(job):
        return {1, job.payload}

    @handler("die")
    def die(job):
        os._exit(1)
"""

HOOKS = """
from pathlib import Path
from noted import note

def on_worker_stop(worker):
    with (Path(__file__).parent.parent / "ledger").open("a") as ledger:
        ledger.write("on_worker_stop\\n")

def before_job(job):
    note(job, "before_job")
"""

NOISY = """
    import threading, warnings
    from multiprocessing import get_context

    class Broken:
        def __del__(self):
            raise ValueError("at the end")

    def fail():
        raise RuntimeError("in a thread")

    def warn_and_fail():
        warnings.warn("old")
        thread = threading.Thread(target=fail, name="mine")
        thread.start()
        thread.join()

    @handler("noisy")
    def noisy(job):
        warn_and_fail()
        Broken()
        process = get_context("spawn").Process(target=warn_and_fail)
        process.start()
        process.join()
"""


def ran(daemon, name, payload=None, **options):
    with daemon.client() as client:
        return client.wait(client.submit_job(name, payload, **options), 15)


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_is_logged_inside_a_handler_carries_job_attempt_and_worker_wherever_it_comes_from(
    make_daemon, form
):
    daemon = make_daemon(HANDLERS, settings={"workers": {"count": 1}, "log": {"format": form}}).start()
    plain, in_tasks = ran(daemon, "everywhere"), ran(daemon, "everywhere_async")
    assert daemon.stop() == 0
    wanted = {
        (plain.id, "everywhere", attempt, what)
        for attempt in (1, 2)
        for what in ("plain", "thread", "pool", "process")
    }
    wanted |= {
        (in_tasks.id, "everywhere_async", 1, what) for what in ("plain", "task", "other task", "thread")
    }
    if form == "text":
        line = r" info worker 0 \[id=(\S+) name=(\S+) attempt=(\d)\] mine: says (.*)"
        found = {
            (job, name, int(attempt), what)
            for job, name, attempt, what in re.findall(line, daemon.log_text())
        }
    else:
        lines = [json.loads(line) for line in daemon.lines('"mine"')]
        assert {line["process"] for line in lines} == {"worker 0"}
        found = {
            (line["job_id"], line["job_name"], line["attempt"], line["message"].removeprefix("says "))
            for line in lines
        }
    assert found == wanted


WARNED, FAILED, IGNORED = (
    ("warning", "py.warnings: UserWarning: old at FILE", ""),
    ("error", "bananasd.log: thread failed name=mine", "RuntimeError: in a thread"),
    ("error", "bananasd.log: exception ignored in=Broken.__del__", "ValueError: at the end"),
)


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_python_prints_by_itself_is_logged_with_the_job(make_daemon, own_server, form):
    """Warnings, and exceptions that nobody catches, also in a process that was started afresh."""
    settings = {**CALM, "workers": {"count": 1}, "log": {"format": form, "level": "warning"}}
    daemon = make_daemon(NOISY, redis_url=own_server.url, settings=settings).start()
    job = ran(daemon, "noisy")
    assert job.status is Status.COMPLETED
    assert daemon.stop() == 0
    read = read_json if form == "json" else read_text
    assert read(daemon, job.id) == [WARNED, FAILED, IGNORED, WARNED, FAILED]


def read_json(daemon, job_id):
    """Level, message and last line of the traceback of each line; all of them must be of this job."""
    lines = [json.loads(line) for line in daemon.log_text().replace(place(daemon), "FILE").splitlines()]
    assert {(line["job_id"], line["process"]) for line in lines} == {(job_id, "worker 0")}
    return [
        (line["level"], f"{line['logger']}: {line['message']}", line.get("exception", "").rpartition("\n")[2])
        for line in lines
    ]


def read_text(daemon, job_id):
    text = daemon.log_text().replace(place(daemon), "FILE")
    entries = re.findall(r"^\S.*\n(?: .*\n)*", text, flags=re.MULTILINE)
    head = rf"\S+ (\w+) worker 0 \[id={job_id} name=noisy attempt=1\] (.*)\n(?:(?: .*\n)*    (.*)\n)?"
    return [re.fullmatch(head, entry).groups(default="") for entry in entries]


def place(daemon):
    """Where its handler warns."""
    source = (daemon.directory / "handlers" / "tested.py").read_text().splitlines()
    (number,) = [number for number, line in enumerate(source, 1) if "warnings.warn(" in line]
    return f"{daemon.directory}/handlers/tested.py:{number}"


# Secrets

PASSWORDS = ["hunter2secret", "p@ss/wo?rd#&=%secret", "«secret»\u2028", "a:b secret"]


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_servers_password_is_in_no_line_while_the_server_is_away_or_refuses_it(
    make_daemon, own_server, tmp_path, password
):
    """By file and by URL, for what the server thinks of it, and for what it cannot be reached with."""
    own_server.call("CONFIG", "SET", "requirepass", "another")
    (tmp_path / "password").write_text(password)
    for options in (
        {"redis_url": f"unix://:{quote(password, safe='')}@{own_server.socket}"},
        {"redis_url": own_server.url, "settings": {"redis": {"password_file": str(tmp_path / "password"), "timeout_seconds": 1}}},
        {"redis_url": f"redis://ann:{quote(password, safe='')}@127.0.0.1:1/0"},
    ):  # fmt: skip
        daemon = make_daemon(**options).start()
        wait_until(lambda: daemon.lines("scheduler", "redis lost") and daemon.lines("worker 1", "redis lost"))  # noqa: B023 - it is asked at once
        for command in ("check", "status", "queues"):
            done = bananasd(command, "--config", daemon.config)
            assert "secret" not in done.output
        assert daemon.stop() == 0
        assert "secret" not in daemon.log_text()
        assert quote(password) not in daemon.log_text()


def test_no_line_has_a_payload_a_result_or_a_header_whatever_becomes_of_the_job(make_daemon):
    daemon = make_daemon(HANDLERS, settings={"log": {"format": "json"}}).start()
    secret = {"headers": {"authorization": "4111-1111"}, "description": "4111-1111"}
    payload = {"card": "4111-1111", "error": "the bank is away"}
    assert ran(daemon, "fail", payload, **secret).status is Status.FAILED
    assert ran(daemon, "typed", {"card": "4111-1111"}, **secret).status is Status.FAILED
    assert ran(daemon, "typed", {"4111-1111": "x"}, **secret).status is Status.FAILED
    assert ran(daemon, "missing", payload, max_retries=0, **secret).status is Status.FAILED
    assert ran(daemon, "note", {"result": "4111-1111"}, **secret).result == "4111-1111"
    assert ran(daemon, "die", payload, **secret).status is Status.FAILED
    with daemon.client() as client:
        client.submit_job_scheduled("note", payload, "low", timedelta(hours=1), **secret)
    assert daemon.stop() == 0
    assert "the bank is away" in daemon.log_text()
    assert "4111-1111" not in daemon.log_text()


def test_passwords_of_urls_in_the_texts_of_errors_are_masked_in_every_line(make_daemon):
    daemon = make_daemon(HANDLERS, settings={"workers": {"count": 1}}).start()
    for url in (
        "postgresql://ann:hunter2@db:5432/shop", "redis://:hunter2@h/0", "https://h/?access_token=hunter2&page=1",
        "amqp://ann:hun@ter2hunter2@mq//", "could not reach mysql://ann:hunter2@db\nredis://ann:hunter2@h",
    ):  # fmt: skip
        assert ran(daemon, "fail", {"error": url}).status is Status.FAILED
    assert daemon.stop() == 0
    assert len(daemon.lines("job dead")) == 5
    assert "hunter2" not in daemon.log_text()


# How many lines


@pytest.mark.parametrize("is_embedded", [False, True])
def test_at_warning_level_a_daemon_that_is_well_says_nothing(make_daemon, own_server, is_embedded):
    """With all that it has: hooks, schedules, a dashboard, pools, a reload, and a drain while a job runs."""
    listen = f"127.0.0.1:{free_port()}"
    settings = {
        **CALM,
        "http": {"listen": listen},
        "pools": [{"name": "slow", "workers": 1, "queues": ["slow"]}],
    }
    daemon = make_daemon(HANDLERS, redis_url="embedded" if is_embedded else own_server.url, settings=settings)
    (daemon.directory / "handlers" / "hooks.py").write_text(HOOKS)
    with daemon.config.open("a") as config:
        config.write(
            '[[schedules]]\nname = "often"\njob = "note"\nevery = "1s"\nmisfire = "all"\npayload = {}\n'
        )
    daemon.start()
    for name in ("note", "hold"):
        assert ran(daemon, name, {"until": "/"}).status is Status.COMPLETED
    with daemon.client() as client:
        client.wait([client.submit_job("note", {}) for _ in range(200)], 15)
        client.wait(client.submit_job("note", {}, queue="slow"), 15)
        client.pause("default")
        client.resume("default")
        client.cancel(client.submit_job_scheduled("note", {}, "low", timedelta(hours=1)))
        with urllib.request.urlopen(f"http://{listen}/metrics", timeout=10) as answer:
            assert answer.status == 200
        control.reload(daemon.run_dir, 20)
        assert ran(daemon, "note", {}).status is Status.COMPLETED
        wait_until(lambda: client.queue_stats().counters["completed"] > 206)  # those of the schedule, too
        last = client.submit_job("note", {"seconds": 1})
        wait_until(lambda: daemon.entries("start", last))
    assert daemon.stop() == 0
    assert daemon.entries("end", last)
    assert {line.split()[0] for line in daemon.ledger.read_text().splitlines()} >= {
        "before_job",
        "on_worker_stop",
    }
    assert daemon.lines() == []


def test_the_embedded_servers_own_words_are_lines_of_our_log(make_daemon):
    """What it prints at each start and end is no warning, though it calls it one."""
    daemon = make_daemon(settings={**CALM, "log": {"format": "json", "level": "info"}}).start()
    daemon.stop()
    lines = [json.loads(line) for line in daemon.lines()]
    said = {line["message"]: line["level"] for line in lines if line["message"].startswith("server says: ")}
    assert any("ready to exit" in message for message in said)
    assert set(said.values()) == {"info"}


def test_an_outage_is_told_by_one_process_for_all_though_a_worker_was_busy_over_it(
    make_daemon, own_server, tmp_path
):
    """At warning level: twice, so that nothing is left of the first."""
    daemon = make_daemon(redis_url=own_server.url, settings={**CALM, "workers": {"count": 6}}).start()
    for outages in (1, 2):
        with daemon.client() as client:
            busy = client.submit_job("hold", {"until": str(tmp_path / f"end {outages}")})
            wait_until(lambda: daemon.entries("start", busy))  # noqa: B023 - it is asked at once
            own_server.stop()
            begin = len(daemon.lines())
            wait_until(lambda: max(ages_in(daemon.lines()[begin:]), default=0) >= 2)  # noqa: B023
            own_server.start()
            wait_until(lambda: len(daemon.lines("redis back")) == outages)  # noqa: B023
            (tmp_path / f"end {outages}").touch()
            assert client.wait(busy, 15).status is Status.COMPLETED
            # All six have come back, one of them from the long job.
            assert {
                job.status for job in client.wait([client.submit_job("note", {}) for _ in range(60)], 15)
            } == {Status.COMPLETED}
    assert daemon.stop() == 0
    lines = daemon.lines()
    ends = [number for number, line in enumerate(lines) if "redis back" in line]
    assert len(ends) == 2 and ends[-1] == len(lines) - 1
    for told in (lines[: ends[0]], lines[ends[0] + 1 : -1]):
        # After 0, 1, 2, 4 … seconds, or, on a busy machine, later; each time by one of them.
        ages = ages_in(told)
        assert len(ages) == len(told)
        assert all(age >= 1 << before.bit_length() for before, age in pairwise(ages)), ages


def ages_in(lines):
    """How long the server had been lost by then, in whole seconds."""
    return [int(age) for line in lines for age in re.findall(r"redis lost for=(\d+)", line)]


def test_jobs_that_keep_killing_their_workers_are_told_once_and_counted(make_daemon):
    daemon = make_daemon(HANDLERS, settings={**CALM, "workers": {"count": 2}}).start()
    with daemon.client() as client:
        jobs = client.wait([client.submit_job("die", None) for _ in range(5)], 25)
    assert {job.status for job in jobs} == {Status.FAILED}
    assert daemon.stop() == 0
    # 15 workers have died; each of the jobs has a line of its own, for it is lost for good.
    (ended,), (recovered,) = daemon.lines("child ended"), daemon.lines("jobs recovered holder=")
    ids = {job.id for job in jobs}
    for line in (ended, recovered):
        assert re.search(r" id=(\S+) name=die$", line)[1] in ids
    # The stop tells what nobody has been told of yet: of 15 deaths, and of 10 that were not the last of their job.
    assert re.search(r"times=14 .* name=die$", daemon.lines("children ended again")[0])
    assert re.search(r"times=9 .* name=die$", daemon.lines("jobs recovered again")[0])
    assert all(" name=die " in line for line in daemon.lines("job dead"))
    assert len(daemon.lines("job dead")) == 5


def test_handlers_that_broke_are_told_once_for_all_workers_and_those_that_follow(make_daemon, own_server):
    settings = {**CALM, "log": {"level": "info"}}
    daemon = make_daemon(HANDLERS, redis_url=own_server.url, settings=settings).start()
    (daemon.directory / "handlers" / "broken.py").write_text("1 / 0\n")
    for worker in daemon.children("worker"):
        os.kill(worker.pid, signal.SIGKILL)
    wait_until(lambda: len(daemon.lines("child started", "worker")) >= 7, 30)
    assert len(daemon.lines("handlers broken")) == 1
