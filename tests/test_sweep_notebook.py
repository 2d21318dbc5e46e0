"""The notebook of a run: what is refused before it starts, and how its failures are told."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_core.paths import jupyter_runtime_dir
from sweep_toys import PARAMETERS, TEMPLATE, make_data, make_notebook, names, one_sentence

from aesc.errors import InputError, NotebookError
from aesc.experiment.run import KEEP_CHECKPOINT
from aesc.sweep import plan, run_notebook
from aesc.sweep.kernel import OwnKernelManager
from aesc.sweep.notebook import _Terminal, check_notebook


@pytest.fixture
def toys(tmp_path) -> Path:
    return make_data(tmp_path, "nut", "dies", "hungry")


@pytest.fixture
def run(aesc, toy_notebook, toys, tmp_path, monkeypatch):
    """Call ``aesc run`` with the toy notebook in place of the category notebook."""
    monkeypatch.setattr("aesc.sweep.notebook.resource", lambda _: toy_notebook)
    return lambda category: aesc("run", category, "--data", toys, "--out", tmp_path / "out")


# Before it starts


def written(folder: Path, source: str, tags: list[str], **kernel: str) -> Path:
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": tags})
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata.kernelspec = {"name": "x", "display_name": "X", **kernel}
    nbformat.write(notebook, folder / "n.ipynb")
    return folder / "n.ipynb"


@pytest.mark.parametrize(
    ("source", "tags", "kernel", "named"),
    [
        (PARAMETERS, [], {}, ["no cell with the tag 'parameters'"]),
        (PARAMETERS, ["parameter"], {}, ["no cell with the tag 'parameters'"]),
        (PARAMETERS.replace("epochs", "epoch"), ["parameters"], {}, ["'epochs'", "assign it"]),
        (PARAMETERS.replace("out", "output"), ["parameters"], {}, ["'out'"]),
        (PARAMETERS, ["parameters"], {"language": "R"}, ["'R'", "Python"]),
    ],
)
def test_notebook_that_cannot_run_is_refused_before_anything_starts(
    toys, tmp_path, sweep_command, source, tags, kernel, named
):
    path = written(tmp_path, source, tags, **kernel)
    arguments = ["nut", "--data", toys, "--notebook", path, "--out", tmp_path / "out"]
    code, _, errors = sweep_command(*arguments)
    assert code == 2 and len(errors) == 1 and not (tmp_path / "out").exists()
    one_sentence(errors[0], str(path), *named)


def test_annotated_parameters_are_found(tmp_path):
    source = PARAMETERS.replace("size = None", "size: int | None = None")
    check_notebook(written(tmp_path, source, ["parameters"]))


def test_kernelspec_that_is_not_installed_does_not_matter(toys, tmp_path):
    """The kernel is this Python, whatever the notebook or the user's Jupyter says."""
    path = make_notebook(tmp_path)
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.kernelspec["name"] = "conda-env-of-somebody-else"
    notebook.cells.append(nbformat.v4.new_code_cell("import sys; print(sys.executable)"))
    nbformat.write(notebook, path)
    (config,) = plan(["nut"], data=str(toys))
    run_notebook(config, tmp_path / "out", path, progress=False)
    executed = nbformat.read(tmp_path / "out" / f"{config.name}.ipynb", as_version=4)
    assert executed.cells[-1].outputs[0].text.strip() == sys.executable


def test_data_whose_name_is_not_utf8_are_refused(tmp_path):
    (config,) = plan(["nut"], data=str(make_data(tmp_path, "nut")))
    config = config.model_copy(update={"data": "/data/\udce9"})
    with pytest.raises(InputError) as caught:
        run_notebook(config, tmp_path / "out")
    one_sentence(str(caught.value), "data is '/data/\\udce9'", "rename it")


# Failures


def test_killed_kernel_is_one_sentence(run, tmp_path):
    code, stdout, stderr = run("dies")
    lines = stderr.splitlines()
    assert code == 1 and not stdout and len(lines) == 2, stderr
    one_sentence(lines[1], "aesc: error: ", "was killed", "memory", "--size")
    assert list((tmp_path / "out").iterdir()) == []


def test_missing_kernel_is_not_taken_for_a_killed_one(run, monkeypatch):
    monkeypatch.setattr("aesc.sweep.kernel.find_spec", lambda name: None)
    code, _, stderr = run("nut")
    assert code == 2
    one_sentence(stderr.splitlines()[-1], "ipykernel is missing", "pip install 'aesc[notebooks]'")


def test_too_little_memory_names_size_and_batch(run, tmp_path):
    code, _, stderr = run("hungry")
    failed = tmp_path / "out" / "toys-hungry-aesc-stain-quick-64px-seed0.failed.ipynb"
    assert code == 1 and failed.exists()
    error = stderr.splitlines()[-1]
    one_sentence(error, "ran out of memory", "64 px in batches of 16", "--size", str(failed))


@pytest.mark.parametrize(
    "text",
    [
        "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
        "RuntimeError: [enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't "
        "allocate memory: you tried to allocate 4611686018427387904 bytes.",
        "RuntimeError: MPS backend out of memory (MPS allocated: 1 GB).",
        "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)",
        "OSError: [Errno 12] Cannot allocate memory",
    ],
)
def test_every_word_for_too_little_memory_is_understood(toys, tmp_path, monkeypatch, text):
    def fail(*_, **__) -> None:
        raise NotebookError(text)

    monkeypatch.setattr("aesc.sweep.notebook.execute", fail)
    (config,) = plan(["nut"], data=str(toys))
    with pytest.raises(NotebookError, match=r"ran out of memory with images of 64 px .* --size"):
        run_notebook(config, tmp_path / "out")
    tiled = config.model_copy(update={"size": 128, "tile": 64})
    with pytest.raises(NotebookError, match=r"ran out of memory with tiles of 64 px .* --tile"):
        run_notebook(tiled, tmp_path / "out")


def test_checkpoint_goes_only_when_record_and_notebook_are_there(toys, tmp_path, monkeypatch):
    (config,) = plan(["nut"], data=str(toys))
    out, interrupted = tmp_path / "out", [True, False]

    def execute(source, target, parameters, *, environment, **_) -> None:
        assert KEEP_CHECKPOINT in environment
        (out / f"{config.name}.checkpoint").touch()
        record = json.loads(TEMPLATE.read_text()) | {"name": config.name}
        (out / f"{config.name}.json").write_text(json.dumps(record))
        if interrupted.pop(0):
            raise KeyboardInterrupt
        target.write_text("{}")

    monkeypatch.setattr("aesc.sweep.notebook.execute", execute)
    with pytest.raises(KeyboardInterrupt):
        run_notebook(config, out)
    assert (out / f"{config.name}.checkpoint").exists()
    (out / f"{config.name}.json").unlink()
    run_notebook(config, out)
    assert names(out) == [f"{config.name}.ipynb", f"{config.name}.json"]


UNGUARDED = """
import sys
from pathlib import Path
from aesc.sweep import plan, sweep

_, data, notebook, out = sys.argv
print(sweep(plan(["nut"], data=data), out, notebook=Path(notebook)))
"""


def test_script_without_a_main_guard_is_told_so_once(toy_notebook, toys, tmp_path):
    """Its workers read the script again, and must not start clusters of their own."""
    (tmp_path / "script.py").write_text(UNGUARDED)
    done = subprocess.run(
        [sys.executable, "script.py", toys, toy_notebook, tmp_path / "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.count("Traceback") == 1, done.stderr
    assert 'if __name__ == "__main__"' in done.stderr.splitlines()[-1]


# What it says, and leaves


class Log:
    """A file that is no terminal."""

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> None:
        self.text += text


def test_progress_bars_leave_one_line_each_in_a_file(monkeypatch):
    log = Log()
    monkeypatch.setattr(sys, "stderr", log)
    terminal = _Terminal()
    for step in range(100):
        terminal.write(f"\r{step}%|####  ")
    terminal.write("\r100%|#####\nA warning.\n\r1%")
    assert log.text == "100%|#####\nA warning.\n"


def test_connection_files_of_killed_processes_are_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    assert jupyter_runtime_dir() == str(tmp_path)
    code = (
        "import os, signal\n"
        "from aesc.sweep.kernel import OwnKernelManager\n"
        "OwnKernelManager().write_connection_file()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL and len(list(tmp_path.iterdir())) == 1
    (tmp_path / "kernel-of-somebody.json").touch()
    mine = OwnKernelManager()
    mine.write_connection_file()
    assert sorted(map(str, tmp_path.iterdir())) == sorted(
        [mine.connection_file, str(tmp_path / "kernel-of-somebody.json")]
    )
    mine.cleanup_connection_file()
