"""Running the category notebook with papermill, so that every record comes with its pictures."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from aesc._checks import one_line, quoted
from aesc.errors import InputError, KernelDiedError, NotebookError, TrainingError
from aesc.experiment import Experiment, RunConfig
from aesc.experiment.run import KEEP_CHECKPOINT
from aesc.files import temporary_beside, unwritable, whole_file
from aesc.records import Record
from aesc.resources import resource
from aesc.sweep.cleaning import cleaned, without_folders
from aesc.sweep.kernel import ARGUMENTS, NAME, OwnKernelManager

NOTEBOOK = "notebooks/06_evaluate_category.ipynb"
START_SECONDS = 600
"""Seconds that a kernel may take to start, on a machine that is busy with other things."""

_BAD_INPUT = {error.__name__: error for error in (InputError, TrainingError)}
_NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)
_OUT_OF_MEMORY = re.compile(
    r"MemoryError: |out of memory|not enough memory|(n't|not) allocate memory|_ALLOC_FAILED", re.I
)


def check_notebook(path: Path) -> None:
    """Refuse what is no notebook for runs: it takes parameters, in a cell with that tag.

    Raises:
        InputError: there is no notebook at ``path``, it is not in Python, it has no cell tagged
            ``parameters``, or this cell lacks a parameter.

    Example:
        >>> check_notebook(resource(NOTEBOOK))
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        raise InputError(
            f"{path} is not a notebook ({type(error).__name__}): give the path of an .ipynb file."
        ) from error
    language = notebook.metadata.get("kernelspec", {}).get("language", "python")
    if language != "python":
        raise InputError(f"{path} is a notebook in {quoted(language)}: give one in Python.")
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if not cells:
        raise InputError(
            f"{path} has no cell with the tag 'parameters': tag the cell that holds them."
        )
    missing = [
        name
        for name in (*RunConfig.model_fields, "out")
        if not re.search(rf"^{name}\s*(:[^=]*)?=", cells[0].source, re.M)
    ]
    if missing:
        raise InputError(
            f"{path} has no parameter {missing[0]!r}: assign it in the cell tagged 'parameters'."
        )


def run_notebook(
    config: RunConfig, out: Path, notebook: Path | None = None, progress: bool = True
) -> Record:
    """Execute the category notebook for a configuration.

    Args:
        config: what to run.
        out: folder for the record, the weights and the executed notebook ``NAME.ipynb``. The
            checkpoint is removed once all of them are there.
        notebook: another notebook that takes the same parameters and writes the record.
        progress: let its progress bars through to stderr.

    Returns:
        The record, read back from its file.

    Raises:
        InputError: bad input, found before or inside the notebook; no notebook is left.
        KernelDiedError: its process was killed.
        NotebookError: it failed in another way; it is kept as ``NAME.failed.ipynb``.
    """
    parameters = {**config.model_dump(), "out": str(out)}
    for name, value in parameters.items():
        _check_text(name, value)
    experiment = Experiment(config, out)  # refuses bad input before a kernel is started
    target = experiment.path(".ipynb")
    try:
        execute(
            notebook or resource(NOTEBOOK),
            target,
            parameters,
            progress=progress,
            environment={KEEP_CHECKPOINT: "1"},
        )
    except KernelDiedError as error:
        raise KernelDiedError(
            f"The process that ran {config.name} was killed ({error}), probably for want of "
            "memory: repeat the command to resume, or give a smaller --size."
        ) from error
    except NotebookError as error:
        if _OUT_OF_MEMORY.search(str(error)) is None:
            raise
        batch = config.training_settings().batch_size
        shown, option = ("tiles", "tile") if config.tile else ("images", "size")
        raise NotebookError(
            f"{config.name} ran out of memory with {shown} of {config.tile or config.size} px in "
            f"batches of {batch}: give a smaller --{option}, fewer --jobs or a --device with more "
            f"memory (see {_failed(target)})"
        ) from error
    record = Record.load(experiment.path(".json"))
    experiment.path(".checkpoint").unlink(missing_ok=True)
    return record


def execute(
    source: Path,
    target: Path,
    parameters: dict[str, Any] | None = None,
    folder: Path | None = None,
    progress: bool = True,
    environment: dict[str, str] | None = None,
) -> None:
    """Execute a notebook; write the result, without times and progress bars, whole or not at all.

    It runs in the Python of this process, whatever kernels are installed.

    Args:
        source: the notebook.
        target: where the executed one goes; may be the same.
        parameters: values for its cell tagged ``parameters``. Of the folders ``data`` and ``out``,
            the executed notebook names the last part only.
        folder: the folder to run it in; by default the current one.
        progress: let its progress bars through to stderr.
        environment: environment variables for it, beside those of this process.

    Raises:
        InputError: as raised in the notebook, or ``target`` cannot be written.
        KernelDiedError: its process was killed.
        NotebookError: the notebook failed; it is kept beside ``target`` as ``NAME.failed.ipynb``.
    """
    running, failed = temporary_beside(target, ".ipynb"), _failed(target)
    try:
        papermill.execute_notebook(
            nbformat.read(source, as_version=4),
            _literal(running),
            parameters,
            cwd=folder,
            kernel_name=NAME,
            kernel_manager_class=OwnKernelManager,
            config=Config({OwnKernelManager.__name__: {"environment": environment or {}}}),
            start_timeout=START_SECONDS,
            progress_bar=False,
            # Written once, at the end; after each cell it would take a second.
            request_save_on_cell_execute=False,
            stderr_file=_Terminal() if progress else io.StringIO(),
            extra_arguments=ARGUMENTS,
        )
        shown = without_folders(parameters) if parameters else None
        notebook = cleaned(nbformat.read(running, as_version=4), shown)
        with whole_file(target) as temporary:
            nbformat.write(notebook, temporary)
        failed.unlink(missing_ok=True)
    except PapermillExecutionError as error:
        if error.ename in _BAD_INPUT:
            raise _BAD_INPUT[error.ename](error.evalue) from error
        running.replace(failed)
        raise NotebookError(f"{error.ename}: {error.evalue} (see {failed})") from error
    except DeadKernelError as error:
        raise KernelDiedError(one_line(error)) from error
    except RuntimeError as error:
        if not str(error).startswith("Kernel d"):  # "died before ...", "didn't respond ..."
            raise
        raise KernelDiedError(one_line(error)) from error
    except OSError as error:
        if error.errno in _NOT_WRITTEN:
            raise unwritable(target, error) from error
        raise
    finally:
        running.unlink(missing_ok=True)


class _Terminal(io.TextIOBase):
    """What a notebook writes to stderr: to a terminal as it comes, to a file the finished lines.

    A bar redraws itself after a carriage return; in a file only its last state is a line.
    """

    def __init__(self) -> None:
        self.stream = sys.stderr
        self.line = ""

    def write(self, text: str) -> int:
        """Write the text, or the lines that it completes."""
        if self.stream.isatty():
            self.stream.write(text)
        else:
            *lines, self.line = (self.line + text).split("\n")
            for line in lines:
                self.stream.write(f"{line.rpartition(chr(13))[2]}\n")
            self.line = self.line.rpartition("\r")[2]
        return len(text)

    def flush(self) -> None:
        """Pass on what was written."""
        self.stream.flush()


def _failed(target: Path) -> Path:
    return target.with_suffix(".failed.ipynb")


def _literal(path: Path) -> str:
    """A path that papermill, which fills in what stands in braces, takes as it is."""
    return os.fspath(path).replace("{", "{{").replace("}", "}}")


def _check_text(name: str, value: object) -> None:
    """Refuse text that no file can hold: names of files that are not UTF-8."""
    try:
        str(value).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{name} is {quoted(value)}: rename it, since that name is not UTF-8."
        ) from error
