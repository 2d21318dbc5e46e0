"""The processors and the memory that this process may use, which can be less than there are.

A container, a batch system or a sweep that runs several jobs at once gives a process a share of the
machine. Linux writes such limits down in control groups (cgroups), of version 1 or 2.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from aesc._checks import whole
from aesc.errors import InputError

JOBS = "AESC_JOBS"
"""Environment variable: how many runs share this machine. `aesc.sweep` sets it for its workers."""

UNKNOWN_MEMORY = 8 * 2**30
"""Bytes assumed where the system does not say how much memory it has."""

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

_PROCESS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Processors for this run: its share of those that the system lets this process use.

    The least of the processors of the machine, the affinity of the process and the quota of its
    control groups, divided by the number of runs that share the machine (`JOBS`).

    Returns:
        At least 1.

    Raises:
        InputError: `JOBS` of the environment is not a whole number.

    Example:
        >>> usable_cores() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min(cores, *_quotas()) // _jobs())


def memory_limit() -> int:
    """Main memory for this run, in bytes: its share of what the machine or its container has.

    This is the whole memory rather than the part that is free, so that the same machine does the
    same every time.

    Raises:
        InputError: `JOBS` of the environment is not a whole number.

    Example:
        >>> memory_limit() > 2**20
        True
    """
    return min(_memory_of_machine(), *_memory_limits()) // _jobs()


def thread_limits(threads: int) -> dict[str, str]:
    """Environment variables that hold the numerical libraries of a new process to some threads.

    Example:
        >>> thread_limits(2)["OMP_NUM_THREADS"]
        '2'
    """
    return dict.fromkeys(_THREADS, str(threads))


def _jobs() -> int:
    text = os.environ.get(JOBS) or "1"
    try:
        jobs = int(text)
    except ValueError as error:
        raise InputError(f"{JOBS} is {text!r}: give a whole number of at least 1.") from error
    return whole(JOBS, jobs)


def _quotas() -> Iterator[int]:
    """Processors that the quotas of the control groups amount to, rounded up; at least one entry.

    A quota is processor time for each period, both in microseconds.
    """
    yield os.cpu_count() or 1
    for folder in _groups_of("cpu"):
        with suppress(OSError, ValueError):  # no such file, or no limit ("max")
            quota, period = map(int, _words(folder / "cpu.max"))
            yield _rounded_up(quota, period)
        with suppress(OSError, ValueError):
            quota, period = (
                int(_words(folder / f"cpu.cfs_{name}_us")[0]) for name in ("quota", "period")
            )
            if quota > 0:  # -1 is no limit
                yield _rounded_up(quota, period)


def _memory_limits() -> Iterator[int]:
    """Bytes that the control groups allow; at least one entry."""
    yield _memory_of_machine()
    for folder in _groups_of("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):
                limit = int(_words(folder / name)[0])
                if limit > 0:
                    yield limit


def _groups_of(controller: str) -> Iterator[Path]:
    """Folders of the control groups of this process, each with all groups above it.

    A container may see the path that its group has outside, so folders that are missing here are
    passed over by whoever reads from them.
    """
    try:
        lines = _PROCESS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        # Version 2 has one tree, without names; version 1 one for each (set of) controllers.
        for mount in dict.fromkeys((controllers, controller) if controllers else ("", "unified")):
            relative = PurePosixPath(group.lstrip("/"))
            for part in (relative, *relative.parents):
                yield _GROUPS / mount / part


def _words(path: Path) -> list[str]:
    return path.read_text(encoding="ascii").split()


def _rounded_up(quota: int, period: int) -> int:
    return max(1, math.ceil(quota / period))


def _memory_of_machine() -> int:
    if not hasattr(os, "sysconf"):
        return UNKNOWN_MEMORY
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
