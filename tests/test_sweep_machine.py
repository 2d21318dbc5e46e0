"""The cluster of this machine: its share for each run, its cards, and who can reach it."""

import os
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest
import torch

from aesc.experiment import RunConfig
from aesc.machine import JOBS
from aesc.sweep import Outcome, cluster

SOCKETS = """
import psutil
from aesc.sweep import connect

if __name__ == "__main__":
    with connect(jobs=1) as client:
        client.wait_for_workers(1)
        process = psutil.Process()
        for member in [process, *process.children(recursive=True)]:
            for socket in member.net_connections("inet"):
                if socket.status == psutil.CONN_LISTEN:
                    print(socket.laddr.ip)
"""


def test_cluster_of_this_machine_listens_to_no_other(tmp_path):
    """Every socket of the scheduler's process and of the workers, which run what they are sent."""
    (tmp_path / "sockets.py").write_text(SOCKETS)
    script = [sys.executable, tmp_path / "sockets.py"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"127.0.0.1"}


@pytest.fixture
def workers(monkeypatch):
    """Of the cluster that would be started for so many jobs on so many cores and GPUs."""

    def of(jobs: int, cores: int, gpus: int = 0) -> list[dict]:
        monkeypatch.setattr(cluster, "SpecCluster", lambda workers, *_, **__: workers)
        monkeypatch.setattr(torch, "get_num_threads", lambda: cores)
        monkeypatch.setattr(cluster, "usable_cores", lambda: cores)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        return [worker["options"] for worker in cluster._this_machine(jobs).values()]

    return of


@pytest.mark.parametrize("cores", [1, 2, 7, 64])
@pytest.mark.parametrize("jobs", [1, 2, 3, 100])
def test_threads_times_jobs_is_at_most_the_cores(workers, jobs, cores):
    options = workers(jobs, cores)
    assert len(options) == min(jobs, cores)
    assert {o["nthreads"] for o in options} == {1}
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        share = {int(o["env"][variable]) for o in options}
        assert share == {cores // len(options)}
    assert {o["env"][JOBS] for o in options} == {str(len(options))}


@pytest.mark.parametrize(("threads", "jobs", "each"), [(1, 4, 1), (1, 2, 1), (2, 2, 2), (8, 2, 4)])
def test_threads_of_a_process_are_no_limit_to_the_workers(
    workers, monkeypatch, threads, jobs, each
):
    """Such as OMP_NUM_THREADS=1: that many for each worker, and as many workers as cores."""
    workers(1, 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    found = cluster._environments(jobs)
    assert len(found) == jobs
    assert {environment["OMP_NUM_THREADS"] for environment in found} == {str(each)}


@pytest.mark.skipif(os.name == "nt", reason="POSIX processes")
def test_a_kernel_that_has_just_ended_does_not_save_the_others(monkeypatch):
    ended, alive = (subprocess.Popen(["sleep", "60"]) for _ in range(2))
    children = [psutil.Process(ended.pid), psutil.Process(alive.pid)]
    ended.kill()
    ended.wait()
    monkeypatch.setattr(psutil.Process, "children", lambda _: children)
    try:
        cluster.dask_teardown(None)
        assert alive.wait(timeout=30) == -9
    finally:
        alive.kill()


def test_a_run_without_an_image_score_has_a_summary():
    scores = {"residual": SimpleNamespace(auroc=0.9126), "uncertainty": SimpleNamespace(auroc=None)}
    record = SimpleNamespace(metrics=scores, image_metrics=scores.get)
    text = Outcome(RunConfig(category="washer"), record).summary()
    assert text == "residual image AUROC 0.913, uncertainty image AUROC —"


def test_one_worker_per_gpu_each_with_a_card_of_its_own(workers, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    options = workers(8, 16, gpus=3)
    assert [o["env"]["CUDA_VISIBLE_DEVICES"] for o in options] == ["0", "1", "2"]
    assert {o["env"]["OMP_NUM_THREADS"] for o in options} == {"5"}
    assert [o["env"]["CUDA_VISIBLE_DEVICES"] for o in workers(1, 16, gpus=3)] == ["0"]


def test_only_the_cards_that_the_command_may_see_are_used(workers, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-ab12,5")
    options = workers(2, 4, gpus=3)
    assert [o["env"]["CUDA_VISIBLE_DEVICES"] for o in options] == ["3", "GPU-ab12"]
