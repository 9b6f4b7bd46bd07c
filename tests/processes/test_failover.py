"""A primary that has been demoted answers on, with a refusal; what led to it leads to another by now."""

from datetime import timedelta

import pytest

from bananasd import Client, Priority, ServerRefused, Status
from tests.conftest import wait_until
from tests.proxy import Proxy
from tests.sentinels import SERVICE, Sentinel, TcpServer, url_of


def test_everybody_leaves_a_demoted_server_for_the_one_that_its_name_leads_to(
    make_daemon, own_server, server
):
    own = Proxy(own_server.socket)
    try:
        daemon = make_daemon(redis_url=own.url).start()
        with daemon.client() as client:
            client.wait(client.submit_job("note", {}), 30)
            own_server.call("REPLICAOF", "127.0.0.1", "1")
            wait_until(lambda: len(daemon.lines("redis lost", "READONLY")) >= 3)
            own.target = str(server.socket)
            with pytest.raises(ServerRefused, match="READONLY"):
                client.submit_job("note", {})
            ids = [
                client.submit_job("note", {}),
                client.submit_job_scheduled("note", {}, Priority.NORMAL, timedelta(milliseconds=100)),
            ]
            assert {client.wait(job_id, 30).status for job_id in ids} == {Status.COMPLETED}
        assert server.call("ZCARD", "{bananas:default}:nodes") == 1
        assert daemon.stop() == 0
    finally:
        own.close()


SUBMITTING = """
    @handler("submit")
    def run_submit(job):
        from noted import run_note
        return run_note.submit({})
"""


@pytest.fixture
def service(tmp_path):
    """Two servers, and a Sentinel with a password that leads to the first."""
    servers = [TcpServer(tmp_path / name) for name in ("one", "two")]
    sentinel = Sentinel(tmp_path / "sentinel", servers[0])
    yield servers, sentinel
    for process in (*servers, sentinel):
        process.stop()


def test_a_daemon_goes_where_the_sentinels_of_its_configuration_lead(make_daemon, service, tmp_path):
    (one, two), sentinel = service
    (tmp_path / "password").write_text("of the sentinel\n")
    settings = {
        "sentinels": ["127.0.0.1:1", sentinel.place],
        "service": SERVICE,
        "sentinel_password_file": str(tmp_path / "password"),
    }
    sentinel.password = "of the sentinel"
    daemon = make_daemon(handlers=SUBMITTING, settings={"redis": settings}).start()
    with Client(f"{url_of([sentinel])}?sentinel_password=of+the+sentinel") as client:
        job = client.wait(client.submit_job("submit", {}), 30)
        assert client.wait(job.result, 30).status is Status.COMPLETED
        one.call("REPLICAOF", "127.0.0.1", "1")
        sentinel.tell(two)
        wait_until(lambda: two.call("SCARD", "{bananas:default}:holders") == 2)
        wait_until(lambda: two.call("ZCARD", "{bananas:default}:nodes") == 1)
    with Client(f"{url_of([sentinel])}?sentinel_password=of+the+sentinel") as client:
        job = client.wait(client.submit_job("submit", {}), 30)
        assert client.wait(job.result, 30).status is Status.COMPLETED
    assert daemon.stop() == 0
    assert two.call("ZCARD", "{bananas:default}:nodes") == 0
    assert "of the sentinel" not in daemon.log_text()


def test_a_daemon_that_takes_a_sentinel_for_its_server_says_what_to_use_and_ends(make_daemon, service):
    _, sentinel = service
    daemon = make_daemon(redis_url=f"redis://{sentinel.place}").start(wait=False)
    assert daemon.wait() == 78
    assert daemon.lines("server unfit", "this is a Sentinel", "redis+sentinel://")
    assert "unknown command" not in daemon.log_text()
