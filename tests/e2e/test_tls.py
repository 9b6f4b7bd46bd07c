"""TLS with certificates of clients: daemon, clients and commands, against a server that takes nothing else."""

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bananasd import AsyncClient, Client, ConnectionFailed, Status, config
from bananasd.server import server_of
from tests.command_line import bananasd
from tests.conftest import RedisServer, wait_until
from tests.sentinels import free_port
from tests.systemd.surroundings import require

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


class Certificates:
    """An authority, and what it has signed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ca = self.make("ca")

    def make(self, name: str, signed_by: str = "") -> Path:
        """A certificate for this machine, ``NAME.pem``, with its key in ``NAME.key``."""
        file = self.directory / f"{name}.pem"
        signer = () if not signed_by else (
            "-CA", self.directory / f"{signed_by}.pem", "-CAkey", self.directory / f"{signed_by}.key",
            "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE",
        )  # fmt: skip
        subprocess.run(
            ["openssl", "req", "-x509", *KEY, "-subj", f"/CN={name}", *signer, "-keyout", file.with_suffix(".key"), "-out", file],
            check=True, capture_output=True,
        )  # fmt: skip
        return file

    def url(self, port: int, name: str = "client", ca: str = "ca") -> str:
        """An address with the certificate of this name."""
        place = self.directory
        own = f"&ssl_certfile={place}/{name}.pem&ssl_keyfile={place}/{name}.key" if name else ""
        return f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={place}/{ca}.pem{own}"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    require(shutil.which("openssl") is not None, "openssl is not installed")
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    for name in ("server", "client"):
        made.make(name, signed_by="ca")
    made.make("stranger")
    return made


@pytest.fixture(scope="module")
def tls(certificates):
    """A server that listens by TLS only, and only to who has a certificate of its authority."""
    binary = shutil.which("redis-server")
    require(binary is not None, "redis-server is not installed")
    directory = certificates.directory
    server = RedisServer(directory, is_started=False)
    server.port = free_port()
    server._options = (
        "--tls-port", str(server.port), "--tls-cert-file", f"{directory}/server.pem", "--tls-key-file", f"{directory}/server.key",
        "--tls-ca-cert-file", f"{directory}/ca.pem", "--tls-auth-clients", "yes", "--appendonly", "yes",
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BANANASD_REDIS_SERVER", binary)
        server.start()
    yield server
    server.stop()


@pytest.fixture
def settings(certificates):
    """What a daemon's [redis] says of TLS."""
    return {
        "tls_ca_file": str(certificates.ca),
        "tls_cert_file": f"{certificates.directory}/client.pem",
        "tls_key_file": f"{certificates.directory}/client.key",
    }


def test_a_daemon_and_its_clients_speak_tls_with_certificates_of_their_own(
    make_daemon, tls, certificates, settings
):
    daemon = make_daemon(
        redis_url=f"rediss://127.0.0.1:{tls.port}/0",
        settings={"redis": {"timeout_seconds": 20, **settings}},
    ).start()
    with Client(certificates.url(tls.port)) as client:
        assert client.submit_and_wait("note", {"result": 5}, wait_seconds=15).result == 5
        job_id = client.submit_job("hold", {"until": str(daemon.directory / "gate")})
        daemon.worker_of(job_id)
        client.cancel(job_id, "soft")
        assert client.wait(job_id, 15).status is Status.CANCELLED
        shown = bananasd("job", job_id, "--config", daemon.config)
        assert (shown.exit_code, "cancelled" in shown.stdout) == (0, True)
    # An idle worker wakes at once: its wait does not end only because there is something to read that is no reply.
    wait_until(lambda: not [child.job_id for child in daemon.children("worker") if child.job_id])
    assert daemon.stop() == 0
    assert not daemon.lines(" warning ", "redis lost")


def test_an_async_client_does_so_too(tls, certificates):
    async def submit():
        async with AsyncClient(certificates.url(tls.port)) as client:
            return await client.submit_job("echo", 1)

    with Client(certificates.url(tls.port)) as client:
        assert client.get_job(asyncio.run(submit())).payload == 1


@pytest.mark.parametrize("name", ["", "stranger"], ids=["none", "of another authority"])
def test_who_has_no_certificate_of_the_servers_authority_is_not_let_in(tls, certificates, name):
    with pytest.raises(ConnectionFailed), Client(certificates.url(tls.port, name), timeout_seconds=1):
        pass


def test_a_server_with_a_certificate_of_another_authority_is_not_spoken_to(tls, certificates):
    with (
        pytest.raises(ConnectionFailed, match="certificate verify failed"),
        Client(certificates.url(tls.port, ca="stranger"), timeout_seconds=10),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("tls_ca_file", None, "cannot be read: No such file or directory; want a certificate in PEM"),
        ("tls_ca_file", "nothing", "cannot be used: .*; want a certificate in PEM"),
        ("tls_cert_file", None, "cannot be read: No such file or directory; want a certificate in PEM, with its key"),
        ("tls_cert_file", "nothing", "cannot be used: .*; want a certificate in PEM, with its key, which has no password"),
        ("tls_key_file", "nothing", "cannot be used: .*key"),
        ("tls_key_file", "encrypted", "cannot be used: .*; want a certificate in PEM, with its key, which has no password"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_use_is_told_by_check_before_anything_is_started(
    tmp_path, certificates, settings, name, content, wanted
):
    file = tmp_path / "file.pem"
    if content == "encrypted":
        key = certificates.directory / "client.key"
        subprocess.run(
            ["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", file], check=True
        )
    elif content is not None:
        file.write_text(content)
    given = {**settings, name: str(file)}
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "a.py").write_text(
        'from bananasd import handler\n@handler("a")\ndef a(job): ...'
    )
    path = tmp_path / "bananas.toml"
    lines = [f'{key} = "{value}"' for key, value in given.items()]
    path.write_text("\n".join(["[redis]", 'url = "rediss://h"', *lines]))
    done = bananasd("check", "--config", path)
    assert done.exit_code == 78
    (line,) = done.stderr.splitlines()
    # A key is read with its certificate.
    assert f"redis.{name.replace('key', 'cert')}: " in line
    assert re.search(wanted, line), line


def test_sentinels_that_are_named_are_asked_by_tls_if_there_are_files_for_it(tmp_path, settings):
    path = tmp_path / "bananas.toml"
    lines = [f'{key} = "{value}"' for key, value in settings.items()]
    path.write_text("\n".join(["[redis]", 'sentinels = ["s:1"]', 'service = "jobs"', *lines]))
    server = server_of(config.load(path, {}))
    assert server.address == "rediss+sentinel://s:1/jobs"
    assert [sentinel.address for sentinel in server.sentinels()] == ["rediss://s:1"]
    made = server.sentinels()[0].make_connection()
    assert (made.ca_certs, made.certfile) == (settings["tls_ca_file"], settings["tls_cert_file"])


@pytest.mark.parametrize("name", ["ca", "client.pem", "client.key"])
def test_a_file_that_is_not_there_is_named(certificates, name):
    url = certificates.url(free_port()).replace(f"{certificates.directory}/{name}", "/nowhere/it")

    async def use() -> None:
        async with AsyncClient(url, timeout_seconds=1) as client:
            await client.queue_stats()

    with (
        pytest.raises(ConnectionFailed, match="No such file or directory: '/nowhere/it"),
        Client(url, timeout_seconds=1) as client,
    ):
        client.queue_stats()
    with pytest.raises(ConnectionFailed, match="No such file or directory: '/nowhere/it"):
        asyncio.run(use())
