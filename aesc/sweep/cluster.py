"""A Dask cluster to run on: the cores or GPUs of this machine, or somebody else's."""

from __future__ import annotations

import importlib
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
import psutil
import torch
import yaml
from dask.distributed import Client, Nanny, Scheduler, SpecCluster, Worker

from aesc.errors import InputError

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

# Dask gives up a worker that does not come back in 15 seconds; importing torch can take longer.
_PATIENT = {"distributed.deploy.lost-worker-timeout": "5 minutes"}


@contextmanager
def connect(
    scheduler: str | None = None, specification: Path | None = None, jobs: int = 1
) -> Iterator[Client]:
    """A client of a cluster that runs one job per worker thread; the cluster ends with the block.

    Args:
        scheduler: address of a running Dask scheduler, for example ``tcp://host:8786``. It is left
            running.
        specification: a YAML file, see `from_specification`.
        jobs: the most jobs at a time, on this machine.

    Raises:
        InputError: both a scheduler and a specification, a scheduler that does not answer, or a
            specification that cannot be used.
    """
    if scheduler and specification:
        raise InputError("Give a scheduler address or a cluster specification, not both.")
    if scheduler:
        try:
            client = Client(scheduler)
        except (OSError, ValueError) as error:
            raise InputError(
                f"No Dask scheduler answers at {scheduler} ({_one_line(error)}): check address and "
                "network."
            ) from error
        with client:
            yield client
        return
    cluster = from_specification(specification) if specification else _this_machine(jobs)
    with dask.config.set(_PATIENT), cluster, Client(cluster) as client:
        yield client


def from_specification(path: Path) -> Any:
    """The cluster that a YAML file describes.

    The file holds ``class`` (for example ``dask_jobqueue.SLURMCluster``,
    ``dask_kubernetes.operator.KubeCluster`` or ``dask.distributed.SSHCluster``), its ``options``,
    and ``workers``, to which it is scaled.

    Raises:
        InputError: a file that cannot be read, a class that cannot be found, or options that it
            refuses.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        module, _, name = content["class"].rpartition(".")
        workers = int(content.get("workers", 0))
        cluster = getattr(importlib.import_module(module), name)(**content.get("options", {}))
        if not hasattr(cluster, "scheduler_address"):
            raise TypeError(f"{content['class']} is not a cluster")
        if "workers" in content:
            cluster.scale(workers)
    except Exception as error:  # the class is anybody's, and so is what it raises
        raise InputError(
            f"Cannot make a cluster from {path} ({type(error).__name__}: {_one_line(error)}): it "
            "needs 'class', 'options' and 'workers' as the documentation of that class gives them."
        ) from error
    return cluster


def dask_setup(worker: Worker) -> None:
    """Called by Dask in a worker of this machine, which is to leave stderr to the sweep.

    A terminal sends Ctrl-C to every process, and each would print a traceback of its own.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("papermill").setLevel(logging.CRITICAL)


def dask_teardown(worker: Worker) -> None:
    """Called by Dask when a worker closes: end the kernel, so that its run ends and tidies up."""
    for child in psutil.Process().children():
        child.kill()


def _this_machine(jobs: int) -> SpecCluster:
    """One worker per GPU, or workers that share the cores without more threads than cores."""
    gpus = torch.cuda.device_count()
    cores = torch.get_num_threads()
    count = max(1, min(jobs, gpus or cores))
    share = str(max(1, cores // count))
    environments = [
        dict.fromkeys(_THREADS, share) | ({"CUDA_VISIBLE_DEVICES": _card(i)} if gpus else {})
        for i in range(count)
    ]
    quiet = {"silence_logs": logging.CRITICAL}  # the sweep itself says what goes wrong
    # The memory of a run is that of its kernel, which Dask does not see: no limit.
    common = {**quiet, "nthreads": 1, "memory_limit": 0, "preload": __name__}
    workers = {
        i: {"cls": Nanny, "options": {**common, "env": environment}}
        for i, environment in enumerate(environments)
    }
    options = {"host": "127.0.0.1", "dashboard": True, "dashboard_address": "127.0.0.1:0"}
    # Dask would set its thread limits, meant for workers, in this process.
    with dask.config.set({"distributed.nanny.pre-spawn-environ": {}}):
        return SpecCluster(workers, {"cls": Scheduler, "options": options}, name="aesc", **quiet)


def _card(index: int) -> str:
    """Name of the index-th GPU among those that this process may see."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",")[index].strip() if visible else str(index)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
