"""What /proc tells of a process: whether the one that we mean still lives, and who is left of its group."""

import os
import signal
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


def kill_group(pgid: int) -> None:
    """SIGKILL to every process of the group that is left."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, signal.SIGKILL)


def kill_group_leftovers(pgid: int, session: int) -> None:
    """The same when the group's leader has been reaped long ago.

    Its number may belong to strangers by now: they are told by their session, which the master's children share.
    """
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names are what is wanted
        if not entry.isdigit():
            continue
        fields = _stat(int(entry))
        if fields is not None and int(fields[2]) == pgid and int(fields[3]) == session:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(int(entry), signal.SIGKILL)


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third, the state, on."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()
