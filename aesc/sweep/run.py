"""Many runs at once, each the category notebook in a process of its own, through Dask."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dask.distributed import Client, Future, KilledWorker, as_completed
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import DeadKernelError
from tqdm import tqdm

from aesc.errors import InputError, NotebookError
from aesc.experiment import PRESETS, Record, RunConfig
from aesc.sweep.cluster import connect
from aesc.sweep.notebook import check_notebook, run_notebook
from aesc.sweep.store import Store

RETRIES = 2
"""How often a run is tried again whose kernel died; Dask itself does the same for a worker."""


@dataclass(frozen=True)
class Outcome:
    """What became of a run: a record, or the reason why there is none."""

    config: RunConfig
    record: Record | None = None
    error: str = ""
    bad_input: bool = False


def sweep(
    configs: Sequence[RunConfig],
    out: str | Path,
    *,
    scheduler: str | None = None,
    specification: Path | None = None,
    jobs: int | None = None,
    notebook: Path | None = None,
    progress: bool = True,
) -> list[Outcome]:
    """Run what is not yet finished, and go on when a run fails.

    A run counts as finished when its record is whole and its notebook is there. Interrupted, the
    same call goes on where it stopped.

    Args:
        configs: what to run, for example from `aesc.sweep.plan`.
        out: a folder or an fsspec address, which every worker can write to.
        scheduler: address of a Dask scheduler; by default the runs share this machine.
        specification: YAML file of a Dask cluster, see `aesc.sweep.cluster`.
        jobs: runs at a time on this machine; by default one per GPU, or else one per core.
        notebook: another notebook than the category notebook.
        progress: say what is done on stderr, with the time left.

    Returns:
        One outcome per configuration, in their order.

    Raises:
        InputError: ``out`` cannot be written to, or there is no such cluster.
    """
    store = Store(out)
    store.check()
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs={jobs} is not possible: give at least 1.")
    if notebook is not None:
        check_notebook(notebook)
        notebook = notebook.resolve()
    outcomes = {c: Outcome(c, record) for c in configs if (record := store.finished(c.name))}
    missing = [config for config in dict.fromkeys(configs) if config not in outcomes]
    with _Progress(dict.fromkeys(configs), outcomes, progress) as bar:
        if missing:
            jobs = min(jobs or len(missing), len(missing))
            with connect(scheduler, specification, jobs) as client:
                bar.say(f"Dask dashboard: {client.dashboard_link}")
                # A worker may have another current folder than this process.
                address = str(store.folder or store.address)
                for outcome in _completed(client, missing, address, notebook):
                    outcomes[outcome.config] = outcome
                    bar.add(outcome)
    return [outcomes[config] for config in configs]


def work(config: RunConfig, address: str, notebook: Path | None) -> Outcome:
    """One run, on a worker.

    Raises:
        DeadKernelError: something killed the kernel, which may go well another time.
    """
    try:
        store = Store(address)
        # A worker that died after the record was written is asked again.
        record = store.finished(config.name)
        if record is None:
            with store.workplace(config.name) as folder:
                record = _run_with_own_loop(config, folder, notebook)
        return Outcome(config, record)
    except (InputError, NotebookError) as error:
        return Outcome(config, error=str(error), bad_input=isinstance(error, InputError))


def _run_with_own_loop(config: RunConfig, folder: Path, notebook: Path | None) -> Record:
    """Execute a run with an event loop of its own, closed afterwards.

    Jupyter keeps its loop in the context, which Dask hands down from whoever started the worker:
    several threads of one worker would share a loop, and a loop serves one at a time.
    """

    def call() -> Record:
        with closing(ensure_event_loop()):
            return run_notebook(config, folder, notebook, progress=False)

    return contextvars.Context().run(call)


def _completed(
    client: Client, configs: Sequence[RunConfig], address: str, notebook: Path | None
) -> Iterator[Outcome]:
    """Outcomes as they come in. What is not done when the caller stops listening is cancelled."""
    futures: dict[Future, RunConfig] = {
        client.submit(work, config, address, notebook, retries=RETRIES, pure=False): config
        for config in configs
    }
    try:
        for future in as_completed(futures):
            config, error = futures[future], future.exception()
            yield future.result() if error is None else Outcome(config, error=_reason(error))
            future.release()
    finally:
        client.cancel(list(futures))


def _reason(error: BaseException) -> str:
    if isinstance(error, DeadKernelError):
        return f"its kernel was killed {RETRIES + 1} times (too little memory?)"
    if isinstance(error, KilledWorker):
        return "every worker that it was given to was killed (too little memory?)"
    return " ".join(str(error).split()) or type(error).__name__


class _Progress(tqdm):
    """A bar that counts training work rather than runs, since runs differ in length."""

    def __init__(
        self, configs: Collection[RunConfig], finished: Collection[RunConfig], shown: bool
    ) -> None:
        self._over = threading.Event()
        super().__init__(
            total=sum(_cost(c) for c in configs if c not in finished),
            bar_format="{percentage:3.0f}% |{bar}| {desc} [{elapsed}<{remaining}]",
            disable=not (shown and sys.stderr.isatty()),  # in a log file, lines say enough
        )
        self.shown, self.runs, self.done, self.failed = shown, len(configs), len(finished), 0
        if finished:
            self.say(f"{len(finished)} of {len(configs)} runs finished before")
        self._describe()
        if not self.disable:
            threading.Thread(target=self._tick, daemon=True).start()

    def close(self) -> None:
        """End the bar and its clock."""
        self._over.set()
        super().close()

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if self.shown:
            self.write(text, file=sys.stderr)

    def add(self, outcome: Outcome) -> None:
        """Count a run, and say how it went."""
        self.done += outcome.record is not None
        self.failed += outcome.record is None
        count = f"[{self.done + self.failed}/{self.runs}]"
        self.say(f"{count} {outcome.config.name}: {_summary(outcome)}")
        self._describe()
        self.update(_cost(outcome.config))

    def _tick(self) -> None:
        """Let the clock go on between two runs."""
        while not self._over.wait(1):
            self.refresh()

    def _describe(self) -> None:
        failed = f", {self.failed} failed" if self.failed else ""
        self.set_description_str(f"{self.done} of {self.runs} runs done{failed}")


def _summary(outcome: Outcome) -> str:
    if outcome.record is None:
        return f"FAILED, {outcome.error}"
    scores = {kind: outcome.record.image_metrics(kind).auroc for kind in outcome.record.metrics}
    return ", ".join(f"{kind} image AUROC {auroc:.3f}" for kind, auroc in scores.items())


def _cost(config: RunConfig) -> int:
    """Training work of a run, in pixels: what its duration mostly depends on."""
    settings = PRESETS[config.preset].training
    return config.epochs * settings.batches * settings.batch_size * config.size**2
