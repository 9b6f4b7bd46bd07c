"""The steps of docs/operations.md that move data: done as they stand there, on a real daemon and real servers."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from bananasd import Client, JobNotFound, Priority, ServerRefused, Status
from tests.conftest import RedisServer, wait_until
from tests.sentinels import free_port
from tests.systemd.surroundings import require

pytestmark = pytest.mark.timeout(120)

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
HOUR = timedelta(hours=1)
COMMAND, CONFIG = "sudo -u bananasd /opt/bananasd/bin/bananasd", "/etc/bananasd/bananas.toml"
SYSTEMCTL = re.compile(r"^systemctl (stop|start) bananasd$", re.MULTILINE)
CHOWN = "chown -R bananasd: /var/lib/bananasd/appendonlydir\n"
"""There is no such user here."""


def steps(heading):
    """The blocks of commands below a heading."""
    found = re.search(rf"^## {heading}$(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    return re.findall(r"^```bash\n(.*?)^```$", found[1], re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    """A folder with a ``redis-cli`` in it, whichever this machine has."""
    real = shutil.which("redis-cli") or shutil.which("valkey-cli")
    require(real is not None, "it needs redis-cli or valkey-cli")
    (tmp_path / "redis-cli").symlink_to(real)
    return tmp_path


def follow(commands, folder, names, daemon):
    """Run them, under the names of this test, systemd's part by the test itself."""
    commands = commands.replace(CHOWN, "")
    for name, here in names.items():
        assert name in commands, f"the steps do not say {name!r} any more"
        commands = commands.replace(name, str(here))
    for part in SYSTEMCTL.split(commands):
        if part == "stop":
            assert daemon.stop() == 0
        elif part == "start":
            daemon.start()
        else:
            run(part, folder)


def run(commands, folder):
    environ = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands], cwd=folder, env=environ, capture_output=True, text=True, timeout=60
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_back_up_brings_back_the_jobs_of_its_instant(make_daemon, folder):
    save, restore = steps("Back-up and restore")
    daemon, go, saved = make_daemon().start(), folder / "go", folder / "saved.rdb"
    backup = {"/var/backups/bananasd.rdb": saved}
    with daemon.client() as client:
        ran = client.submit_job("hold", {"until": str(go)})
        due = client.submit_job_scheduled("note", {}, Priority.HIGH, HOUR)
        wait_until(lambda: daemon.entries("start", ran))
        follow(save, folder, {"/run/bananasd": daemon.run_dir, **backup}, daemon)
        go.touch()
        assert client.wait(ran, 15).status is Status.COMPLETED
        since = client.submit_job("note", {})
        client.wait(since, 15)
    names = {
        COMMAND: f"{sys.executable} -m bananasd",
        CONFIG: daemon.config,
        "/var/lib/bananasd": daemon.state_dir,
    }
    follow(restore, folder, names | backup, daemon)
    with daemon.client() as client:
        assert client.wait(ran, 15).status is Status.COMPLETED
        assert client.get_job(due).status is Status.SCHEDULED
        with pytest.raises(JobNotFound):
            client.get_job(since)
    assert len(daemon.entries("start", ran)) == 2


def serve(stack, *options):
    """A server that listens on loopback, too; its port."""
    directory = Path(tempfile.mkdtemp(prefix="bananasd-test-"))
    stack.callback(shutil.rmtree, directory)
    port = free_port()
    server = RedisServer(directory, "--port", str(port), "--bind", "127.0.0.1", *options)
    stack.callback(server.stop)
    return server, port


def lead(daemon, url):
    """Set ``redis.url``, as the steps say."""
    text, changed = re.subn(r'(?m)^url = ".*"$', f'url = "{url}"', daemon.config.read_text())
    assert changed == 1
    daemon.config.write_text(text)


def test_jobs_of_the_embedded_server_move_to_another(make_daemon, folder):
    (move, _) = steps("Moving to another server")
    daemon = make_daemon().start()
    with daemon.client() as client, ExitStack() as stack:
        done = client.submit_job("note", {"result": 7})
        client.wait(done, 15)
        client.pause()
        waits = client.submit_job("note", {})
        due = client.submit_job_scheduled("note", {}, Priority.HIGH, HOUR)
        server, port = serve(stack)
        here = {
            "/run/bananasd": daemon.run_dir,
            "/var/lib/bananasd": daemon.state_dir,
            "NEW:6379": f"127.0.0.1:{port}",
        }
        follow(move, folder, here, daemon)
        lead(daemon, server.url)
        daemon.start()
        with Client(server.url) as there:
            assert there.get_result(done) == 7
            assert there.get_job(due).status is Status.SCHEDULED
            assert there.get_job(waits).status is Status.PENDING
            there.resume()
            assert there.wait(waits, 15).status is Status.COMPLETED
        daemon.stop()


def test_jobs_move_from_one_server_to_another_that_follows_it(make_daemon, folder):
    (_, move) = steps("Moving to another server")
    with ExitStack() as stack:
        (old, old_port), (new, new_port) = serve(stack), serve(stack)
        daemon = make_daemon(redis_url=old.url).start()
        with Client(old.url) as client:
            due = client.submit_job_scheduled("note", {}, Priority.HIGH, HOUR)
        here = {
            "NEW:6379": f"127.0.0.1:{new_port}",
            "OLD:6379": f"127.0.0.1:{old_port}",
            "OLD 6379": f"127.0.0.1 {old_port}",
        }
        follow(move, folder, here, daemon)
        lead(daemon, new.url)
        daemon.start()
        with Client(new.url) as client:
            assert client.get_job(due).status is Status.SCHEDULED
            assert client.wait(client.submit_job("note", {}), 15).status is Status.COMPLETED
        with Client(old.url) as client, pytest.raises(ServerRefused):
            client.submit_job("note", {})
        daemon.stop()
