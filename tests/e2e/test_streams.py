"""A daemon whose standard streams were closed by whoever started it."""

import subprocess
import sys

import pytest

from tests.conftest import wait_until


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_a_daemon_with_closed_streams_does_its_work(make_daemon, closed):
    daemon = make_daemon()
    command = [sys.executable, "-m", "bananasd", "start", "--config", str(daemon.config)]
    daemon.process = subprocess.Popen(["sh", "-c", f'exec "$@" {closed}', "sh", *command])
    wait_until(daemon.is_up)
    with daemon.client() as client:
        assert client.wait(client.submit_job("note", {"result": 1}), 10).result == 1
    assert daemon.stop() == 0
