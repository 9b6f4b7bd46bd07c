"""Whatever is thrown at it raises errors of ours: names, payloads, ids, records, addresses, schedules, arguments of commands.

The configuration file has such tests of its own, in test_config.py.
"""

import json
import math
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bananasd import BananasError, Client, InvalidJob, Job, JobOptions, JobRequest, Priority, Schedule
from bananasd.errors import BadAddress
from bananasd.handlers import HandlerSpec, Registry
from bananasd.masking import mask_url
from bananasd.processes.performance import Performer, Rules
from bananasd.record import read_spec
from bananasd.retry import OPEN, Retry, RetryPolicy
from bananasd.store.claims import Claimed
from bananasd.store.connection import Server
from bananasd.store.outcomes import Buried, Completed, Retried
from bananasd.testing import fake
from bananasd.testing.runs import _row
from tests.command_line import bananasd

ID = "0b52f5b2-2f5c-4f4c-9d43-3a0f3f4f9a55"


class Odd:
    """An object that has no text and equals nothing."""

    def __repr__(self):
        raise ValueError("no words")


TEXT = st.text(st.characters(exclude_categories=[]), max_size=30)
ODD_TEXT = st.sampled_from(
    ["", " ", "\0", "\x1b[2J", "\ud800", "a" * 300, "default", "high", "return", "dead", "soft", ID, ID.upper(), "*", "\u202e", "١٢٣"]
)  # fmt: skip
NUMBERS = st.sampled_from(
    [0, -1, 1, 2**31, 2**63, 2**64, 10**30, -(2**63), 0.1, -0.0, 1e308, math.inf, -math.inf, math.nan, True, Decimal(1), Fraction(1, 3), 1j]
)  # fmt: skip
# ruff: noqa: DTZ901 - that they have no time zone is the point
TIMES = st.sampled_from(
    [
        timedelta(0), timedelta.max, timedelta.min, timedelta(seconds=1), datetime.max, datetime.min, datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC), date(2030, 1, 1),
    ]
)  # fmt: skip
PLAIN = (
    st.none()
    | TEXT
    | ODD_TEXT
    | NUMBERS
    | TIMES
    | st.binary(max_size=5)
    | st.uuids()
    | st.just(uuid.UUID(ID))
)
ANYTHING = st.recursive(
    PLAIN | st.builds(Odd) | st.sampled_from([int, Priority.HIGH, Retry(1), Retry("x"), b"", set, {1, 2}, range(3)]),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.one_of(TEXT, st.integers(), st.none()), some, max_size=3)
    | st.tuples(some) | st.frozensets(PLAIN.filter(lambda value: value == value), max_size=2),  # noqa: PLR0124 - NaN
    max_leaves=5,
)  # fmt: skip
often = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


def only_ours(call, *others):
    """Call it; what it may raise are errors of ours, with a text, and these."""
    try:
        return call()
    except (BananasError, *others) as error:
        assert str(error)  # noqa: PT017 - whether it raises is not the question
        return error


# A client


@often
@given(st.data())
def test_whatever_a_job_is_made_of_it_is_a_request_or_no_valid_job(data):
    names = st.sampled_from(sorted(JobOptions.__annotations__))
    options = data.draw(st.dictionaries(names, ANYTHING, max_size=4))
    given_ = {"name": "greet", "payload": 1} | data.draw(
        st.dictionaries(
            st.sampled_from(["name", "payload", "priority", "description", "scheduled_for"]),
            ANYTHING,
            max_size=3,
        )
    )
    made = only_ours(lambda: JobRequest(**given_, **options))
    if isinstance(made, JobRequest):
        # And what is a request a worker can read.
        job = Job(made.job_id, read_spec(made.spec), made.lane)
        assert job.name == given_["name"]
    else:
        assert isinstance(made, InvalidJob)


def is_short(value):
    """Whether it is no time to wait that a test would notice."""
    try:
        return not (value.total_seconds() if isinstance(value, timedelta) else float(value)) > 0.01
    except Exception:
        return True


SOON = ANYTHING.filter(is_short)
CALLS = {
    "get_job": [ANYTHING], "get_result": [ANYTHING], "explain": [ANYTHING], "cancel": [ANYTHING] * 2, "reprioritise": [ANYTHING] * 3,
    "reschedule": [ANYTHING] * 2, "pause": [ANYTHING] * 2, "resume": [ANYTHING], "paused": [], "queue_stats": [], "dead_jobs": [],
    "retry_dead": [ANYTHING], "purge_dead": [ANYTHING], "put_schedule": [ANYTHING], "remove_schedule": [ANYTHING], "schedules": [],
    "watch": [ANYTHING], "wait": [ANYTHING, SOON], "submit_job": [ANYTHING] * 4, "submit_job_scheduled": [ANYTHING] * 5,
    "submit_many": [ANYTHING | st.lists(st.builds(JobRequest, st.just("greet"), st.none(), job_id=st.just(ID)) | ANYTHING, max_size=3)],
    "submit_and_wait": [ANYTHING] * 2,
}  # fmt: skip
"""With what each is called. Who waits for what never ends waits for no time."""
NAMED = {"explain": {"look_seconds": SOON}, "dead_jobs": {"offset": ANYTHING, "limit": ANYTHING}, "submit_and_wait": {"wait_seconds": SOON}}  # fmt: skip
ITERATE = ("retry_dead", "purge_dead", "submit_many")


def test_every_call_of_a_client_is_asked_whatever_there_is():
    assert {name for name in vars(Client) if not name.startswith("_")} == CALLS.keys() | {"close"}


@often
@given(st.data())
def test_whatever_a_client_is_asked_it_answers_or_raises_what_is_ours(data):
    name = data.draw(st.sampled_from(sorted(CALLS)))
    arguments = [data.draw(kind) for kind in CALLS[name]]
    named = {key: data.draw(kind) for key, kind in NAMED.get(name, {}).items()}
    with fake([]) as queue:
        queue.client.submit_job("greet", 1, job_id=ID)
        if name == "watch" and arguments[0] in (ID, ID.upper(), uuid.UUID(ID)):
            return
        answer = only_ours(
            lambda: getattr(queue.client, name)(*arguments, **named), *not_to_be_iterated(name, arguments)
        )
        if name == "watch" and not isinstance(answer, Exception):
            only_ours(lambda: next(answer))


def not_to_be_iterated(name, arguments):
    """Python's own word for what is no list of ids, or of requests."""
    return (TypeError,) if name in ITERATE and not hasattr(arguments[0], "__iter__") else ()


@often
@given(st.dictionaries(st.sampled_from(["name", "job", "cron", "every", "timezone", "payload", "priority", "queue", "description", "misfire", "enabled"]), ANYTHING, max_size=5))  # fmt: skip
def test_whatever_a_schedule_says_it_is_one_or_no_valid_job(said):
    made = only_ours(lambda: Schedule(**({"name": "tick", "job": "tick", "every": "90s"} | said)))
    assert isinstance(made, Schedule | InvalidJob)


CRON = st.lists(st.sampled_from(["*", "*/5", "0", "31", "99", "1-5", "5-1", "L", "MON", "@daily", "?", ",", "-", "1/0", "é"]), max_size=7).map(" ".join)  # fmt: skip


@often
@given(
    CRON | TEXT,
    TEXT | st.sampled_from(["Europe/Berlin", "../../etc/passwd", "/etc/passwd", "UTC\0", "posixrules"]),
)
def test_whatever_a_cron_line_and_a_zone_say(cron, timezone):
    only_ours(lambda: Schedule(name="tick", job="tick", cron=cron, timezone=timezone))


# What others have written


SPECS = st.binary(max_size=60) | st.builds(
    lambda members: json.dumps({"v": 1, "name": "greet", "payload": 1} | members).encode("utf-8", "surrogatepass"),
    st.dictionaries(
        st.sampled_from(["v", "name", "payload", "created_at", "max_retries", "timeout_seconds", "retry", "on_lost", "headers", "schedule"]),
        st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | TEXT, lambda some: st.lists(some, max_size=3) | st.dictionaries(TEXT, some, max_size=3), max_leaves=4),
        max_size=4,
    ),
)  # fmt: skip


class Nobody:
    def set_progress(self, job, progress):
        pass

    def should_stop(self, job):
        return False


@often
@given(SPECS, ODD_TEXT | st.just(ID), TEXT)
def test_whatever_stands_in_a_record_its_run_has_an_outcome(spec, job_id, lane):
    looked_at = []

    def greet(job):
        looked_at.append((job.to_dict(), job.headers, job.slot_at, repr(job)))

    registry = Registry([HandlerSpec("greet", greet, None, None, __file__, 1, is_async=False)])
    rules = Rules(300, RetryPolicy(5, Retry()), 1000)
    performer = Performer(_row(), registry, rules, Nobody(), lambda _: OPEN, lambda *_: True)
    outcome = performer.perform(Claimed(lane, job_id, 1, spec, 0, 0, None, 1000), "n/1.1")
    assert isinstance(outcome, Completed | Buried | Retried)
    assert isinstance(outcome, Completed) == bool(looked_at)


# Addresses


URLS = st.one_of(
    TEXT,
    st.builds(
        "{}://{}".format,
        st.sampled_from(["redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "http", "REDIS", "redis+"]),
        st.lists(st.sampled_from(["user", ":", "@", "secret", "/", "?", "#", "&", "=", "host", "6379", "db", "password", "ssl_ca_certs", "[", "]", "::1", "%", "%00", "%2F", ",", "0", "\n", " ", "é", "."]) | TEXT, max_size=12).map("".join),
    ),
)  # fmt: skip


@often
@given(URLS | ANYTHING)
def test_whatever_an_address_is_it_leads_to_a_server_or_is_a_bad_one_that_is_not_quoted(url):
    made = only_ours(lambda: Server(url, 1))
    assert isinstance(made, Server | BadAddress)
    if isinstance(made, Server):
        assert "secret" not in repr(made) or "secret" in made.address


@often
@given(URLS)
def test_a_line_with_any_address_can_be_masked(url):
    assert isinstance(mask_url(f"to {url}, then redis://u:{url}@h"), str)


# The command line


COMMANDS = (
    ("check",), ("status",), ("stop",), ("reload",), ("dump",), ("submit",), ("run",), ("job",), ("queues",), ("cancel",), ("reprioritise",),
    ("reschedule",), ("pause",), ("resume",), ("schedules",), ("schedules", "remove"), ("dead", "list"), ("dead", "show"), ("dead", "retry"),
    ("dead", "purge"), ("doctor",), ("explain",), ("top",), ("script",), ("nonsense",), (),
)  # fmt: skip
"""Not those that start a daemon or make a directory."""
WORDS = st.sampled_from(
    ["--json", "--wait", "--payload", "{", "[1", "@", "@/etc/none", "-", "--", "--in", "5m", "--at", "2030-01-31", "--priority", "high", "--queue",
     "--retry", "1s,x", "--timeout", "--all", "--name", "--limit", "--offset", "--for", "--running", "--hard", "--max-retries", "--unique-key",
     "--help", "-h", "--version", "worker", "3", "note", ID, "now", "--namespace", "--repair", "--id", "1e400", "9" * 400]
)  # fmt: skip
EXIT_CODES = {0, 1, 2, 69, 70, 73, 75, 78}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(COMMANDS), st.lists(WORDS | TEXT, max_size=5))
def test_whatever_a_command_is_given_it_ends_with_an_exit_code_that_is_told(tmp_path_factory, command, words):
    directory = tmp_path_factory.getbasetemp()
    config = directory / "fuzz.toml"
    config.write_text(
        f'run_dir = "run"\n[redis]\nurl = "unix://{directory}/none.sock"\ntimeout_seconds = 0.01\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setattr("bananasd.config.DEFAULT_PATHS", (config,))
        patch.setattr("bananasd.cli.server.LOOK_SECONDS", 0.01)
        done = bananasd(*command, *words, stdin="")
    assert done.exit_code in EXIT_CODES
    assert done.exit_code == 0 or done.stderr
    assert "Traceback" not in done.output
