"""A Dask cluster to run on: the cores or GPUs of this machine, or one that the user has."""

from __future__ import annotations

import importlib
import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import dask
import distributed
import psutil
import torch
import yaml
from dask.distributed import Client, Nanny, Scheduler, Security, SpecCluster, Worker
from distributed.deploy import Cluster

from aesc._checks import choice, one_line, quoted, whole
from aesc.errors import InputError
from aesc.machine import JOBS, thread_limits, usable_cores

LOOPBACK = "127.0.0.1"
"""The only address on which the cluster of this machine listens."""

# Dask gives up a worker that does not come back in 15 seconds; importing torch can take longer.
_PATIENT = {"distributed.deploy.lost-worker-timeout": "5 minutes"}

_KEYS = ("class", "options", "workers")


@contextmanager
def connect(
    scheduler: str | None = None, specification: Path | None = None, jobs: int = 1
) -> Iterator[Client]:
    """A client of a cluster that runs one job per worker thread; the cluster ends with the block.

    The cluster of this machine listens to this machine only, and to processes that hold its
    certificate, which is made anew each time: Dask runs whatever it is sent.

    Args:
        scheduler: address of a running Dask scheduler, for example ``tcp://host:8786``. It is left
            running.
        specification: a YAML file, see `from_specification`.
        jobs: the most jobs at a time, on this machine; never more than one per GPU, or else per
            core.

    Raises:
        InputError: both a scheduler and a specification, a scheduler that does not answer, a
            specification that cannot be used, or a script without a main guard.
    """
    if scheduler and specification:
        raise InputError(
            f"scheduler is {scheduler} and specification is {specification}: give one, not both."
        )
    if scheduler:
        try:
            client = Client(scheduler)
        except (OSError, ValueError) as error:
            raise InputError(
                f"No Dask scheduler answers at {scheduler} ({one_line(error)}): check address and "
                "network."
            ) from error
        with client:
            yield client
        return
    cluster = from_specification(specification) if specification else _this_machine(jobs)
    with dask.config.set(_PATIENT), cluster, Client(cluster) as client:
        yield client


def from_specification(path: Path) -> Cluster:
    """The cluster that a YAML file describes.

    The file holds ``class`` (for example ``dask_jobqueue.SLURMCluster``,
    ``dask_kubernetes.operator.KubeCluster`` or ``dask.distributed.SSHCluster``), its ``options``,
    and ``workers``, to which it is scaled. The class is known to be a cluster before it is called,
    since a file could name any function.

    Raises:
        InputError: a file that cannot be read, a class that cannot be found or is no Dask cluster,
            or options that it refuses.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "cluster.yaml")
        >>> _ = path.write_text("class: os.system\\noptions: {command: ls}")
        >>> from_specification(path)
        Traceback (most recent call last):
        aesc.errors.InputError: Cannot make a cluster from ... (TypeError: os.system is not a Dask
        cluster): it needs 'class', 'options' and 'workers' as the documentation of that class gives
        them.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        name, options, workers = _checked(content)
        cluster = _factory(name)(**options)
        if workers is not None:
            cluster.scale(workers)
    except (Exception, SystemExit) as error:  # the class is the user's own and may raise anything
        raise InputError(
            f"Cannot make a cluster from {path} ({type(error).__name__}: {one_line(error)}): it "
            "needs 'class', 'options' and 'workers' as the documentation of that class gives them."
        ) from error
    return cluster


def _checked(content: object) -> tuple[str, dict[str, Any], int | None]:
    """Class name, options and number of workers of a specification."""
    if not isinstance(content, dict):
        raise TypeError(f"it holds a {type(content).__name__}, not keys and values")
    for key in content:
        choice("key", key, _KEYS)
    if not isinstance(content.get("class"), str):
        raise TypeError("class is not a name")
    options = content.get("options", {})
    if not (isinstance(options, dict) and all(isinstance(key, str) for key in options)):
        raise TypeError("options are not keys and values")
    workers = content.get("workers")
    if workers is not None and not isinstance(workers, int):
        raise TypeError(f"workers is a {type(workers).__name__}, not a whole number")
    return content["class"], options, None if workers is None else whole("workers", workers, 0)


def _factory(name: str) -> Callable[..., Cluster]:
    """The class of a cluster, or Dask's function that makes one by SSH."""
    module, _, attribute = name.rpartition(".")
    if not module:
        raise ValueError(f"class {quoted(name)} is in no module")
    found = getattr(importlib.import_module(module), attribute)
    if found is distributed.SSHCluster or (isinstance(found, type) and issubclass(found, Cluster)):
        return found
    raise TypeError(f"{name} is not a Dask cluster")


def dask_setup(worker: Worker) -> None:
    """Called by Dask in a worker of this machine, which is to leave stderr to the sweep.

    A terminal sends Ctrl-C to every process, and each would print a traceback of its own. What
    becomes of a run is in its outcome.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    os.close(silence)


def dask_teardown(worker: Worker) -> None:
    """Called by Dask when a worker closes: end the kernel, so that its run ends and tidies up."""
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # it has just ended; the others are still to go
            child.kill()


def _this_machine(jobs: int) -> SpecCluster:
    """One worker per GPU, or workers that share cores and memory without more threads than cores.

    Raises:
        InputError: the workers cannot start because the script has no main guard.
    """
    security = Security.temporary()
    # Of a run's memory Dask sees nothing, because it is the kernel's: no limit.
    common = {"host": LOOPBACK, "dashboard_address": f"{LOOPBACK}:0"}
    common |= {"protocol": "tls://", "security": security}
    quiet = {"silence_logs": logging.CRITICAL}  # the sweep itself says what goes wrong
    nanny = {**common, **quiet, "nthreads": 1, "memory_limit": 0, "preload": __name__}
    workers = {
        i: {"cls": Nanny, "options": {**nanny, "env": environment}}
        for i, environment in enumerate(_environments(jobs))
    }
    scheduler = {"cls": Scheduler, "options": {**common, "dashboard": True}}
    # Dask would set its thread limits, meant for workers, in this process.
    with dask.config.set({"distributed.nanny.pre-spawn-environ": {}}):
        try:
            return SpecCluster(workers, scheduler, name="aesc", security=security, **quiet)
        except RuntimeError as error:
            raise InputError(
                f"The workers cannot start ({one_line(error)}): call sweep() in a script file, "
                'below if __name__ == "__main__".'
            ) from None


def _environments(jobs: int) -> list[dict[str, str]]:
    """Environment variables of each worker: its share of the machine, and its GPU."""
    gpus, cores = torch.cuda.device_count(), usable_cores()
    count = min(jobs, gpus or cores)
    # Fewer threads where the user wants fewer for each process, such as by OMP_NUM_THREADS.
    threads = max(1, min(torch.get_num_threads(), cores // count))
    share = {**thread_limits(threads), JOBS: str(count)}
    return [
        {**share, "CUDA_VISIBLE_DEVICES": _card(i)} if gpus else dict(share) for i in range(count)
    ]


def _card(index: int) -> str:
    """Name of the index-th GPU among those that this process may see."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",")[index].strip() if visible else str(index)
