"""The steps of docs/deploy, done in a folder: there is no container, but the same commands, files and programs."""

import base64
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from bananasd import Client, Status
from bananasd.processes.redis_server import find_server_binary
from tests.conftest import RedisServer, wait_until
from tests.daemon import Daemon
from tests.sentinels import free_port
from tests.systemd.surroundings import require

# The first test that needs the images makes them.
pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"
INSTRUCTION = re.compile(r"^([A-Z]+) +(.+)$", re.MULTILINE)
COMMAND_SECONDS = 200


class Image:
    """A folder in the place of an image's root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._workdir = "/"
        self.left_out: list[str] = []

    def build(self, dockerfile: Path, context: Path) -> "Image":
        """Do what its instructions say, in their order."""
        for instruction, words in INSTRUCTION.findall(dockerfile.read_text()):
            if instruction == "WORKDIR":
                self._workdir = words
            elif instruction == "COPY" and "--from" not in words:
                self._copy(context, words.split())
            elif instruction == "RUN":
                self._run(words)
        return self

    def here(self, text: str) -> str:
        """A text with paths of the image, with those of this folder in their place."""
        return re.sub(r"/(opt/bananasd|srv|run|data|etc/bananasd)\b", rf"{self.root}/\1", text)

    def _copy(self, context: Path, words: list[str]) -> None:
        *sources, target = words
        folder = (
            self.root / self._workdir[1:] / target if not target.startswith("/") else self.root / target[1:]
        )
        for source in sources:
            if (context / source).is_dir():
                shutil.copytree(
                    context / source, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
                )
            else:
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(context / source, folder)

    def _run(self, command: str) -> None:
        if command.startswith("useradd "):
            # That would be a user of this machine.
            self.left_out.append(command)
            return
        folder = self.root / self._workdir[1:]
        folder.mkdir(parents=True, exist_ok=True)
        strange = ("COV", "PYTHON", "VIRTUAL_ENV")
        environ = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
        environ["PIP_NO_COMPILE"] = "1"  # most of what it would compile is not run
        done = subprocess.run(
            ["sh", "-ec", self.here(command)], cwd=folder, capture_output=True, text=True, timeout=COMMAND_SECONDS,
            env=environ,
        )  # fmt: skip
        assert done.returncode == 0, f"RUN {command}\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def image():
    # Short, unlike pytest's: a socket's path has to fit into 107 bytes.
    root = Path(tempfile.mkdtemp(prefix="bananasd-image-"))
    yield Image(root).build(DEPLOY / "Dockerfile", ROOT).build(DEPLOY / "app" / "Dockerfile", DEPLOY / "app")
    shutil.rmtree(root)


@pytest.fixture
def secrets(tmp_path):
    """Made as the page says."""
    require(shutil.which("openssl") is not None, "it needs openssl")
    page = (DEPLOY / "README.md").read_text()
    (steps,) = (
        block
        for block in re.findall(r"^```bash\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        if "openssl" in block
    )
    subprocess.run(["bash", "-euc", steps], cwd=tmp_path, check=True)
    return tmp_path / "secrets"


@pytest.fixture
def folder(image, secrets):
    """The image's root with what is mounted there."""
    shutil.copytree(secrets, image.root / "run" / "secrets")
    for path in ("data", "etc/bananasd", "run/bananasd"):
        (image.root / path).mkdir(parents=True)
    yield image.root
    for path in ("data", "etc", "run"):
        shutil.rmtree(image.root / path)


@pytest.fixture
def valkey(image, folder):
    """The server with its configuration, on a socket."""
    conf = folder / "valkey.conf"
    conf.write_text(image.here((DEPLOY / "valkey.conf").read_text()))
    server = ConfiguredServer(
        folder / "data", conf, (folder / "run" / "secrets" / "redis_password").read_text().strip()
    )
    yield server
    server.stop()


class ConfiguredServer(RedisServer):
    """One that has a file of settings, with a password in it."""

    def __init__(self, directory: Path, conf: Path, password: str) -> None:
        self._conf, self._password = conf, password
        super().__init__(directory)

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", str(self.socket)]
        self.process = subprocess.Popen(
            [find_server_binary(os.environ), self._conf, *options],
            stdout=subprocess.DEVNULL,
            cwd=self.directory,
        )
        self.url = f"unix://:{self._password}@{self.socket}"
        wait_until(self.answers)


def test_the_image_has_the_program_and_the_handlers(image):
    environ = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    program, handlers = image.root / "opt" / "bananasd" / "bin" / "bananasd", image.root / "srv" / "handlers"
    config = image.root / "bananas.toml"
    config.write_text(
        f'run_dir = "{image.root}/r"\nstate_dir = "{image.root}/s"\n[workers]\nhandlers = "{handlers}"\n'
    )
    done = subprocess.run(
        [program, "check", "--config", config], env=environ, cwd="/", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "greet" in done.stdout
    assert list(handlers.rglob("*.pyc"))
    assert len(image.left_out) == 1


def test_the_server_of_the_page_is_one_that_the_doctor_finds_nothing_at(valkey):
    done = subprocess.run(
        [sys.executable, "-m", "bananasd", "doctor", "--url", valkey.url],
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = {line.split()[1] for line in done.stdout.splitlines() if line.split()[:1] == ["ok"]}
    assert {"server", "persistence", "memory"} <= lines, done.stdout


class Deployed(Daemon):
    """The daemon of the image with the configuration of the page."""

    def __init__(self, image: Image, server: ConfiguredServer, port: int) -> None:
        super().__init__(redis_url=f"unix://{server.socket}")
        text = image.here((DEPLOY / "bananas.toml").read_text())
        text = text.replace("redis://redis:6379/0", f"unix://{server.socket}").replace(
            "0.0.0.0:8580", f"0.0.0.0:{port}"
        )
        self.config.write_text(text)
        self.run_dir = image.root / "run" / "bananasd" / "daemon"
        self.url = server.url


def test_a_deployed_daemon_is_healthy_and_runs_the_handlers_of_the_image(image, valkey):
    port = free_port()
    daemon = Deployed(image, valkey, port)
    try:
        daemon.start()
        wait_until(lambda: health(port) == 0)
        with Client(valkey.url) as client:
            job = client.wait(client.submit_job("greet", {"name": "Ada"}), 15)
            assert (job.status, job.result) == (Status.COMPLETED, "Hello, Ada!")
        assert daemon.lines("greeting somebody")
        assert not daemon.lines("Ada")
        valkey.stop()
        wait_until(lambda: health(port) != 0)
        valkey.start()
        wait_until(lambda: health(port) == 0)
        assert stopped_by_the_hook(daemon) == 0
        assert daemon.wait() == 0
    finally:
        daemon.close()


def stopped_by_the_hook(daemon):
    """How the command ends that a cluster runs before it stops the pod."""
    deployment, *_ = yaml.safe_load_all((DEPLOY / "kubernetes" / "bananasd.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    program, *words, config = container["lifecycle"]["preStop"]["exec"]["command"]
    assert (program, config) == ("bananasd", "/etc/bananasd/bananas.toml")
    return subprocess.run([sys.executable, "-m", program, *words, daemon.config], cwd="/").returncode


@pytest.fixture
def kustomized(secrets):
    """What a cluster is told, by kind and name; made anew at each call."""
    require(shutil.which("kubectl") is not None, "it needs kubectl")
    folder = secrets.parent
    shutil.copytree(DEPLOY, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("secrets"))

    def make():
        done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        objects = yaml.safe_load_all(done.stdout)
        return {(each["kind"], each["metadata"]["name"]): each for each in objects}

    return make


WORKLOADS = ("Deployment", "bananasd"), ("StatefulSet", "redis")


def pod_of(objects, workload):
    return objects[workload]["spec"]["template"]["spec"]


def test_the_manifests_of_the_page_make_one_whole(kustomized):
    objects = kustomized()
    assert sorted(kind for kind, _ in objects) == [
        "ConfigMap", "ConfigMap", "Deployment", "PodDisruptionBudget", "Secret", "Secret", "Service", "Service", "StatefulSet",
    ]  # fmt: skip
    for workload in WORKLOADS:
        for volume in pod_of(objects, workload)["volumes"]:
            assert "configMap" not in volume or ("ConfigMap", volume["configMap"]["name"]) in objects
            assert "secret" not in volume or ("Secret", volume["secret"]["secretName"]) in objects
    daemon = pod_of(objects, WORKLOADS[0])
    images = {each["image"] for each in [*daemon["initContainers"], *daemon["containers"]]}
    (wanted,) = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())["images"]
    assert images == {f"{wanted['newName']}:{wanted['newTag']}"}


def test_a_cluster_gets_the_configurations_and_the_secrets_as_they_are(kustomized, secrets):
    objects = kustomized()
    told = {}
    for (kind, _), each in objects.items():
        if kind == "ConfigMap":
            told |= each["data"]
        elif kind == "Secret":
            told |= {name: base64.b64decode(text).decode() for name, text in each["data"].items()}
    files = [DEPLOY / "bananas.toml", DEPLOY / "valkey.conf", *secrets.iterdir()]
    assert told == {file.name: file.read_text() for file in files}


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("bananas.toml", WORKLOADS[:1]),
        ("secrets/http_token", WORKLOADS[:1]),
        ("valkey.conf", WORKLOADS[1:]),
        ("secrets/requirepass.conf", WORKLOADS[1:]),
    ],
)
def test_what_a_file_is_for_rolls_out_when_it_changes(kustomized, secrets, file, changed):
    before = kustomized()
    with (secrets.parent / file).open("a") as text:
        text.write("# changed\n")
    after = kustomized()
    assert tuple(each for each in WORKLOADS if before[each] != after[each]) == changed


def health(port):
    """How the health check of the compose file ends."""
    services = yaml.safe_load((DEPLOY / "compose.yml").read_text())["services"]
    program = services["bananasd"]["healthcheck"]["test"][-1].replace(":8580/", f":{port}/")
    return subprocess.run([sys.executable, "-c", program], stderr=subprocess.DEVNULL).returncode
