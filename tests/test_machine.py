"""Limits of the machine: control groups of both versions, affinity, and runs that share it."""

import os

import pytest

from aesc import machine
from aesc.errors import InputError

GIB = 2**30


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """A machine of 8 processors and 64 GiB whose control groups are files in a folder."""
    monkeypatch.setattr(machine, "_PROCESS", tmp_path / "self")
    monkeypatch.setattr(machine, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(machine, "_memory_of_machine", lambda: 64 * GIB)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.delenv(machine.JOBS, raising=False)

    def write(process: str, **files: str) -> None:
        (tmp_path / "self").write_text(process)
        for name, content in files.items():
            path = tmp_path / "groups" / name.replace("__", "/").replace("DOT", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    return write


def test_without_control_groups_it_is_the_machine(groups):
    assert (machine.usable_cores(), machine.memory_limit()) == (8, 64 * GIB)


@pytest.mark.parametrize(
    ("content", "cores"),
    [("max 100000", 8), ("100000 100000", 1), ("150000 100000", 2), ("1000 100000", 1)],
)
def test_quota_of_version_2_rounds_up(groups, content, cores):
    groups("0::/job\n", job__cpuDOTmax=content)
    assert machine.usable_cores() == cores


def test_the_tightest_group_above_the_process_counts(groups):
    groups("0::/a/b\n", a__cpuDOTmax="200000 100000", a__b__cpuDOTmax="max 100000")
    assert machine.usable_cores() == 2


@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
@pytest.mark.parametrize(("quota", "cores"), [("-1", 8), ("100000", 1), ("250000", 3)])
def test_quota_of_version_1(groups, mount, quota, cores):
    files = {f"{mount}__job__cpuDOTcfs_quota_us": quota}
    groups("3:cpu,cpuacct:/job\n", **files, **{f"{mount}__job__cpuDOTcfs_period_us": "100000"})
    assert machine.usable_cores() == cores


def test_container_that_sees_the_path_of_its_group_outside(groups):
    """Its own limits then stand at the root of what it sees."""
    groups("0::/docker/0123abcd\n", cpuDOTmax="100000 100000", memoryDOTmax=str(GIB))
    assert (machine.usable_cores(), machine.memory_limit()) == (1, GIB)


@pytest.mark.parametrize(
    ("process", "name"),
    [
        ("0::/job\n", "job__memoryDOTmax"),
        ("5:memory:/job\n0::/\n", "memory__job__memoryDOTlimit_in_bytes"),
    ],
)
def test_memory_limits_of_both_versions(groups, process, name):
    groups(process, **{name: str(3 * GIB)})
    assert machine.memory_limit() == 3 * GIB
    groups(process, **{name: "max"})
    assert machine.memory_limit() == 64 * GIB
    groups(process, **{name: "9223372036854771712"})  # version 1's word for no limit
    assert machine.memory_limit() == 64 * GIB


def test_affinity_counts(groups, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert machine.usable_cores() == 2


@pytest.mark.parametrize(("jobs", "cores"), [("1", 8), ("", 8), ("3", 2), ("100", 1)])
def test_runs_that_share_the_machine_share_cores_and_memory(groups, monkeypatch, jobs, cores):
    monkeypatch.setenv(machine.JOBS, jobs)
    assert machine.usable_cores() == cores
    assert machine.memory_limit() == 64 * GIB // int(jobs or 1)


@pytest.mark.parametrize("jobs", ["0", "-1", "many", "1.5"])
def test_impossible_share_is_refused(groups, monkeypatch, jobs):
    monkeypatch.setenv(machine.JOBS, jobs)
    with pytest.raises(InputError, match=rf"^AESC_JOBS is .*{jobs}.*: give a whole number"):
        machine.usable_cores()


def test_this_machine_has_a_core_and_memory():
    assert 1 <= machine.usable_cores() <= (os.cpu_count() or 1)
    assert machine.memory_limit() > 2**20
