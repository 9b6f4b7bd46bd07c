"""Hooks in real workers: when they are called, and that whatever they do harms no job and no worker."""

import os
import signal
import textwrap

import pytest

from bananasd import Status
from bananasd.errors import ConfigError
from bananasd.processes import control
from tests.conftest import wait_until
from tests.daemon import halt, is_alive

pytestmark = pytest.mark.usefixtures("untraced")

ONE_WORKER = {
    "workers": {"count": 1, "grace_seconds": 30},
    "master": {"drain_seconds": 60},
    "retry": {"base_seconds": 0.01},
}
IMPATIENT = ONE_WORKER | {"workers": {"count": 1, "grace_seconds": 0.5}}
HANDLERS = """
    @handler("fail", max_retries=1)
    def fail(job):
        raise ValueError("no such account")

    @handler("set")
    def return_what_is_no_json(job):
        return {1}

    @handler("long")
    def be_long(job):
        time.sleep(60)
"""
NOTES = """
    import os, time
    from pathlib import Path
    from tests_of_hooks import say

    def on_worker_start(worker):
        say("start", worker.node[:9], worker.name, worker.pool)

    def on_worker_stop(worker):
        say("stop", worker.name)

    def before_job(job):
        say("before", job.name, job.attempt)

    def after_job(job, end):
        assert 0 <= end.seconds < 10
        say("after", job.name, end.outcome, type(end.error).__name__)

    def on_failure(job, error):
        say("failure", job.name, type(error).__name__, *error.args)

    def on_dead(job, error):
        say("dead", job.name, type(error).__name__, error.__traceback__ is not None)
"""
"""Hooks that say when they are called."""


@pytest.fixture
def start(make_daemon):
    """Start a daemon of one worker with this text for hooks.py."""

    def start(hooks, handlers=HANDLERS, **options):
        daemon = make_daemon(handlers, settings=options.pop("settings", ONE_WORKER))
        said = f"""
            def say(*words):
                with open({str(daemon.directory / "said")!r}, "a") as file:
                    print(*words, file=file)
        """
        write(daemon, "tests_of_hooks", said)
        write(daemon, "hooks", hooks)
        return daemon.start(**options)

    return start


def write(daemon, name, text):
    (daemon.directory / "handlers" / f"{name}.py").write_text(textwrap.dedent(text))


def said(daemon):
    file = daemon.directory / "said"
    return file.read_text().splitlines() if file.exists() else []


def ran(daemon, name, payload=None, **options):
    """The job after its end."""
    with daemon.client() as client:
        return client.wait(client.submit_job(name, {} if payload is None else payload, **options), 30)


@pytest.mark.parametrize("preload", [False, True])
def test_hooks_are_called_around_a_workers_life_and_its_jobs(start, preload):
    daemon = start(NOTES, settings={"workers": {"count": 1, "preload": preload}})
    ran(daemon, "note")
    wait_until(lambda: len(said(daemon)) == 3)
    assert daemon.stop() == 0
    assert said(daemon) == [
        "start testnode- worker 0 ",
        "before note 1",
        "after note completed NoneType",
        "stop worker 0",
    ]


@pytest.mark.parametrize(
    ("name", "calls"),
    [
        (
            "fail",
            [
                "before fail 1", "failure fail ValueError no such account", "after fail retried ValueError",
                "before fail 2", "failure fail ValueError no such account", "dead fail ValueError True", "after fail dead ValueError",
            ],
        ),
        (
            "set",
            [
                "before set 1",
                "failure set ValueError the result cannot be written as JSON: Type is not JSON serializable: set",
                "dead set ValueError True", "after set dead ValueError",
            ],
        ),
    ],
)  # fmt: skip
def test_failures_and_deaths_come_with_their_exception(start, name, calls):
    daemon = start(NOTES)
    assert ran(daemon, name).status is Status.FAILED
    wait_until(lambda: len(said(daemon)) == 1 + len(calls))
    assert said(daemon)[1:] == calls


def test_the_seconds_of_an_end_are_those_of_the_handler_and_before_job_is_in_all_other_times(start):
    daemon = start(
        """
        import time
        from tests_of_hooks import say

        def before_job(job):
            global began, ended
            time.sleep(0.2)
            began, ended = time.monotonic(), None

        def on_dead(job, error):
            global ended
            ended = time.monotonic()
            time.sleep(0.2)

        def after_job(job, end):
            say(end.seconds <= (ended or time.monotonic()) - began)
        """
    )
    ran(daemon, "fail", max_retries=0)
    ran(daemon, "note")
    wait_until(lambda: said(daemon) == ["True", "True"])
    (line,) = daemon.lines("job completed")
    assert int(line.rpartition("ms=")[2]) >= 200


def test_a_job_without_a_handler_is_a_failure_and_a_death_of_which_nothing_ran(start):
    daemon = start(NOTES)
    ran(daemon, "missing", max_retries=0)
    wait_until(lambda: len(said(daemon)) == 3)
    assert said(daemon)[1:] == [
        "failure missing LookupError no handler is loaded for the name 'missing'",
        "dead missing LookupError False",
    ]


def test_a_cancelled_run_is_no_failure(start):
    daemon = start(NOTES)
    with daemon.client() as client:
        job_id = client.submit_job("long", None)
        daemon.worker_of(job_id)
        client.cancel(job_id, "soft")
        assert client.wait(job_id, 30).status is Status.CANCELLED
    wait_until(lambda: said(daemon)[1:3] == ["before long 1", "after long released JobCancelled"])


def test_a_timeout_is_a_failure_with_its_interrupt(start):
    daemon = start(NOTES)
    ran(daemon, "long", timeout_seconds=0.2, max_retries=0)
    wait_until(lambda: "after long dead JobTimeout" in said(daemon))
    assert said(daemon)[2:4] == [
        "failure long JobTimeout the job ran longer than its timeout",
        "dead long JobTimeout True",
    ]


@pytest.mark.parametrize(
    "fault",
    ["1 / 0", "raise SystemExit(3)", "raise KeyboardInterrupt", "raise Unsayable", "import os; os.fork()"],
)
def test_whatever_a_hook_raises_its_job_and_its_worker_go_on(start, fault):
    daemon = start(
        f"""
        class Unsayable(BaseException):
            def __str__(self):
                raise RuntimeError("no words")

        def before_job(job):
            {fault}

        on_worker_start = on_worker_stop = before_job

        def after_job(job, end):
            {fault}

        on_failure = on_dead = after_job
        """
    )
    pid = daemon.child("worker").pid
    for name in ("note", "note", "fail"):
        job = ran(daemon, name, {"result": 5} if name == "note" else None)
        assert (job.result, job.attempts) == ((5, 1) if name == "note" else (None, 2))
    assert daemon.child("worker").pid == pid
    assert daemon.stop() == 0


def test_a_fault_is_told_once_with_its_place_and_then_counted(start):
    daemon = start(
        """
        def before_job(job):
            raise ValueError(f"hook of {job.payload['n']}")

        def after_job(job, end):
            {}[job.payload["n"] % 2]
        """
    )
    for n in range(4):
        ran(daemon, "note", {"n": n})
    assert daemon.stop() == 0
    assert (
        len(daemon.lines("hook failed hook=before_job"))
        == len(daemon.lines("hook failed hook=after_job"))
        == 1
    )
    assert "hooks.py" in daemon.log_text() and "ValueError: hook of 0" in daemon.log_text()
    (again,) = daemon.lines("hook again hook=before_job times=3 seconds=")
    assert again.endswith("failed with ValueError")


def test_a_job_has_ended_for_others_while_its_hook_still_runs(start):
    daemon = start(
        """
        import os, time
        from tests_of_hooks import say

        def after_job(job, end):
            until = job.payload["until"]
            while not os.path.exists(until):
                time.sleep(0.005)
            if job.payload.get("is_slow"):
                time.sleep(1.1)
            say("let go")
        """
    )
    gate = daemon.directory / "gate"
    job = ran(daemon, "note", {"until": str(gate), "result": 7, "is_slow": True})
    assert (job.result, said(daemon)) == (7, [])
    gate.touch()
    wait_until(lambda: said(daemon) == ["let go"])
    assert ran(daemon, "note", {"until": str(gate), "result": 8}).result == 8
    assert len(daemon.lines("hook slow hook=after_job")) == 1


def test_a_hook_that_hangs_before_a_job_is_killed_and_counts_as_an_attempt(start):
    daemon = start(
        """
        import time

        def before_job(job):
            if job.name == "fail":
                time.sleep(3600)
        """,
        settings=IMPATIENT,
    )
    job = ran(daemon, "fail", max_retries=0)
    assert (job.status, job.attempts) == (Status.FAILED, 1)
    assert "a hook hung" in job.error
    assert ran(daemon, "note").status is Status.COMPLETED


@pytest.mark.parametrize("name", ["note", "missing"])
def test_a_hook_that_hangs_after_a_job_costs_a_worker_and_no_job(start, name):
    daemon = start(
        f"""
        import time

        def hang(job, error):
            if job.name == {name!r}:
                time.sleep(3600)

        after_job = on_dead = hang
        """,
        settings=IMPATIENT,
    )
    pid = daemon.child("worker").pid
    # Half a second may be too little for the worker to report the end.
    halt(daemon.pid)
    job = ran(daemon, name, max_retries=0)
    os.kill(daemon.pid, signal.SIGCONT)
    assert (job.run, job.attempts) == (1, 1)
    wait_until(lambda: not is_alive(pid))
    assert ran(daemon, "set").run == 1
    with daemon.client() as client:
        assert client.get_job(job.id).to_dict() == job.to_dict()


def test_a_hook_that_hangs_at_the_end_does_not_keep_the_daemon(start):
    daemon = start("import time\ndef on_worker_stop(worker): time.sleep(3600)")
    assert daemon.stop() == 0


def test_what_a_hook_logs_carries_the_job(start):
    daemon = start(
        """
        import logging
        log = logging.getLogger("mine")

        def before_job(job): log.info("hook says before")
        def after_job(job, end): log.info("hook says after")
        def on_failure(job, error): log.info("hook says failure")
        def on_worker_start(worker): log.info("hook says start")
        """
    )
    job = ran(daemon, "set")
    context = f"worker 0 [id={job.id} name=set attempt=1] mine: hook says"
    wait_until(lambda: daemon.lines(context, "after"))
    assert [len(daemon.lines(context, word)) for word in ("before", "after", "failure", "start")] == [
        1,
        1,
        1,
        0,
    ]
    assert daemon.lines("worker 0 mine: hook says start")


def test_a_process_that_a_hook_has_forked_is_no_second_worker(start):
    daemon = start(
        """
        import os, time
        from tests_of_hooks import say

        def before_job(job):
            if os.fork() == 0:
                return
            os.wait()

        def after_job(job, end):
            say("after", os.getpid())
        """
    )
    ran(daemon, "note")
    wait_until(lambda: said(daemon))
    assert said(daemon) == [f"after {daemon.child('worker').pid}"]


def test_a_reload_takes_up_hooks_and_refuses_those_that_are_none(start):
    daemon = start(NOTES)
    write(daemon, "hooks", "def before_jobs(job): ...")
    with pytest.raises(ConfigError, match="did you mean before_job"):
        control.reload(daemon.run_dir, 30)
    write(daemon, "hooks", "from tests_of_hooks import say\ndef before_job(job): say('new')")
    control.reload(daemon.run_dir, 30)
    ran(daemon, "note")
    assert said(daemon)[-1] == "new"


@pytest.mark.parametrize(
    ("hooks", "problem"),
    [
        ("def before_jobs(job): ...", "hooks.py:1: no hook is named before_jobs: did you mean before_job?"),
        ("def before_job(job)", "hooks.py:1: SyntaxError: expected ':'"),
    ],
)
def test_a_daemon_does_not_start_with_hooks_that_cannot_be_meant(start, hooks, problem):
    daemon = start(hooks, wait=False)
    assert daemon.wait() == 78
    assert daemon.lines("handlers broken: ", problem)


def test_a_hook_that_fails_in_every_new_worker_is_told_once(start):
    settings = {"workers": {"count": 1, "max_jobs": 1}, "log": {"level": "warning"}}
    daemon = start("def on_worker_start(worker):\n    raise OSError('no such host')\n", settings=settings)
    for _ in range(4):
        ran(daemon, "note")
    assert daemon.stop() == 0
    assert len(daemon.lines("hook failed hook=on_worker_start")) == 1


def test_hooks_that_fail_in_every_new_worker_are_told_once_each(start):
    settings = {"workers": {"count": 2, "max_jobs": 1}, "log": {"level": "warning"}}
    hooks = """
        def before_job(job):
            raise OSError("no such host")

        def after_job(job, end):
            raise KeyError(job.id)
    """
    daemon = start(hooks, settings=settings)
    for _ in range(5):
        ran(daemon, "note")
    assert daemon.stop() == 0
    assert [len(daemon.lines(f"hook failed hook={name}")) for name in ("before_job", "after_job")] == [1, 1]
    # Not by each that leaves: within half a minute that is for nobody but the last.
    assert len(daemon.lines("hook again hook=before_job")) <= 2


def test_what_is_still_wrong_after_a_reload_is_told_anew(start):
    daemon = start("def before_job(job):\n    raise KeyError('first')\n")
    ran(daemon, "note")
    write(daemon, "hooks", "def before_job(job):\n    raise KeyError('second')\n")
    control.reload(daemon.run_dir, 30)
    ran(daemon, "note")
    assert daemon.stop() == 0
    assert len(daemon.lines("hook failed hook=before_job")) == 2
    assert "KeyError: 'second'" in daemon.log_text()
