"""Jobs: what anybody reads of them."""

import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bananasd import InvalidJob, Job, JobRequest, Priority, Retry, Status
from bananasd.job import read_spec
from bananasd.retry import RetryPolicy

ID = "0b52f5b2-2f5c-4f4c-9d43-3a0f3f4f9a55"


def job_of(*args: Any, **options: Any) -> Job:
    request = JobRequest(*args, **options)
    return Job(request.job_id, read_spec(request.spec), request.lane)


def test_a_job_tells_what_was_requested():
    job = job_of("greet", {"to": "you"}, Priority.LOW, "hi", queue="mail", max_retries=2, timeout_seconds=1.5)
    assert (job.name, job.payload, job.description) == ("greet", {"to": "you"}, "hi")
    assert (job.priority, job.queue) == (Priority.LOW, "mail")
    assert (job.max_retries, job.timeout_seconds) == (2, 1.5)
    assert isinstance(job.timeout_seconds, float)


def test_a_job_has_the_retries_that_were_requested():
    spec = JobRequest("greet", 1, retry=Retry(1, cap_seconds=5), on_lost="retry").spec
    assert orjson.loads(spec)["retry"] == {"base_seconds": 1, "factor": 2, "cap_seconds": 5, "jitter": 0}
    job = Job(ID, read_spec(spec), "mail:high")
    assert (job.retry, job.on_lost) == (Retry(1, 2, 5, 0), "retry")
    assert job.retry_policy == RetryPolicy(None, Retry(1, 2, 5, 0))


def test_a_job_has_the_headers_that_were_sent_along():
    assert job_of("greet", 1, headers={"traceparent": "00-1-2-01"}).headers == {"traceparent": "00-1-2-01"}
    assert job_of("greet", 1).headers == {}


@pytest.mark.parametrize(("written", "read"), [("5", {}), ("null", {}), ('{"a":"b","c":5}', {"a": "b"})])
def test_headers_that_are_no_text_do_not_keep_a_job_from_running(written, read):
    spec = read_spec(b'{"v":1,"name":"greet","payload":1,"headers":%b}' % written.encode())
    assert Job(ID, spec, "default:low").headers == read


def test_what_was_not_said_is_left_to_the_handler():
    job = job_of("greet", None)
    assert (job.payload, job.description, job.max_retries, job.timeout_seconds) == (None, "", None, None)
    assert (job.priority, job.queue) == (Priority.NORMAL, "default")
    assert (job.status, job.attempts, job.recoveries, job.attempt) == (Status.PENDING, 0, 0, 1)


def test_a_claimed_job_is_processing_and_knows_its_counts():
    job = Job.claimed(ID, read_spec(JobRequest("greet", 1).spec), "default:high", (7, 2, 1), 1000, 3000)
    assert (job.id, job.status, job.priority) == (ID, Status.PROCESSING, Priority.HIGH)
    assert (job.run, job.attempts, job.recoveries, job.attempt) == (7, 2, 1, 3)
    assert job.scheduled_for == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert job.started_at == datetime(1970, 1, 1, 0, 0, 3, tzinfo=UTC)


RECORD = {
    b"spec": b'{"v":1,"name":"greet","created_at":1000,"payload":{"a":1},"description":"hi","max_retries":2,"timeout_seconds":5}',
    b"lane": b"mail:low",
    b"status": b"completed",
    b"run": b"3",
    b"attempts": b"2",
    b"recoveries": b"1",
    b"due_at": b"2000",
    b"started_at": b"3000",
    b"updated_at": b"2500",
    b"finished_at": b"4000",
    b"holder": b"node/1.1",
    b"unique": b"end the key",
    b"error": b"it broke",
    b"has_result": b"1",
    b"progress": b'{"done":1,"total":2,"note":""}',
}


def at(seconds: int) -> datetime:
    return datetime(1970, 1, 1, 0, 0, seconds, tzinfo=UTC)


def test_a_record_reads_as_a_job():
    job = Job.from_record(ID, RECORD, b"[1]")
    assert (job.id, job.name, job.payload, job.queue, job.priority) == (
        ID,
        "greet",
        {"a": 1},
        "mail",
        Priority.LOW,
    )
    assert (job.status, job.run, job.attempts, job.recoveries) == (Status.COMPLETED, 3, 2, 1)
    assert (job.holder, job.error, job.result) == ("node/1.1", "it broke", [1])
    assert job.progress == {"done": 1, "total": 2, "note": ""}
    assert (job.created_at, job.scheduled_for, job.started_at, job.finished_at) == (
        at(1),
        at(2),
        at(3),
        at(4),
    )
    assert job.updated_at == at(4)


def test_a_result_that_is_kept_belongs_to_the_job_only_if_its_record_says_so():
    without = {field: value for field, value in RECORD.items() if field != b"has_result"}
    assert Job.from_record(ID, without, b"[1]").result is None


@pytest.mark.parametrize("result", [None, b"{", b"!17 it broke"])
def test_a_result_that_has_expired_or_is_none_reads_as_none(result):
    job = Job.from_record(ID, RECORD, result)
    assert (job.has_result, job.result) == (True, None)


def test_a_job_was_updated_when_its_record_last_changed():
    assert Job.from_record(ID, {**RECORD, b"updated_at": b"9000"}).updated_at == at(9)


def test_a_job_that_only_waits_was_updated_when_it_was_created():
    assert Job.from_record(ID, {b"spec": RECORD[b"spec"], b"status": b"pending"}).updated_at == at(1)


def test_a_client_whose_clock_is_ahead_does_not_hide_what_the_server_did():
    spec = RECORD[b"spec"].replace(b"1000", b"99000")
    assert Job.from_record(ID, {b"spec": spec, b"started_at": b"3000"}).updated_at == at(3)


@pytest.mark.parametrize("status", list(Status))
def test_every_status_is_known_and_four_of_them_are_final(status):
    job = Job.from_record(ID, {b"status": status.value.encode()})
    assert job.status is status
    assert status.is_final is (status in (Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.EXPIRED))


def test_a_status_of_a_newer_version_is_not_taken_for_an_end():
    assert Job.from_record(ID, {b"status": b"waiting"}).status is Status.PENDING


def test_a_record_without_a_status_can_only_have_failed():
    assert Job.from_record(ID, {b"spec": RECORD[b"spec"]}).status is Status.FAILED


ODD_SPECS = [
    b"", b"\xff", b"[]", b"{}",
    b'{"v":7,"name":5,"description":[],"created_at":"yesterday","max_retries":"x","timeout_seconds":{},"payload":1}',
    b'{"v":1,"name":"greet","created_at":[],"retry":[-1],"on_lost":"die"}',
    b'{"v":1,"name":"greet","created_at":1e300,"max_retries":true,"timeout_seconds":false}',
    b'{"v":1,"name":"greet","created_at":99999999999999999,"max_retries":1.5,"timeout_seconds":null,"retry":{"base":1},"on_lost":[]}',
]  # fmt: skip


@pytest.mark.parametrize("spec", ODD_SPECS)
def test_an_odd_spec_reads_as_if_the_odd_were_not_there(spec):
    job = Job.from_record(ID, {b"spec": spec, b"status": b"failed"})
    assert (job.created_at, job.updated_at, job.max_retries, job.timeout_seconds) == (None, None, None, None)
    assert (job.description, job.name in ("", "greet")) == ("", True)
    assert (job.retry, job.on_lost, job.retry_policy) == (None, None, RetryPolicy())
    assert json.loads(json.dumps(job.to_dict()))["id"] == ID
    assert ID in repr(job)


@pytest.mark.parametrize(
    "odd",
    [
        {b"lane": b"\xff"}, {b"lane": b""}, {b"lane": b"a:b:c"}, {b"lane": b"no colon"}, {b"status": b"\xff"}, {b"status": b""},
        {b"run": b"x", b"attempts": b"1.5", b"recoveries": b""}, {b"due_at": b"soon"}, {b"started_at": b"9" * 30},
        {b"finished_at": b"-99999999999999999"}, {b"updated_at": b"9" * 5000}, {b"error": b"\xff\xfe"}, {b"holder": b"\xff"},
        {b"progress": b"5"}, {b"progress": b"\xff"}, {b"unknown": b"field"},
    ],
)  # fmt: skip
def test_no_odd_field_keeps_a_record_from_being_read(odd):
    job = Job.from_record(ID, {**RECORD, **odd})
    assert job.name == "greet"
    assert isinstance(job.status, Status)
    assert isinstance(job.priority, Priority)
    assert isinstance(job.progress, dict | None)
    assert orjson.dumps(job.to_dict())


@given(st.dictionaries(st.sampled_from(sorted(RECORD)), st.binary() | st.integers().map(lambda n: b"%d" % n)))
def test_no_record_at_all_breaks_the_reading(record):
    assert orjson.dumps(Job.from_record(ID, record, record.get(b"lane")).to_dict())


def test_a_job_as_a_dict_is_ready_for_json():
    plain = json.loads(json.dumps(Job.from_record(ID, RECORD, b"[1]").to_dict()))
    assert plain == {
        "id": ID,
        "name": "greet",
        "description": "hi",
        "payload": {"a": 1},
        "priority": "low",
        "queue": "mail",
        "status": "completed",
        "attempts": 2,
        "recoveries": 1,
        "max_retries": 2,
        "timeout_seconds": 5,
        "retry": None,
        "on_lost": None,
        "unique_key": "the key",
        "error": "it broke",
        "result": [1],
        "progress": {"done": 1, "total": 2, "note": ""},
        "schedule": None,
        "headers": {},
        "slot_at": None,
        "created_at": "1970-01-01T00:00:01.000+00:00",
        "updated_at": "1970-01-01T00:00:04.000+00:00",
        "scheduled_for": "1970-01-01T00:00:02.000+00:00",
        "expires_at": None,
        "started_at": "1970-01-01T00:00:03.000+00:00",
        "finished_at": "1970-01-01T00:00:04.000+00:00",
    }


def test_what_has_not_happened_is_none_in_the_dict():
    plain = job_of("greet", 1).to_dict()
    assert (plain["started_at"], plain["finished_at"], plain["scheduled_for"], plain["result"]) == (None,) * 4


def test_a_job_shows_its_id_name_and_status():
    assert repr(Job.from_record(ID, RECORD)) == f"<Job {ID} 'greet' completed>"


# What a handler does with its job


class Context:
    """Stands in for the worker."""

    def __init__(self) -> None:
        self.told: list[tuple[Job, bytes]] = []
        self.is_stopping = False

    def set_progress(self, job: Job, progress: bytes) -> None:
        self.told.append((job, progress))

    def should_stop(self, job: Job) -> bool:
        return self.is_stopping


def test_progress_goes_to_the_worker_and_stays_on_the_job():
    job, context = job_of("greet", 1), Context()
    job.bind(context)
    job.set_progress(2, 5, "two of five")
    assert job.progress == {"done": 2, "total": 5, "note": "two of five"}
    ((told_job, told),) = context.told
    assert told_job is job
    assert orjson.loads(told) == job.progress


def test_progress_without_a_total_is_fine():
    job = job_of("greet", 1)
    job.set_progress(0.5)
    assert job.progress == {"done": 0.5, "total": None, "note": ""}


@pytest.mark.parametrize(
    "progress", [("1",), (float("nan"),), (1, float("inf")), (1, 2, None), (1, 2, "\ud800"), (2**64,)]
)
def test_progress_that_cannot_be_is_refused_and_changes_nothing(progress):
    job, context = job_of("greet", 1), Context()
    job.bind(context)
    with pytest.raises(InvalidJob, match="progress"):
        job.set_progress(*progress)
    assert job.progress is None
    assert context.told == []


def test_a_job_should_stop_when_its_worker_says_so():
    job, context = job_of("greet", 1), Context()
    assert not job.should_stop
    job.bind(context)
    assert not job.should_stop
    context.is_stopping = True
    assert job.should_stop
