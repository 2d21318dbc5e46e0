"""The command: exit codes, one-sentence errors, a run through the notebook, tables."""

import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from refusals import refused

from aesc.experiment import Experiment, RunConfig
from aesc.records import Record
from aesc.synthetic import CATEGORIES


@pytest.fixture(scope="module")
def finished(stripes, tmp_path_factory) -> tuple[Path, RunConfig]:
    """A folder in which ``stripes`` was run through the notebook by the real command."""
    out = tmp_path_factory.mktemp("runs")
    command = [sys.executable, "-m", "aesc", "run", "stripes", "--data", stripes.parent]
    command += ["--epochs", "1", "--passes", "2", "--device", "cpu", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "image AUROC" in done.stdout
    assert done.stderr.count("35/35") == 1 and "\r" not in done.stderr  # no terminal: no redrawing
    data = str(stripes.parent)
    config = RunConfig.checked(category="stripes", data=data, epochs=1, passes=2, device="cpu")
    return out, config


def test_run_leaves_record_weights_and_notebook(finished):
    out, config = finished
    names = sorted(path.name for path in out.iterdir())
    assert names == [f"{config.name}{suffix}" for suffix in (".ipynb", ".json", ".safetensors")]


def test_executed_notebook_is_whole_and_quiet(finished):
    out, config = finished
    text = (out / f"{config.name}.ipynb").read_text()
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    assert sum("image/png" in o.get("data", {}) for o in outputs) >= 8
    assert "papermill" not in notebook.metadata and len(text) < 1.5e6


def test_executed_notebook_names_no_folder_of_this_machine(finished, stripes):
    out, config = finished
    text = (out / f"{config.name}.ipynb").read_text()
    assert f'data = \\"{stripes.parent.name}\\"' in text
    for folder in (stripes.parent.parent, out.parent, Path.home()):
        assert str(folder) not in text


def test_finished_run_is_not_repeated(finished, aesc, stripes):
    out, config = finished
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    code, stdout, stderr = aesc(
        "run", "stripes", "--data", stripes.parent, "--epochs", 1, "--passes", 2,
        "--device", "cpu", "--out", out,
    )  # fmt: skip
    assert code == 0 and "finished before" in stderr and config.name in stdout
    assert before == {path: path.stat().st_mtime_ns for path in out.iterdir()}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_interrupted_command_goes_on_where_it_stopped(stripes, tmp_path):
    """Ctrl-C after the first epoch; the same command then gives the record of an unbroken run."""
    config = RunConfig.checked(
        category="stripes", data=str(stripes.parent), epochs=2, passes=2, device="cpu"
    )
    command = [sys.executable, "-m", "aesc", "run", "stripes", "--data", config.data]
    command += ["--epochs", "2", "--passes", "2", "--device", "cpu", "--out", tmp_path / "cut"]
    checkpoint = tmp_path / "cut" / f"{config.name}.checkpoint"
    # A shell's background job inherits a SIGINT that is ignored.
    listen = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=listen)
    while process.poll() is None and not checkpoint.exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 130, stderr
    assert "the same command resumes where it stopped" in stderr
    assert list(checkpoint.parent.iterdir()) == [checkpoint]

    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert not checkpoint.exists()
    resumed = Record.load(checkpoint.with_suffix(".json"))
    whole = Experiment(config, tmp_path / "whole", progress=False).run()
    assert resumed.model_dump(exclude={"duration"}) == whole.model_dump(exclude={"duration"})


def test_table_in_markdown_and_csv(finished, aesc, tmp_path):
    out, config = finished
    record = Record.load(out / f"{config.name}.json")
    code, stdout, _ = aesc("table", out)
    assert code == 0 and "| stripes" in stdout
    code, stdout, _ = aesc("table", out, "--format", "csv", "--out", tmp_path / "t.csv")
    assert code == 0 and stdout.strip() == str(tmp_path / "t.csv")
    row = pd.read_csv(tmp_path / "t.csv").iloc[0]
    assert row["image_residual"] == pytest.approx(record.metrics["residual"].image["l2"].auroc)
    assert row["aupro_uncertainty"] == pytest.approx(record.metrics["uncertainty"].pixel.aupro)


def damage_nothing_good(folder: Path) -> str:
    shutil.rmtree(folder / "train" / "good")
    (folder / "train" / "good").mkdir()
    return "good"


def damage_lone(folder: Path) -> str:
    for path in sorted((folder / "train" / "good").iterdir())[1:]:
        path.unlink()
    return "train"


def damage_mask_size(folder: Path) -> str:
    path = folder / "ground_truth" / "dark" / "001_mask.png"
    Image.fromarray(np.zeros((32, 64), np.uint8)).save(path)
    return "001_mask.png"


def damage_image(folder: Path) -> str:
    path = folder / "test" / "bright" / "002.png"
    path.write_bytes(b"not an image")
    return "002.png"


@pytest.mark.parametrize(
    "damage", [damage_nothing_good, damage_lone, damage_mask_size, damage_image]
)
def test_bad_folders_through_the_notebook(aesc, stripes, tmp_path, damage):
    """The error travels from the kernel to the terminal as one sentence; nothing is left."""
    folder, out = tmp_path / "stripes", tmp_path / "out"
    shutil.copytree(stripes, folder)
    named = damage(folder)
    refused(aesc("run", "stripes", "--data", folder, "--out", out), named)
    assert not out.exists() or not list(out.iterdir())


def test_folder_without_masks_through_the_notebook(aesc, stripes, tmp_path):
    folder, out = tmp_path / "stripes", tmp_path / "out"
    shutil.copytree(stripes, folder, ignore=shutil.ignore_patterns("ground_truth"))
    code, stdout, stderr = aesc(
        "run", "stripes", "--data", folder, "--epochs", 1, "--passes", 2, "--out", out
    )
    assert code == 0 and "residual image AUROC" in stdout, stderr
    (record,) = (Record.load(path) for path in out.glob("*.json"))
    assert record.metrics["residual"].pixel is None and "ground_truth" in record.notes


def test_damaged_checkpoint_is_told_and_the_training_starts_anew(aesc, stripes, tmp_path):
    arguments = ["stripes", "--data", stripes.parent, "--epochs", 1, "--passes", 2]
    config = RunConfig.checked(
        category="stripes", data=str(stripes.parent), epochs=1, passes=2, device="cpu"
    )
    path = tmp_path / f"{config.name}.checkpoint"
    path.write_bytes(b"\x00" * 50)
    code, stdout, stderr = aesc("run", *arguments, "--device", "cpu", "--out", tmp_path)
    assert code == 0 and "image AUROC" in stdout and not path.exists()
    assert re.search(rf"{path.name} is damaged .*: the training starts from the beginning", stderr)


def test_record_of_another_schema_version(aesc, finished, tmp_path):
    out, config = finished
    content = json.loads((out / f"{config.name}.json").read_text())
    (tmp_path / "r.json").write_text(json.dumps({**content, "schema_version": 9}))
    refused(aesc("table", tmp_path), "r.json", "schema version 9")


def test_info_names_versions_and_devices(aesc):
    code, stdout, _ = aesc("info")
    assert code == 0
    for word in ("aesc", "torch", "numpy", "python", "devices", "cpu"):
        assert word in stdout


def test_data_lists_the_embedded_categories(aesc, tmp_path, monkeypatch):
    monkeypatch.setattr("aesc.synthetic.generate.COUNTS", _one_of_each())
    code, stdout, _ = aesc("data", "--size", 32, "--out", tmp_path)
    assert code == 0
    folder = Path(stdout.splitlines()[-1])
    assert folder.is_relative_to(tmp_path)
    assert {path.name for path in folder.iterdir()} == set(CATEGORIES)


def _one_of_each():
    from aesc.synthetic import Counts

    return Counts(1, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "kept", "said"),
    [
        (["run", "washer", "--out", "OUT"], "", ": the same command begins anew"),
        (["run", "washer", "--out", "OUT"], ".checkpoint", ": the same command resumes where"),
        (["sweep", "washer", "--out", "OUT"], "", ": the same command begins anew"),
        (["sweep", "washer", "--out", "OUT"], ".checkpoint", ": the same command resumes where"),
        (["table", "OUT"], "", "\n"),
    ],
)
def test_interrupt_exits_with_130(aesc, monkeypatch, tmp_path, arguments, kept, said):
    """It is said what the same command does: only what was kept is gone on with."""

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    for place in ("aesc.records.Store.scan", "aesc.records.Store.check", "aesc.sweep.sweep"):
        monkeypatch.setattr(place, interrupted)
    if kept:
        name = RunConfig.checked(category="washer").name
        (tmp_path / f"{name}{kept}").write_text("")
    code, _, stderr = aesc(*(tmp_path if each == "OUT" else each for each in arguments))
    assert code == 130 and f"aesc: interrupted{said}" in stderr


def test_home_is_expanded_after_an_equals_sign_too(aesc, finished, monkeypatch, stripes):
    out, config = finished
    monkeypatch.setenv("HOME", str(out.parent))
    monkeypatch.setenv("USERPROFILE", str(out.parent))
    arguments = ["stripes", f"--data={stripes.parent}", "--epochs=1", "--passes=2", "--device=cpu"]
    code, stdout, stderr = aesc("run", *arguments, f"--out=~/{out.name}")
    assert code == 0 and "finished before" in stderr
    assert stdout.endswith(f"notebook, record and weights: {out}/{config.name}.*\n")
    code, stdout, _ = aesc("table", out, f"--out=~/{out.name}.md")
    assert code == 0 and stdout == f"{out}.md\n" and Path(f"{out}.md").exists()
