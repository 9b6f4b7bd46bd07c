"""Jobs that waited for too long, on a real daemon."""

from bananasd import JobRequest, Status
from tests.conftest import wait_until
from tests.invariants import Look


def test_under_load_those_that_came_too_late_expire_and_all_others_run_once(make_daemon, tmp_path):
    daemon = make_daemon(settings={"workers": {"count": 1, "grace_seconds": 1}}).start()
    with daemon.client() as client:
        holding = client.submit_job("hold", {"until": str(tmp_path / "go")})
        wait_until(lambda: client.get_job(holding).status is Status.PROCESSING)
        requests = [JobRequest("note", {}, expires_in=(None, 0.05, 3600)[n % 3]) for n in range(600)]
        ids = client.submit_many(requests)
        late, wanted = ids[1::3], [*ids[0::3], *ids[2::3]]
        last = client.get_job(late[-1]).expires_at
        wait_until(lambda: now_of(daemon) > last.timestamp())
        (tmp_path / "go").touch()
        assert {client.wait(job_id, 20).status for job_id in wanted} == {Status.COMPLETED}
        assert {client.wait(job_id, 5).status for job_id in late} == {Status.EXPIRED}
        started = [line[1] for line in daemon.entries("start")]
        assert sorted(started) == sorted([holding, *wanted])
        counters = client.queue_stats().counters
        assert (counters["expired"], counters["completed"]) == (200, 401)
    assert Look(daemon.url).complaints() == []


def test_a_job_that_waits_for_another_try_when_its_time_is_over_is_not_tried_again(make_daemon):
    daemon = make_daemon(
        """
        @handler("failing")
        def failing(job):
            note(job, "start")
            raise RetryLater(job.payload + 0.2)
        """
    ).start()
    with daemon.client() as client:
        for seconds in (0.3, 1, 4):
            job = client.wait(client.submit_job("failing", seconds, expires_in=seconds), 10)
            assert (job.status, job.attempts) == (Status.EXPIRED, len(daemon.entries("start")))
            assert job.finished_at > job.expires_at
            if job.attempts:
                break  # else the machine was so busy that it did not even begin
        assert job.attempts == 1


def now_of(daemon):
    seconds, micros = Look(daemon.url).call("TIME")
    return int(seconds) + int(micros) / 1e6
