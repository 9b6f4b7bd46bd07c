"""The sides of the dice: every fault, and how often it comes up. A fault that cannot be made just now says False."""

import os
import signal
from typing import TYPE_CHECKING

from bananasd.processes import procfs

from .patient import Patient

if TYPE_CHECKING:
    from .dice import Dice

DRAIN_SECONDS = 8


# To daemons


def signal_one(kind: str, signum: signal.Signals):
    def send(dice: "Dice", patient: Patient) -> bool:
        pids = patient.pids(kind)
        if pids:
            procfs.send(dice.random.choice(pids), signum)
        return bool(pids)

    return send


def freeze_one(kind: str):
    def freeze(dice: "Dice", patient: Patient) -> bool:
        pids = patient.pids(kind)
        if pids:
            is_cut_off = kind == "scheduler"
            seconds = dice.freezing_seconds()
            dice.freeze(patient, [dice.random.choice(pids)], seconds, is_cut_off=is_cut_off)
        return bool(pids)

    return freeze


def freeze_master(dice: "Dice", patient: Patient) -> None:
    dice.freeze(patient, [patient.daemon.pid], dice.freezing_seconds())


def freeze_all(dice: "Dice", patient: Patient) -> None:
    pids = [patient.daemon.pid, *patient.pids()]
    dice.freeze(patient, pids, dice.freezing_seconds(), is_cut_off=True)


def kill_master(dice: "Dice", patient: Patient) -> None:
    os.kill(patient.daemon.pid, signal.SIGKILL)
    dice.gone(patient)


def kill_all(dice: "Dice", patient: Patient) -> None:
    for pid in [patient.daemon.pid, *patient.pids()]:
        procfs.send(pid, signal.SIGKILL)
    dice.gone(patient)


def stop(signum: signal.Signals, seconds: float):
    def tell(dice: "Dice", patient: Patient) -> bool:
        if not patient.listens:
            return False
        os.kill(patient.daemon.pid, signum)
        dice.ends(patient, seconds + 2 * dice.lease_seconds)
        return True

    return tell


def signal_master(*signums: signal.Signals):
    def send(_: "Dice", patient: Patient) -> bool:
        if not patient.listens:
            return False
        for signum in signums:
            os.kill(patient.daemon.pid, signum)
        return True

    return send


def rest(dice: "Dice", patient: Patient) -> bool:
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

    def make(dice: "Dice") -> bool | None:
        return fault(dice) if dice.is_server_whole else False

    return make


@whole
def kill_server(dice: "Dice") -> None:
    dice.scene.server.stop()
    dice.spoil_server(dice.seconds(0, 4), dice.scene.server.start)


@whole
def freeze_server(dice: "Dice") -> None:
    pid = dice.scene.server.process.pid
    os.kill(pid, signal.SIGSTOP)
    dice.spoil_server(dice.freezing_seconds(), lambda: os.kill(pid, signal.SIGCONT))


@whole
def fill_server(dice: "Dice") -> None:
    dice.scene.server.call("CONFIG", "SET", "maxmemory", "1")
    dice.spoil_server(dice.seconds(0.1, 2), lambda: dice.scene.server.call("CONFIG", "SET", "maxmemory", "0"))


@whole
def refuse_writes(dice: "Dice") -> None:
    dice.scene.server.call("REPLICAOF", "127.0.0.1", "1")
    dice.spoil_server(dice.seconds(0.1, 2), lambda: dice.scene.server.call("REPLICAOF", "NO", "ONE"))


@whole
def kill_clients(dice: "Dice") -> None:
    dice.scene.server.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


@whole
def forget_scripts(dice: "Dice") -> None:
    dice.scene.server.call("SCRIPT", "FLUSH")


@whole
def swallow(dice: "Dice") -> None:
    dice.cut_off("blackhole", dice.freezing_seconds())


@whole
def refuse(dice: "Dice") -> None:
    dice.cut_off("refuse", dice.freezing_seconds())


@whole
def drop_replies(dice: "Dice") -> None:
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
