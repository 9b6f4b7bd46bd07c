"""A primary that has been demoted answers on, with a refusal; the name that led to it leads to another by now."""

from datetime import timedelta

import pytest

from bananasd import Priority, ServerRefused, Status
from tests.conftest import wait_until
from tests.proxy import Proxy


def test_everybody_leaves_a_demoted_server_for_the_one_that_its_name_leads_to(
    make_daemon, own_server, server
):
    own = Proxy(own_server.socket)
    try:
        daemon = make_daemon(redis_url=own.url).start()
        with daemon.client() as client:
            client.wait(client.submit_job("note", {}), 10)
            own_server.call("REPLICAOF", "127.0.0.1", "1")
            wait_until(lambda: len(daemon.lines("redis lost", "READONLY")) >= 3)
            own.target = str(server.socket)
            with pytest.raises(ServerRefused, match="READONLY"):
                client.submit_job("note", {})
            ids = [
                client.submit_job("note", {}),
                client.submit_job_scheduled("note", {}, Priority.NORMAL, timedelta(milliseconds=100)),
            ]
            assert {client.wait(job_id, 10).status for job_id in ids} == {Status.COMPLETED}
        assert server.call("ZCARD", "{bananas:default}:nodes") == 1
        assert daemon.stop() == 0
    finally:
        own.close()
