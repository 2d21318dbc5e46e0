"""Running the category notebook with papermill, so that every record comes with its pictures."""

from __future__ import annotations

import base64
import errno
import io
import sys
from pathlib import Path
from typing import Any

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError
from PIL import Image

from aesc.errors import InputError, NotebookError, TrainingError
from aesc.experiment import Experiment, Record, RunConfig
from aesc.files import unwritable, whole_file
from aesc.resources import resource

NOTEBOOK = "notebooks/06_evaluate_category.ipynb"
_BAD_INPUT = {error.__name__: error for error in (InputError, TrainingError)}
_NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)


def check_notebook(path: Path) -> None:
    """Raise InputError when there is no notebook at ``path``."""
    try:
        nbformat.read(path, as_version=4)
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        raise InputError(
            f"{path} is not a notebook ({type(error).__name__}): give the path of an .ipynb file."
        ) from error


def run_notebook(
    config: RunConfig, out: Path, notebook: Path | None = None, progress: bool = True
) -> Record:
    """Execute the category notebook for a configuration.

    Args:
        config: what to run.
        out: folder for the record, the weights and the executed notebook ``NAME.ipynb``.
        notebook: another notebook that takes the same parameters and writes the record.
        progress: let its progress bars through to stderr.

    Returns:
        The record, read back from its file.

    Raises:
        InputError: bad input, found before or inside the notebook; no notebook is left.
        NotebookError: it failed in another way; it is kept as ``NAME.failed.ipynb``.
    """
    Experiment(config, out)  # refuses bad input before a kernel is started
    target = out / f"{config.name}.ipynb"
    parameters = {**config.model_dump(), "out": str(out)}
    execute(notebook or resource(NOTEBOOK), target, parameters, progress=progress)
    return Record.load(target.with_suffix(".json"))


def execute(
    source: Path,
    target: Path,
    parameters: dict[str, Any] | None = None,
    folder: Path | None = None,
    progress: bool = True,
) -> None:
    """Execute a notebook; write the result, without times and progress bars, whole or not at all.

    Args:
        source: the notebook.
        target: where the executed one goes; may be the same.
        parameters: for its cell tagged ``parameters``.
        folder: that it runs in; by default the current one.
        progress: let its progress bars through to stderr.

    Raises:
        InputError: as raised in the notebook, or ``target`` cannot be written.
        NotebookError: the notebook failed; it is kept beside ``target`` as ``NAME.failed.ipynb``.
    """
    running, failed = (target.with_suffix(f".{state}.ipynb") for state in ("running", "failed"))
    try:
        papermill.execute_notebook(
            source,
            running,
            parameters,
            cwd=folder,
            kernel_name="python3",
            progress_bar=False,
            # Written every half a minute and at the end; after each cell it would take a second.
            request_save_on_cell_execute=False,
            stderr_file=sys.stderr if progress else io.StringIO(),
            # Warnings of the kernel itself would be taken for warnings of the run.
            extra_arguments=["--IPKernelApp.log_level=50"],
        )
        notebook = _clean(nbformat.read(running, as_version=4))
        with whole_file(target) as temporary:
            nbformat.write(notebook, temporary)
        failed.unlink(missing_ok=True)
    except PapermillExecutionError as error:
        if error.ename in _BAD_INPUT:
            raise _BAD_INPUT[error.ename](error.evalue) from error
        running.replace(failed)
        raise NotebookError(f"{error.ename}: {error.evalue} (see {failed})") from error
    except OSError as error:
        if error.errno in _NOT_WRITTEN:
            raise unwritable(target, error) from error
        raise
    finally:
        running.unlink(missing_ok=True)


def _clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop what says nothing later, such as times and progress bars; make the figures small."""
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
            for data in (output.get("data", {}) for output in cell.outputs):
                if "image/png" in data:
                    data["image/png"] = _smaller(data["image/png"])
    return _with_stable_widgets(notebook)


def _with_stable_widgets(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Number the widgets, whose names are otherwise others in every execution."""
    text = nbformat.writes(notebook)
    for kind in notebook.metadata.get("widgets", {}).values():
        for number, name in enumerate(kind.get("state", {})):
            text = text.replace(name, f"{number:032x}")
    return nbformat.reads(text, as_version=4)


def _smaller(png: str) -> str:
    """A PNG (base64) of at most 192 colours: about half the size, no difference to the eye."""
    figure = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    buffer = io.BytesIO()
    figure.quantize(192, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        buffer, "PNG", optimize=True
    )
    return base64.b64encode(min(buffer.getvalue(), base64.b64decode(png), key=len)).decode()
