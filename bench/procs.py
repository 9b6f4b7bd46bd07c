"""What the kernel tells of the processes of a daemon."""

import os
import re
from pathlib import Path

import psutil

TICKS = os.sysconf("SC_CLK_TCK")
TITLE = re.compile(r"bananasd: ([^\[]+?)(?: \[(.*)\])?$")


def children(pid: int) -> list[int]:
    """Those that it forked."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def name(pid: int) -> str:
    """What its title calls it: master, scheduler, worker 3."""
    found = TITLE.match(_title(pid))
    return found[1] if found else ""


def is_idle(pid: int) -> bool:
    """Whether it is a worker that waits for a job, by its title."""
    found = TITLE.match(_title(pid))
    return bool(found and found[2] == "idle")


def family(master: int) -> dict[int, str]:
    """A master and its children by their names."""
    return {master: "master"} | {pid: name(pid) for pid in children(master)}


def pss_mb(pid: int) -> float:
    """The memory it takes; what it shares with others counts by its share."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.findall(r"^Pss: +(\d+) kB", text, re.MULTILINE)[0]) / 1024


def cpu_seconds(pid: int) -> float:
    """The time it ran, in user code and in the kernel, to a hundredth of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def ports(pid: int) -> set[int]:
    """The local ports of its connections."""
    return {connection.laddr.port for connection in psutil.Process(pid).net_connections("tcp4")}


def _title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0", 1)[0].decode()
