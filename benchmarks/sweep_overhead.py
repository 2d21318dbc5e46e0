"""What a run costs besides its work, what a sweep adds to that, and whether anything leaks.

Runs of a notebook that only writes a record, first one after the other here with nbclient
(the reference: kernel start and execution), then as a sweep with one job at a time. Written are
seconds per run of both, the difference, and memory and open files of the worker early and late. The
category notebook is run once, at 128 px, for the time that it takes besides data, training and
scoring: kernel, imports and figures.

    python -m benchmarks.sweep_overhead [--quick]
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient

from aesc.experiment import RunConfig
from aesc.records import Store
from aesc.sweep import run_notebook, sweep
from benchmarks.harness import ROOT, arguments, write

RUNS = 200
CELL = """
import json
from pathlib import Path

record = json.loads(Path(data, "template.json").read_text())
record["name"] = f"{Path(data).name}-{category}-{model}-{corruption}-{preset}-{size}px-seed{seed}"
Path(out, record["name"] + ".json").write_text(json.dumps(record))
"""
REFERENCE_RUNS = 15


def main() -> None:
    """Measure, print and write."""
    options = arguments(__doc__.splitlines()[0])
    with tempfile.TemporaryDirectory() as scratch:
        result = measure(Path(scratch), 10 if options.quick else RUNS)
    for name, value in result.items():
        print(f"{name}: {value}")
    write(options, "sweep_overhead", [], **result)


def measure(folder: Path, runs: int) -> dict[str, object]:
    """Seconds per run with and without the sweep, and the worker's memory and open files."""
    data = folder / "data"
    for name in ("train/good", "test/good"):
        (data / "one" / name).mkdir(parents=True)
    template = Store(ROOT / "results" / "embedded").records()[0]
    template.save(data / "template.json")
    configs = [
        RunConfig.checked(category="one", data=str(data), seed=seed, device="cpu")
        for seed in range(runs)
    ]
    notebook = folder / "trivial.ipynb"
    parameters = nbformat.v4.new_code_cell("", metadata={"tags": ["parameters"]})
    nbformat.write(_notebook([parameters, nbformat.v4.new_code_cell(CELL)]), notebook)
    reference = [_alone(configs[0], data.parent) for _ in range(REFERENCE_RUNS)]
    warm_up = _swept(configs[:1], folder / "warm", notebook)
    with _Watch() as watch:
        seconds = _swept(configs, folder / "runs", notebook)
    category, megabytes = _category_notebook(folder)
    one, early, late = statistics.median(reference), *watch.early_and_late()
    per_run = (seconds - warm_up) / (runs - 1)
    return {
        "runs": runs,
        "kernel_and_cells_seconds": round(one, 3),
        "sweep_seconds_per_run": round(per_run, 3),
        "overhead_seconds_per_run": round(per_run - one, 3),
        "cluster_start_seconds": round(warm_up - one, 3),
        "category_notebook_seconds": round(category, 2),
        "category_notebook_mb": round(megabytes, 2),
        "worker_early": early,
        "worker_late": late,
    }


def _alone(config: RunConfig, out: Path) -> float:
    """The same cells in a fresh kernel, without papermill, sweep or cluster."""
    values = {**config.model_dump(), "out": str(out)}
    cells = [nbformat.v4.new_code_cell(f"{k} = {v!r}") for k, v in values.items()]
    book = _notebook([*cells, nbformat.v4.new_code_cell(CELL)])
    start = time.perf_counter()
    NotebookClient(book, extra_arguments=["--IPKernelApp.log_level=40"]).execute()
    return time.perf_counter() - start


def _notebook(cells: list[nbformat.NotebookNode]) -> nbformat.NotebookNode:
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def _category_notebook(folder: Path) -> tuple[float, float]:
    """Seconds of a run besides data, training and scoring, and megabytes of its notebook."""
    config = RunConfig.checked(category="washer", size=128, epochs=1, device="cpu")
    start = time.perf_counter()
    record = run_notebook(config, folder / "category", progress=False)
    seconds = time.perf_counter() - start - sum(vars(record.duration).values())
    return seconds, (folder / "category" / f"{config.name}.ipynb").stat().st_size / 1e6


def _swept(configs: list[RunConfig], out: Path, notebook: Path) -> float:
    start = time.perf_counter()
    outcomes = sweep(configs, out, jobs=1, notebook=notebook, progress=False)
    assert all(outcome.record for outcome in outcomes), outcomes
    return time.perf_counter() - start


class _Watch(threading.Thread):
    """Samples memory (MB) and open files of the worker: the child that lasts."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.samples: list[tuple[float, int]] = []
        self.stop = threading.Event()

    def __enter__(self) -> _Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.join()

    def run(self) -> None:
        """Sample once a second until told to stop."""
        while not self.stop.wait(1):
            try:
                worker = max(psutil.Process().children(), key=lambda p: p.memory_info().rss)
                self.samples.append((worker.memory_info().rss / 1e6, worker.num_fds()))
            except (psutil.Error, ValueError):  # between two workers
                continue

    def early_and_late(self) -> list[dict[str, float]]:
        """Medians over the second tenth and the last tenth of the samples."""
        tenth = max(1, len(self.samples) // 10)
        parts = self.samples[tenth : 2 * tenth], self.samples[-tenth:]
        return [
            {
                "memory_mb": round(statistics.median(m for m, _ in part), 1),
                "open_files": statistics.median(f for _, f in part),
            }
            for part in parts
        ]


if __name__ == "__main__":
    main()
