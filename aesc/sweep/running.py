"""Many runs at once, each the category notebook in a process of its own, through Dask."""

from __future__ import annotations

import contextvars
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dask.distributed import Client, Future, KilledWorker, as_completed
from jupyter_core.utils import ensure_event_loop

from aesc._checks import one_line, whole
from aesc.errors import InputError, KernelDiedError, NotebookError
from aesc.experiment import RunConfig
from aesc.records import Record, Store, format_mean
from aesc.sweep.cluster import connect
from aesc.sweep.notebook import check_notebook, run_notebook
from aesc.sweep.progress import Progress

RETRIES = 2
"""How often a run is tried again whose kernel died; Dask itself does the same for a worker."""

_SHORT_OF_MEMORY = "if memory was short, give a smaller --size or fewer --jobs"


@dataclass(frozen=True)
class Outcome:
    """What became of a run: a record, or the reason why there is none.

    Attributes:
        config: the run.
        record: its record; None after a failure.
        error: one sentence; empty for a run with a record.
        bad_input: whether the failure was one of the input, such as an image that is damaged.

    Example:
        >>> Outcome(RunConfig(category="washer"), error="no luck").summary()
        'FAILED, no luck'
    """

    config: RunConfig
    record: Record | None = None
    error: str = ""
    bad_input: bool = False

    def summary(self) -> str:
        """The scores, or what went wrong."""
        if self.record is None:
            return f"FAILED, {self.error}"
        scores = {kind: self.record.image_metrics(kind).auroc for kind in self.record.metrics}
        return ", ".join(f"{kind} image AUROC {format_mean(x)}" for kind, x in scores.items())


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
    same call resumes where it stopped.

    In a script, call it below ``if __name__ == "__main__":``, since the workers on this machine are
    processes that read the script again.

    Args:
        configs: what to run, for example from `aesc.sweep.plan`.
        out: a folder or an fsspec address, which every worker can write to.
        scheduler: address of a Dask scheduler; by default the runs share this machine.
        specification: YAML file of a Dask cluster, see `aesc.sweep.from_specification`.
        jobs: runs at a time on this machine; by default, and at most, one per GPU, or else one per
            core.
        notebook: another notebook than the category notebook.
        progress: say what is done on stderr, with the time left.

    Returns:
        One outcome per configuration, in their order.

    Raises:
        InputError: ``out`` cannot be written to, there is no such cluster, or the script has no
            main guard.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        # This is a worker that is starting and reads a script without guard. It cannot work, and
        # what comes next in the script is not for it to do.
        os._exit(1)
    if jobs is not None:
        whole("jobs", jobs)
    if notebook is not None:
        check_notebook(notebook)
        notebook = notebook.resolve()
    store = Store(out)
    store.check()
    outcomes = dict(_known(configs, store))
    missing = [config for config in dict.fromkeys(configs) if config not in outcomes]
    finished = [config for config, outcome in outcomes.items() if outcome.record is not None]
    with Progress(dict.fromkeys(configs), finished, progress) as bar:
        for config, outcome in outcomes.items():
            if outcome.record is None:
                bar.count(config, True, outcome.summary())
        if missing:
            jobs = min(jobs or len(missing), len(missing))
            with connect(scheduler, specification, jobs) as client:
                bar.say(f"Dask dashboard: {client.dashboard_link}")
                # A worker may have another current folder than this process.
                address = str(store.folder or store.address)
                for outcome in _completed(client, missing, address, notebook):
                    outcomes[outcome.config] = outcome
                    bar.count(outcome.config, outcome.record is None, outcome.summary())
    return [outcomes[config] for config in configs]


def run_in(config: RunConfig, store: Store, notebook: Path | None, progress: bool) -> Record:
    """One run, with its files in a store; see `aesc.sweep.run_notebook`.

    Raises:
        InputError: bad input.
        NotebookError: the notebook failed in another way.
    """
    with store.workplace(config.name) as folder:
        return run_notebook(config, folder, notebook, progress)


def work(config: RunConfig, address: str, notebook: Path | None) -> Outcome:
    """One run, on a worker.

    Raises:
        KernelDiedError: something killed the kernel, which may go well another time.
    """
    try:
        store = Store(address)
        # A worker that died after the record was written is asked again.
        record = store.finished(config)
        if record is None:
            record = _with_own_loop(config, store, notebook)
        return Outcome(config, record)
    except KernelDiedError:
        raise
    except (InputError, NotebookError) as error:
        return Outcome(config, error=str(error), bad_input=isinstance(error, InputError))


def _known(configs: Sequence[RunConfig], store: Store) -> Iterator[tuple[RunConfig, Outcome]]:
    """Runs that need no worker: they are finished, or their name is taken by other data."""
    for config in dict.fromkeys(configs):
        try:
            record = store.finished(config)
        except InputError as error:
            yield config, Outcome(config, error=str(error), bad_input=True)
        else:
            if record is not None:
                yield config, Outcome(config, record)


def _with_own_loop(config: RunConfig, store: Store, notebook: Path | None) -> Record:
    """Execute a run with an event loop of its own, closed afterwards.

    Jupyter keeps its loop in the context, which Dask hands down from whoever started the worker:
    several threads of one worker would share a loop, and a loop serves one at a time.
    """

    def call() -> Record:
        with closing(ensure_event_loop()):
            return run_in(config, store, notebook, progress=False)

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
    if isinstance(error, KernelDiedError):
        return f"its kernel was killed {RETRIES + 1} times: {_SHORT_OF_MEMORY}."
    if isinstance(error, KilledWorker):
        return f"every worker that it was given to was killed: {_SHORT_OF_MEMORY}."
    return one_line(error)
