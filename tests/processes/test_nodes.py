"""A node and its server: one that is unfit, a clean end, and an end without it."""

from tests.conftest import wait_until


def test_a_server_that_throws_jobs_away_ends_the_daemon(make_daemon, own_server):
    own_server.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    daemon = make_daemon(redis_url=own_server.url).start(wait=False)
    assert daemon.wait() == 78
    assert "maxmemory-policy is allkeys-lru" in daemon.log_text()


def test_a_clean_stop_leaves_no_trace_of_the_node(make_daemon, own_server):
    daemon = make_daemon(redis_url=own_server.url).start()
    with daemon.client() as client:
        client.wait(client.submit_job("note", {}), 30)
    assert daemon.stop() == 0
    kinds = {key.decode().split("}:")[1].split(":")[0] for key in own_server.call("KEYS", "*")}
    assert not kinds & {"holders", "held", "nodes", "node"}
    assert not list(daemon.run_dir.glob("*.board"))


def test_a_drain_without_a_server_leaves_the_board_and_the_next_start_recovers(make_daemon, own_server):
    daemon = make_daemon(redis_url=own_server.url).start()
    with daemon.client() as client:
        job_id = client.submit_job("note", {"seconds": 60})
        wait_until(lambda: daemon.entries("start", job_id))
        own_server.stop()
        assert daemon.stop() == 0
        assert list(daemon.run_dir.glob("*.board"))
        own_server.start()
        daemon.start()
        wait_until(lambda: len(daemon.entries("start", job_id)) == 2)
        job = client.get_job(job_id)
        assert (job.recoveries, job.attempts) == (0, 0)
