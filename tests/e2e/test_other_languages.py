"""What docs/protocol.md says to those who submit without Python, done with the programs that they have."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bananasd import Client, JobNotFound, Status
from tests import npm
from tests.systemd.surroundings import require

pytestmark = pytest.mark.timeout(300)

DOCS = Path(__file__).parents[2] / "docs"

HELLO = """
    @handler("hello")
    def hello(job):
        return {"greeting": f"Hello, {job.payload['name']}!"}
"""


@pytest.fixture
def environ(tmp_path):
    """The command line of this project, and a redis-cli that needs no option to find the server of the test."""
    return os.environ | {"PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.fixture
def redis_cli(server, tmp_path):
    real = shutil.which("redis-cli") or shutil.which("valkey-cli")
    require(real is not None, "it needs redis-cli or valkey-cli")
    program = tmp_path / "redis-cli"
    program.write_text(f'#!/bin/sh\nexec {real} --no-raw -s {server.socket} "$@"\n')
    program.chmod(0o755)


@pytest.fixture(scope="module")
def ioredis(tmp_path_factory):
    """A folder that node finds ioredis in."""
    return npm.install(tmp_path_factory.mktemp("node"), "ioredis@5")


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.usefixtures("redis_cli")
def test_a_daemon_completes_what_redis_cli_has_submitted(server, make_daemon, environ, tmp_path):
    page = (DOCS / "protocol.md").read_text()
    page = page.partition("\n## Submitting from another language\n")[2].partition("\n## ")[0]
    commands = re.findall(r"^```bash\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    told = run("bash", "-euc", "\n".join(commands), cwd=tmp_path, env=environ)
    assert told == "".join(re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    at_once, later, unique, duplicate = dict.fromkeys(re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", page))
    make_daemon(HELLO, redis_url=server.url).start()
    with Client(server.url) as client:
        assert client.wait(at_once, 20).result == {"greeting": "Hello, Ada!"}
        assert client.get_job(later).status is Status.SCHEDULED
        assert client.wait(unique, 20).result == {"greeting": "Hello, Eve!"}
        with pytest.raises(JobNotFound):
            client.get_job(duplicate)


def test_a_daemon_completes_what_node_has_submitted(server, make_daemon, environ, ioredis, tmp_path):
    make_daemon(HELLO, redis_url=server.url).start()
    run("bash", "-euc", "bananasd script submit > submit.lua", cwd=tmp_path, env=environ)
    program = ioredis / "submit.mjs"  # modules are looked for beside the program
    shutil.copy(DOCS / "examples" / "submit.mjs", program)
    accepted, ended = run("node", program, server.socket, cwd=tmp_path).splitlines()
    assert accepted == "accepted 1"
    status, _, result = ended.partition(" ")
    assert (status, json.loads(result)) == ("completed", {"greeting": "Hello, Ada!"})
