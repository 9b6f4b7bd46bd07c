"""Faults by dice: two daemons and their server are killed, frozen, cut off, reloaded and restarted, several at a time."""

import heapq
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from bananasd.processes import procfs
from tests.daemon import Daemon

from .form import DRAIN_SECONDS
from .scene import Scene

PAUSE_SECONDS = (0.1, 4.0)
"""Between a fault and the next."""
LATE_SECONDS = 10.0
"""How much longer than promised a daemon may take to end: the machine is busy with all of this."""


@dataclass
class Patient:
    """A daemon that faults are made in. ``cut_off``: from when to when it could not tell the server that it lives."""

    name: str
    daemon: Daemon
    is_proxied: bool
    cut_off: list[tuple[float, float]] = field(default_factory=list)
    frozen: set[tuple[int, int]] = field(default_factory=set)
    ends_by: float | None = None
    starts_at: float | None = None

    @property
    def runs(self) -> bool:
        """Whether it is there, and nobody has told it to end."""
        return self.ends_by is None and self.starts_at is None

    @property
    def listens(self) -> bool:
        """Whether its master has begun to supervise: before, signals end it as they end any program."""
        return bool(self.pids()) and not procfs.is_stopped(self.daemon.pid)

    def pids(self, kind: str = "") -> list[int]:
        return [child.pid for child in self.daemon.children(kind) if child.pid]


class Dice:
    """Rolls them until it is told to let everything go. The same seed rolls the same faults."""

    def __init__(self, scene: Scene, patients: list[Patient], seed: int, lease_seconds: float) -> None:
        self.faults: Counter[str] = Counter()
        self.told: list[str] = []
        self._scene = scene
        self._patients = patients
        self._dice = random.Random(seed)
        self._lease_seconds = lease_seconds
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._is_server_whole = True

    def roll_until(self, deadline: float) -> None:
        """Make faults, undo them in time, and see that no daemon ends but those that were told to."""
        next_at = time.monotonic()
        while time.monotonic() < deadline:
            self._do_what_is_due(time.monotonic())
            self._look_after()
            if time.monotonic() >= next_at:
                self._roll()
                next_at = time.monotonic() + self._dice.uniform(*PAUSE_SECONDS)
            time.sleep(0.02)

    def let_go(self) -> None:
        """Undo everything, and have both daemons run."""
        self._do_what_is_due(float("inf"))
        for patient in self._patients:
            self._scene.wait_until(lambda: self._is_back(patient))  # noqa: B023

    # One fault

    def _roll(self) -> None:
        faults = [*SERVER_FAULTS.items(), *NODE_FAULTS.items()]
        ((name, (_, fault)),) = self._dice.choices(faults, [weight for _, (weight, _) in faults])
        patient = self._dice.choice(self._patients)
        is_made = fault(self) if name in SERVER_FAULTS else patient.runs and fault(self, patient)
        if is_made is not False:
            self.faults[name] += 1
            where = "" if name in SERVER_FAULTS else f" of {patient.name}"
            self.told.append(f"{time.monotonic():.3f} {name}{where}")

    def after(self, seconds: float, undo: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + seconds, len(self.told), undo))

    def seconds(self, least: float, most: float) -> float:
        return self._dice.uniform(least, most)

    def _do_what_is_due(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()

    # Daemons

    def _look_after(self) -> None:
        for patient in self._patients:
            process = patient.daemon.process
            assert process is not None
            status = process.poll()
            if patient.starts_at is not None:
                if time.monotonic() >= patient.starts_at:
                    patient.starts_at = None
                    patient.daemon.start(wait=False)
            elif patient.ends_by is not None:
                assert status in (None, 0), (patient.name, status, patient.daemon.log_text()[-5000:])
                assert status == 0 or time.monotonic() < patient.ends_by, f"{patient.name} does not end"
                if status == 0:
                    patient.ends_by, patient.starts_at = None, time.monotonic()
            else:
                assert status is None, (patient.name, status, patient.daemon.log_text()[-5000:])

    def _is_back(self, patient: Patient) -> bool:
        self._look_after()
        return patient.runs and patient.daemon.is_up()

    def gone(self, patient: Patient) -> None:
        """It was killed; another is started after a while."""
        assert patient.daemon.process is not None
        patient.daemon.process.wait()
        patient.starts_at = time.monotonic() + self.seconds(0, 1.5 * self._lease_seconds)

    def ends(self, patient: Patient, seconds: float) -> None:
        """It was told to end in so many seconds."""
        patient.ends_by = time.monotonic() + seconds + LATE_SECONDS

    def freeze(self, patient: Patient, pids: list[int], seconds: float, *, is_cut_off: bool = False) -> None:
        """SIGSTOP, and SIGCONT later, if they are still the same processes."""
        stopped = [(pid, born) for pid in pids if (born := procfs.born(pid)) is not None]
        for pid, _ in stopped:
            procfs.send(pid, signal.SIGSTOP)
        began = time.monotonic()

        def thaw() -> None:
            for pid, born in reversed(stopped):
                if procfs.born(pid) == born:
                    procfs.send(pid, signal.SIGCONT)
            if is_cut_off:
                patient.cut_off.append((began, time.monotonic()))

        self.after(seconds, thaw)

    def freezing_seconds(self) -> float:
        """Shorter than a lease, or longer."""
        return self.seconds(0.1, 2 * self._lease_seconds)

    # The server

    def spoil_server(self, seconds: float, undo: Callable[[], None]) -> None:
        """One thing at a time."""
        self._is_server_whole = False

        def mend() -> None:
            undo()
            self._is_server_whole = True

        self.after(seconds, mend)

    @property
    def server(self):
        return self._scene.server

    @property
    def proxy(self):
        return self._scene.proxy

    @property
    def is_server_whole(self) -> bool:
        return self._is_server_whole

    def cut_off(self, mode: str, seconds: float) -> None:
        """The daemons behind the proxy hear nothing of the server for a while."""
        began = time.monotonic()
        self.proxy.mode = mode

        def connect() -> None:
            self.proxy.mode = "pass"
            for patient in self._patients:
                if patient.is_proxied:
                    patient.cut_off.append((began, time.monotonic()))

        self.spoil_server(seconds, connect)


# To daemons


def signal_one(kind: str, signum: signal.Signals):
    def send(dice: Dice, patient: Patient) -> bool:
        pids = patient.pids(kind)
        if pids:
            procfs.send(dice._dice.choice(pids), signum)
        return bool(pids)

    return send


def freeze_one(kind: str):
    def freeze(dice: Dice, patient: Patient) -> bool:
        pids = patient.pids(kind)
        if pids:
            is_cut_off = kind == "scheduler"
            seconds = dice.freezing_seconds()
            dice.freeze(patient, [dice._dice.choice(pids)], seconds, is_cut_off=is_cut_off)
        return bool(pids)

    return freeze


def freeze_master(dice: Dice, patient: Patient) -> None:
    dice.freeze(patient, [patient.daemon.pid], dice.freezing_seconds())


def freeze_all(dice: Dice, patient: Patient) -> None:
    pids = [patient.daemon.pid, *patient.pids()]
    dice.freeze(patient, pids, dice.freezing_seconds(), is_cut_off=True)


def kill_master(dice: Dice, patient: Patient) -> None:
    os.kill(patient.daemon.pid, signal.SIGKILL)
    dice.gone(patient)


def kill_all(dice: Dice, patient: Patient) -> None:
    for pid in [patient.daemon.pid, *patient.pids()]:
        procfs.send(pid, signal.SIGKILL)
    dice.gone(patient)


def stop(signum: signal.Signals, seconds: float):
    def tell(dice: Dice, patient: Patient) -> bool:
        if not patient.listens:
            return False
        os.kill(patient.daemon.pid, signum)
        dice.ends(patient, seconds + 2 * dice._lease_seconds)
        return True

    return tell


def signal_master(*signums: signal.Signals):
    def send(_: Dice, patient: Patient) -> bool:
        if not patient.listens:
            return False
        for signum in signums:
            os.kill(patient.daemon.pid, signum)
        return True

    return send


def rest(dice: Dice, patient: Patient) -> bool:
    if not patient.listens:
        return False
    pid = patient.daemon.pid
    born = procfs.born(pid)
    os.kill(pid, signal.SIGTSTP)
    dice.after(dice.seconds(0.1, 3), lambda: procfs.born(pid) == born and procfs.send(pid, signal.SIGCONT))
    return True


NODE_FAULTS = {
    "kill -9 of a worker": (12, signal_one("worker", signal.SIGKILL)),
    "kill -9 of a scheduler": (4, signal_one("scheduler", signal.SIGKILL)),
    "kill -9 of a master": (4, kill_master),
    "kill -9 of a whole daemon": (4, kill_all),
    "a worker frozen": (4, freeze_one("worker")),
    "a scheduler frozen": (3, freeze_one("scheduler")),
    "a master frozen": (3, freeze_master),
    "a whole daemon frozen": (4, freeze_all),
    "TERM": (3, stop(signal.SIGTERM, DRAIN_SECONDS)),
    "QUIT": (1, stop(signal.SIGQUIT, 2)),
    "TERM to a worker": (3, signal_one("worker", signal.SIGTERM)),
    "reload": (3, signal_master(signal.SIGHUP)),
    "one worker more, one less": (3, signal_master(signal.SIGTTIN, signal.SIGTTOU)),
    "quiet for a while": (2, rest),
    "stacks and a new log file": (1, signal_master(signal.SIGUSR1, signal.SIGUSR2)),
}


# To the server


def whole(fault):
    """If nothing is wrong with it now."""

    def make(dice: Dice) -> bool | None:
        return fault(dice) if dice.is_server_whole else False

    return make


@whole
def kill_server(dice: Dice) -> None:
    dice.server.stop()
    dice.spoil_server(dice.seconds(0, 4), dice.server.start)


@whole
def freeze_server(dice: Dice) -> None:
    pid = dice.server.process.pid
    os.kill(pid, signal.SIGSTOP)
    dice.spoil_server(dice.freezing_seconds(), lambda: os.kill(pid, signal.SIGCONT))


@whole
def fill_server(dice: Dice) -> None:
    dice.server.call("CONFIG", "SET", "maxmemory", "1")
    dice.spoil_server(dice.seconds(0.1, 2), lambda: dice.server.call("CONFIG", "SET", "maxmemory", "0"))


@whole
def refuse_writes(dice: Dice) -> None:
    dice.server.call("REPLICAOF", "127.0.0.1", "1")
    dice.spoil_server(dice.seconds(0.1, 2), lambda: dice.server.call("REPLICAOF", "NO", "ONE"))


@whole
def kill_clients(dice: Dice) -> None:
    dice.server.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


@whole
def forget_scripts(dice: Dice) -> None:
    dice.server.call("SCRIPT", "FLUSH")


@whole
def swallow(dice: Dice) -> None:
    dice.cut_off("blackhole", dice.freezing_seconds())


@whole
def refuse(dice: Dice) -> None:
    dice.cut_off("refuse", dice.freezing_seconds())


@whole
def drop_replies(dice: Dice) -> None:
    dice.cut_off("drop-reply", dice.seconds(0.1, 2))


SERVER_FAULTS = {
    "kill -9 of the server": (3, kill_server),
    "the server frozen": (3, freeze_server),
    "the server full": (2, fill_server),
    "the server read-only": (2, refuse_writes),
    "all connections killed": (4, kill_clients),
    "SCRIPT FLUSH": (3, forget_scripts),
    "packets swallowed": (2, swallow),
    "connections refused": (2, refuse),
    "replies lost": (2, drop_replies),
}
