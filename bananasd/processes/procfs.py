"""What /proc tells of a process: whether the one that we mean still lives, and who is left of its group."""

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id"


def boot_id() -> str:
    """An id that is new at each boot of this host."""
    return Path(BOOT_ID_PATH).read_text("ascii").strip()


def born(pid: int) -> int | None:
    """When the process started, in clock ticks since the boot; None if it is gone, a zombie, or not ours to see."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[19])


def is_gone(pid: int, born_at: int) -> bool:
    """Whether the process that had this pid has ended. What cannot be read counts as alive; 0 never was one."""
    if pid == 0:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    fields = _stat(pid)
    return fields is not None and (fields[0] in "ZX" or int(fields[19]) != born_at)


def is_stopped(pid: int) -> bool:
    """Whether a signal or a debugger has stopped the process: it does nothing until it is told to go on."""
    fields = _stat(pid)
    return fields is not None and fields[0] in "Tt"


def command_line(pid: int) -> bytes:
    """How the process was called, its words ended by zero bytes; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def rss_mb(pid: int) -> float:
    """How much memory is mapped into the process, in MiB, what it shares with others included; 0 if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") / (1024 * 1024)


def send(pid: int, signum: signal.Signals) -> None:
    """A signal to a process, if it is still there and still of our user: a handler may have become another's."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signum)


def kill_group(pgid: int) -> None:
    """SIGKILL to every process of the group that is left. 0 is none: it would mean our own."""
    if pgid:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pgid, signal.SIGKILL)


def kill_leftovers(leaders: Mapping[int, int], session: int) -> None:
    """The same for many groups whose leaders, given by pid with their births, have been reaped long ago.

    A group's number may belong to strangers by now: they are told by a leader that was born at another time, and
    by their session, which the master's children share.
    """
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names are what is wanted
        fields = _stat(int(entry)) if entry.isdigit() else None
        if fields is None or int(fields[3]) != session:
            continue
        pgid = int(fields[2])
        # 0 is how a container sees every group from outside.
        if pgid and pgid in leaders and _is_unled_or_led_by(pgid, leaders[pgid]):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(int(entry), signal.SIGKILL)


def _is_unled_or_led_by(pgid: int, born_at: int) -> bool:
    leader = _stat(pgid)
    return leader is None or int(leader[19]) == born_at


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third, the state, on."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()
