"""docs/deploy agrees with itself, with the program's defaults, and with the systemd unit."""

import json
import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from bananasd import config
from bananasd.cli import main
from bananasd.cli.daemon import SPARE_SECONDS
from bananasd.store.connection import Server

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"
PAGE = (DEPLOY / "README.md").read_text()
UNIT = (ROOT / "systemd" / "bananasd.service").read_text()
PATHS = ("/livez", "/readyz")
UID = 10001


def documents(name):
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def of_kind(name, kind):
    (found,) = (document for document in documents(name) if document["kind"] == kind)
    return found


def pod_of(name, kind):
    return of_kind(name, kind)["spec"]["template"]["spec"]


COMPOSE = documents("compose.yml")[0]
KUSTOMIZATION = documents("kustomization.yaml")[0]
DAEMON = pod_of("kubernetes/bananasd.yaml", "Deployment")
REDIS = pod_of("kubernetes/redis.yaml", "StatefulSet")
PODS = {"daemon": DAEMON, "redis": REDIS}
MAIN = DAEMON["containers"][0]
ALL_CONTAINERS = [*DAEMON["initContainers"], *DAEMON["containers"], *REDIS["containers"]]
SETTINGS = re.sub(r"#.*", "", (DEPLOY / "bananas.toml").read_text())
DRAIN_SECONDS = config.load(None, {"HOME": "/"}).master.drain_seconds


def setting(name):
    return re.search(rf'^{name} = "(.*)"$', SETTINGS, re.MULTILINE)[1]


PORT = int(setting("listen").rpartition(":")[2])


def mounts(container):
    return {mount["mountPath"]: mount for mount in container["volumeMounts"]}


def is_below(path, folder):
    return Path(path).is_relative_to(folder)


# The configuration


def test_the_configuration_is_valid_where_its_files_are(tmp_path):
    text = (DEPLOY / "bananas.toml").read_text()
    for folder in ("/srv/handlers", "/run/bananasd/daemon", "/run/secrets"):
        (tmp_path / folder[1:]).mkdir(parents=True)
        text = text.replace(folder, str(tmp_path / folder[1:]))
    for secret in ("redis_password", "http_token"):
        (tmp_path / "run" / "secrets" / secret).write_text("0123456789abcdef\n")
    (tmp_path / "bananas.toml").write_text(text)
    loaded = config.load(tmp_path / "bananas.toml", {"HOME": "/"})
    assert (loaded.http.port, loaded.http.read_token()) == (PORT, "0123456789abcdef")
    assert loaded.redis.read_password() == "0123456789abcdef"


def test_what_is_not_set_for_containers_is_at_its_default():
    assert re.findall(r"^\w+", re.sub(r"\[\w+\]", "", SETTINGS), re.MULTILINE) == [
        "run_dir", "url", "password_file", "handlers", "listen", "token_file",
    ]  # fmt: skip


@pytest.mark.parametrize("service", ["compose", "kubernetes"])
def test_the_server_is_reached_under_the_name_that_it_has(service):
    name, port = {
        "compose": lambda: (next(name for name, s in COMPOSE["services"].items() if "valkey" in s["image"]), 6379),
        "kubernetes": lambda: (
            of_kind("kubernetes/redis.yaml", "Service")["metadata"]["name"],
            of_kind("kubernetes/redis.yaml", "Service")["spec"]["ports"][0]["port"],
        ),
    }[service]()  # fmt: skip
    assert Server(setting("url"), 1).address == f"redis://{name}:{port}/0"


# Stopping


def test_a_container_has_the_time_to_stop_that_the_unit_has():
    stop_seconds = int(re.search(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)[1])
    assert stop_seconds > DRAIN_SECONDS
    assert COMPOSE["services"]["bananasd"]["stop_grace_period"] == f"{stop_seconds}s"
    assert DAEMON["terminationGracePeriodSeconds"] == stop_seconds


def test_the_hook_before_a_pod_stops_is_the_drain_and_fits_into_the_time_to_stop():
    hook = MAIN["lifecycle"]["preStop"]["exec"]["command"]
    (started,) = re.findall(r"^CMD (.*)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert hook == ["stop" if word == "start" else word for word in json.loads(started)]
    assert DAEMON["terminationGracePeriodSeconds"] > DRAIN_SECONDS + SPARE_SECONDS


def test_the_daemon_is_pid_1_and_gets_the_signal_itself():
    command = (DEPLOY / "Dockerfile").read_text()
    assert re.findall(r"^CMD (.*)$", command, re.MULTILINE) == [
        '["bananasd", "start", "--config", "/etc/bananasd/bananas.toml"]'
    ]
    assert "ENTRYPOINT" not in command
    assert "command" not in MAIN
    assert "command" not in COMPOSE["services"]["bananasd"]


# Probes


@pytest.mark.parametrize(
    ("probe", "path"),
    [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")],
)
def test_a_probe_asks_the_http_child(probe, path):
    asked = MAIN[probe]["httpGet"]
    assert asked == {"path": path, "port": "http"}
    assert {port["name"]: port["containerPort"] for port in MAIN["ports"]} == {"http": PORT}


def test_a_start_may_take_as_long_as_handlers_may_take_to_load():
    probe = MAIN["startupProbe"]
    start_seconds = config.load(None, {"HOME": "/"}).workers.start_seconds
    assert probe["periodSeconds"] * probe["failureThreshold"] > start_seconds


def test_the_health_check_of_compose_asks_the_same():
    check = COMPOSE["services"]["bananasd"]["healthcheck"]["test"]
    assert check[0] == "CMD"
    assert f"http://127.0.0.1:{PORT}/readyz" in check[-1]


def test_the_health_check_of_compose_fails_where_nothing_is_ready():
    program = COMPOSE["services"]["bananasd"]["healthcheck"]["test"][-1].replace(f":{PORT}/", ":1/")
    with pytest.raises(OSError, match="refused"):
        exec(program, {})


def test_the_health_paths_are_those_of_the_http_child():
    from bananasd.http.guard import HEALTH

    assert set(HEALTH) == set(PATHS)


def test_the_dashboard_is_not_published_to_the_world():
    assert COMPOSE["services"]["bananasd"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    service = of_kind("kubernetes/bananasd.yaml", "Service")["spec"]
    assert service.get("type", "ClusterIP") == "ClusterIP"
    assert service["ports"] == [{"name": "http", "port": PORT, "targetPort": "http"}]


# Nobody is root, nothing can be written


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
def test_a_pod_runs_as_nobody_in_particular(pod):
    context = pod["securityContext"]
    assert context["runAsNonRoot"]
    assert context["runAsUser"] == context["fsGroup"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize("container", ALL_CONTAINERS, ids=lambda container: container["name"])
def test_a_container_may_do_little_and_has_its_bounds(container):
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert set(container["resources"]["requests"]) == {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]


def test_the_quota_that_the_number_of_workers_follows_is_set():
    assert MAIN["resources"]["limits"]["cpu"] == str(COMPOSE["services"]["bananasd"]["cpus"])


def test_the_user_of_the_image_is_the_one_of_the_pod():
    for name in ("Dockerfile", "app/Dockerfile"):
        assert re.findall(r"^USER (.+)$", (DEPLOY / name).read_text(), re.MULTILINE)[-1] == f"{UID}:{UID}"
    assert f"--uid {UID} " in (DEPLOY / "Dockerfile").read_text()
    assert DAEMON["securityContext"]["runAsUser"] == UID


def test_a_daemon_in_compose_may_do_as_little():
    service = COMPOSE["services"]["bananasd"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(volume.endswith(":ro") for volume in service["volumes"])


def test_run_dir_can_be_made_in_a_volume_in_memory():
    # The volume itself is writable for all, and refused as run_dir.
    run_dir = setting("run_dir")
    writable = {path: mount["name"] for path, mount in mounts(MAIN).items() if not mount.get("readOnly")}
    assert set(writable) == {"/run/bananasd", "/tmp"}
    assert is_below(run_dir, "/run/bananasd")
    assert run_dir != "/run/bananasd"
    volumes = {volume["name"]: volume for volume in DAEMON["volumes"]}
    assert volumes[writable["/run/bananasd"]]["emptyDir"]["medium"] == "Memory"
    tmpfs = {line.partition(":")[0] for line in COMPOSE["services"]["bananasd"]["tmpfs"]}
    assert tmpfs == set(writable)


def test_the_check_before_the_start_sees_what_the_daemon_sees():
    (check,) = DAEMON["initContainers"]
    assert check["volumeMounts"] == MAIN["volumeMounts"]
    assert (check["image"], check["resources"]) == (MAIN["image"], MAIN["resources"])
    assert check["command"][1] == "check"


# Names


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
def test_every_volume_that_is_mounted_is_there(pod):
    claims = of_kind("kubernetes/redis.yaml", "StatefulSet")["spec"]["volumeClaimTemplates"]
    names = {volume["name"] for volume in pod["volumes"]}
    names |= {claim["metadata"]["name"] for claim in claims} if pod is REDIS else set()
    containers = [*pod.get("initContainers", []), *pod["containers"]]
    assert {mount["name"] for container in containers for mount in container["volumeMounts"]} == names


@pytest.mark.parametrize("name", ["kubernetes/bananasd.yaml", "kubernetes/redis.yaml"])
def test_selectors_select(name):
    (workload,) = (document["spec"] for document in documents(name) if "template" in document["spec"])
    labels = workload["template"]["metadata"]["labels"]
    for document in documents(name):
        selector = document["spec"]["selector"]
        assert selector.get("matchLabels", selector) == labels, document["kind"]


def test_everything_that_the_manifests_name_is_generated():
    generated = {
        kind: {each["name"]: {Path(file).name for file in each["files"]} for each in KUSTOMIZATION[f"{kind}Generator"]}
        for kind in ("configMap", "secret")
    }  # fmt: skip
    for pod in PODS.values():
        named = {v["configMap"]["name"] for v in pod["volumes"] if "configMap" in v}
        named |= {v["secret"]["secretName"] for v in pod["volumes"] if "secret" in v}
        assert named <= set(generated["configMap"]) & set(generated["secret"])
    assert generated["secret"]["bananasd"] == {
        Path(setting("password_file")).name,
        Path(setting("token_file")).name,
    }
    assert generated["configMap"]["bananasd"] == {"bananas.toml"}


def test_every_file_that_is_named_is_there_or_made_by_the_steps():
    made = set(re.findall(r">(secrets/[\w.]+)", PAGE))
    generators = KUSTOMIZATION["configMapGenerator"] + KUSTOMIZATION["secretGenerator"]
    named = [*KUSTOMIZATION["resources"], *(file for each in generators for file in each["files"])]
    named += [secret["file"] for secret in COMPOSE["secrets"].values()]
    named += [
        v.partition(":")[0] for s in COMPOSE["services"].values() for v in s["volumes"] if v.startswith("./")
    ]
    assert [name for name in named if name not in made and not (DEPLOY / name).is_file()] == []
    assert made <= set(named)


def test_secrets_of_a_service_are_those_that_its_configuration_reads():
    services = COMPOSE["services"]
    assert set(services["bananasd"]["secrets"]) == {
        Path(setting("password_file")).name, Path(setting("token_file")).name,
    }  # fmt: skip
    (included,) = re.findall(r"^include (.+)$", (DEPLOY / "valkey.conf").read_text(), re.MULTILINE)
    assert services["redis"]["secrets"] == [Path(included).name]
    for path in (included, setting("password_file"), setting("token_file")):
        assert str(Path(path).parent) == "/run/secrets"
    assert "/run/secrets" in mounts(MAIN)
    assert "/run/secrets" in mounts(REDIS["containers"][0])


def test_the_server_writes_to_its_volume_and_may_need_twice_its_maxmemory():
    conf = dict(re.findall(r"^([\w-]+) (.+)$", (DEPLOY / "valkey.conf").read_text(), re.MULTILINE))
    assert not mounts(REDIS["containers"][0])[conf["dir"]].get("readOnly")
    assert f"redis:{conf['dir']}" in COMPOSE["services"]["redis"]["volumes"]
    assert conf["maxmemory"] == "512mb"
    assert REDIS["containers"][0]["resources"]["limits"]["memory"] == "1Gi"
    assert COMPOSE["services"]["redis"]["mem_limit"] == "1g"


def test_no_image_is_the_latest():
    images = re.findall(r"(?:^FROM |image: )(\S+)", "\n".join(p.read_text() for p in DEPLOY.rglob("*") if p.is_file()), re.MULTILINE)  # fmt: skip
    assert len(images) >= 6
    assert [i for i in images if not re.search(r":[\d.]+(-\w+)?$", i) and i != "app"] == []
    assert {image["name"]: image["newTag"] for image in KUSTOMIZATION["images"]} == {"app": "1"}


def shown_commands():
    lines = "\n".join(re.findall(r"^```bash\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)).splitlines()
    return [
        line.partition(" bananasd ")[2]
        for line in lines
        if re.search(r"^(docker compose|kubectl) exec .* bananasd ", line)
    ]


@pytest.mark.parametrize("line", shown_commands())
def test_every_command_that_is_run_in_a_container_can_be_parsed(line):
    words = shlex.split(line.removeprefix("-- ").removeprefix("bananasd "))
    command = main.get_command(click.Context(main), words[0])
    assert command.make_context(words[0], words[1:])


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)\s]+)\)", PAGE))
def test_every_link_of_the_page_leads_somewhere(target):
    assert (DEPLOY / target.partition("#")[0]).exists()
