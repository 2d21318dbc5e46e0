"""Running the category notebook with papermill, so that every record comes with its pictures."""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path
from typing import Any

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError
from PIL import Image

from aesc.errors import InputError, TrainingError
from aesc.experiment import Experiment, Record, RunConfig
from aesc.files import whole_file

NOTEBOOK = "06_evaluate_category.ipynb"
_BAD_INPUT = {error.__name__: error for error in (InputError, TrainingError)}


def find_notebook() -> Path:
    """The category notebook: that of the installed package, else that of the checkout.

    Raises:
        InputError: neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / NOTEBOOK).is_file():
            return folder / NOTEBOOK
    raise InputError(f"The notebook {NOTEBOOK} is missing beside {package}: install aesc again.")


def finished_record(config: RunConfig, out: Path) -> Record | None:
    """The record of a run that needs no repeating: record and notebook are there, and whole."""
    path = out / f"{config.name}.json"
    if not (path.exists() and path.with_suffix(".ipynb").exists()):
        return None
    try:
        return Record.load(path)
    except InputError:
        return None


def run_notebook(config: RunConfig, out: Path) -> Record:
    """Execute the category notebook for a configuration; its progress bars go to stderr.

    Args:
        config: what to run.
        out: folder for the record, the weights and the executed notebook ``NAME.ipynb``.

    Returns:
        The record, read back from its file.

    Raises:
        InputError: bad input, found before or inside the notebook; no notebook is left.
        RuntimeError: the notebook failed in another way; it is kept as ``NAME.failed.ipynb``.
    """
    Experiment(config, out)  # refuses bad input before a kernel is started
    target = out / f"{config.name}.ipynb"
    execute(find_notebook(), target, {**config.model_dump(), "out": str(out)})
    return Record.load(target.with_suffix(".json"))


def execute(
    source: Path,
    target: Path,
    parameters: dict[str, Any] | None = None,
    folder: Path | None = None,
) -> None:
    """Execute a notebook; write the result, without times and progress bars, whole or not at all.

    Args:
        source: the notebook.
        target: where the executed one goes; may be the same.
        parameters: for its cell tagged ``parameters``.
        folder: that it runs in; by default the current one.

    Raises:
        InputError: as raised in the notebook, or ``target`` cannot be written.
        RuntimeError: the notebook failed; it is kept beside ``target`` as ``NAME.failed.ipynb``.
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
            stderr_file=sys.stderr,
            # Warnings of the kernel itself would be taken for warnings of the run.
            extra_arguments=["--IPKernelApp.log_level=40"],
        )
        notebook = _clean(nbformat.read(running, as_version=4))
        with whole_file(target) as temporary:
            nbformat.write(notebook, temporary)
        failed.unlink(missing_ok=True)
    except PapermillExecutionError as error:
        if error.ename in _BAD_INPUT:
            raise _BAD_INPUT[error.ename](error.evalue) from error
        running.replace(failed)
        raise RuntimeError(f"{error.ename}: {error.evalue} (see {failed})") from error
    finally:
        running.unlink(missing_ok=True)


def _clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop wall-clock times and progress bars, which say nothing later; make the figures small."""
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
            for data in (output.get("data", {}) for output in cell.outputs):
                if "image/png" in data:
                    data["image/png"] = _smaller(data["image/png"])
    return notebook


def _smaller(png: str) -> str:
    """A PNG (base64) of at most 192 colours: about half the size, no difference to the eye."""
    figure = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    buffer = io.BytesIO()
    figure.quantize(192, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        buffer, "PNG", optimize=True
    )
    return base64.b64encode(min(buffer.getvalue(), base64.b64decode(png), key=len)).decode()
