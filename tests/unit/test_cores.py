"""``workers.count = 0`` means as many workers as this process may use cores."""

import os

import pytest

from bananasd import cores

AFFINITY = 16


class Machine:
    """A tree with the files that tell of cgroups."""

    def __init__(self, root):
        self.root = root
        self.root.joinpath("proc/self").mkdir(parents=True)

    def write(self, path, *lines):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as opened:
            opened.writelines(f"{line}\n" for line in lines)

    def is_in(self, line):
        """A line of /proc/self/cgroup."""
        self.write("proc/self/cgroup", line)

    def mount(self, directory, filesystem, options="rw", *, shows="/"):
        line = f"31 23 0:28 {shows} {directory} rw,relatime shared:9 - {filesystem} {filesystem} {options}"
        self.write("proc/self/mountinfo", line)

    def quota(self, directory, quota, period=100_000):
        """One of version 1."""
        self.write(f"{directory}/cpu.cfs_quota_us", quota)
        self.write(f"{directory}/cpu.cfs_period_us", period)

    def usable_cores(self):
        return cores.usable_cores(self.root)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(AFFINITY)))
    return Machine(tmp_path)


@pytest.fixture
def version_2(machine):
    """In /system.slice/jobs.service."""
    machine.is_in("0::/system.slice/jobs.service")
    machine.mount("/proc", "proc")
    machine.mount("/sys/fs/cgroup", "cgroup2")
    return machine


@pytest.fixture
def version_1(machine):
    """In /docker/abc, beside a hierarchy of version 2 that has no controllers."""
    for line in (
        "9:name=systemd:/docker/abc",
        "4:memory:/docker/abc",
        "1:cpu,cpuacct:/docker/abc",
        "0::/docker/abc",
    ):
        machine.is_in(line)
    machine.mount("/sys/fs/cgroup/memory", "cgroup", "rw,memory")
    machine.mount("/sys/fs/cgroup/cpu,cpuacct", "cgroup", "rw,cpu,cpuacct")
    machine.mount("/sys/fs/cgroup/unified", "cgroup2")
    return machine


def test_without_cgroups_the_affinity_counts(machine):
    assert machine.usable_cores() == AFFINITY


def test_this_machine_gives_at_least_one_core_and_no_more_than_the_affinity():
    assert 1 <= cores.usable_cores() <= len(os.sched_getaffinity(0))


def test_cgroups_without_a_quota_limit_nothing(version_2):
    version_2.write("sys/fs/cgroup/system.slice/jobs.service/cpu.max", "max 100000")
    assert version_2.usable_cores() == AFFINITY


@pytest.mark.parametrize(
    ("line", "cores"),
    [("200000 100000", 2), ("250000 100000", 3), ("1000 100000", 1), ("30000 10000", 3), ("9900000 100000", AFFINITY)],
)  # fmt: skip
def test_a_quota_of_version_2_is_rounded_up(version_2, line, cores):
    version_2.write("sys/fs/cgroup/system.slice/jobs.service/cpu.max", line)
    assert version_2.usable_cores() == cores


def test_a_quota_of_any_cgroup_around_ours_counts(version_2):
    version_2.write("sys/fs/cgroup/system.slice/jobs.service/cpu.max", "800000 100000")
    version_2.write("sys/fs/cgroup/system.slice/cpu.max", "300000 100000")
    assert version_2.usable_cores() == 3


def test_a_quota_on_the_top_of_a_container_counts(version_2):
    version_2.write("sys/fs/cgroup/cpu.max", "150000 100000")
    assert version_2.usable_cores() == 2


def test_a_cgroup_beside_ours_does_not_count(version_2):
    version_2.write("sys/fs/cgroup/system.slice/other.service/cpu.max", "100000 100000")
    assert version_2.usable_cores() == AFFINITY


@pytest.mark.parametrize(("quota", "cores"), [(-1, AFFINITY), (150_000, 2), (400_000, 4), (1, 1)])
def test_a_quota_of_version_1_is_rounded_up(version_1, quota, cores):
    version_1.quota("sys/fs/cgroup/cpu,cpuacct/docker/abc", quota)
    assert version_1.usable_cores() == cores


def test_a_quota_of_version_1_around_ours_counts(version_1):
    version_1.quota("sys/fs/cgroup/cpu,cpuacct/docker/abc", -1)
    version_1.quota("sys/fs/cgroup/cpu,cpuacct/docker", 500_000)
    assert version_1.usable_cores() == 5


def test_the_mount_of_a_container_shows_its_own_cgroup_at_the_top(machine):
    machine.is_in("1:cpu:/docker/abc/inner")
    machine.mount("/sys/fs/cgroup/cpu", "cgroup", "rw,cpu", shows="/docker/abc")
    machine.quota("sys/fs/cgroup/cpu", 700_000)
    machine.quota("sys/fs/cgroup/cpu/inner", 600_000)
    assert machine.usable_cores() == 6


def test_a_cgroup_outside_of_what_is_mounted_is_bound_by_the_top(machine):
    machine.is_in("0::/../elsewhere")
    machine.mount("/sys/fs/cgroup", "cgroup2", shows="/docker/abc")
    machine.write("sys/fs/cgroup/cpu.max", "200000 100000")
    assert machine.usable_cores() == 2


@pytest.mark.parametrize("line", ["", "nonsense", "1 2 3", "100000 0", "-5 100000"])
def test_a_quota_that_makes_no_sense_limits_nothing(version_2, line):
    version_2.write("sys/fs/cgroup/system.slice/jobs.service/cpu.max", line)
    assert version_2.usable_cores() == AFFINITY
