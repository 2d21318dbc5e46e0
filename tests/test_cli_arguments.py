"""Arguments of the command: what is refused, and what the help says."""

import os
import re
import subprocess
import sys

import pytest
from refusals import refused

from aesc.cli import main
from aesc.experiment import METHODS, RunConfig
from aesc.synthetic import CATEGORIES, SIZE


def test_unknown_category_lists_the_known_ones(aesc, stripes, tmp_path):
    refused(aesc("run", "washers", "--out", tmp_path / "o"), "'washers'", *CATEGORIES)
    refused(aesc("run", "x", "--data", stripes.parent, "--out", tmp_path / "o"), "stripes")
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--size", "32"], ["size is 32", "at least 64"]),
        (["--size", "-1"], ["size is -1"]),
        (["--epochs", "-3"], ["epochs is -3"]),
        (["--passes", "0"], ["passes is 0"]),
        (["--seed", "-7"], ["seed is -7"]),
        (["--device", "cuda:42"], ["cuda:42", "auto"]),
        (["--preset", "fast"], ["'fast'", "quick"]),
        (["--corruption", "coffee"], ["'coffee'", "stain"]),
        (["--model", "unet"], ["'unet'", ", ".join(METHODS)]),
        (["--model", "ae_l2", "--corruption", "stain"], ["AE_L2", "'stain'", "none"]),
        (["--data", "no/such/folder"], ["no/such/folder"]),
    ],
)
def test_bad_arguments(aesc, tmp_path, arguments, named):
    refused(aesc("run", "washer", *arguments, "--out", tmp_path / "o"), *named)
    assert not (tmp_path / "o").exists()


def test_data_refuses_a_missing_archive(aesc, tmp_path):
    missing = tmp_path / "missing.tar.xz"
    refused(aesc("data", "mvtec", "--source", missing, "--out", tmp_path / "o"), "missing.tar.xz")


def test_help_is_quick_to_import():
    """``--help`` must not wait for torch, nor for what checks and reads numbers."""
    code = "import sys, aesc.cli; print({'torch', 'numpy', 'pydantic', 'pandas'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"


def test_no_command_is_an_error(capsys):
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2 and "usage" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "sweep"])
@pytest.mark.parametrize(
    ("out", "named"),
    [
        ("file", ["file is a file: choose another folder"]),
        ("file/out", ["file/out", "another folder"]),
        ("s3:/bucket/x", ["'s3:/bucket/x'", "s3://bucket/folder"]),
        ("nowhere://x", ["nowhere://x"]),
        ("", ["''", "give a folder"]),
    ],
)
def test_places_that_cannot_hold_runs(aesc, tmp_path, monkeypatch, command, out, named):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    refused(aesc(command, "washer", "--out", out), *named)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["data", "--out", "s3://bucket/x"],
        ["data", "--out", ""],
        ["table", ".", "--out", "s3:/x"],
        ["sweep", "washer", "--notebook", "https://example.org/n.ipynb"],
    ],
)
def test_addresses_where_a_path_is_needed(capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2 and "give a path on this machine" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["mvtec", "--size", "64"], ["--size is 64", "aesc data mvtec"]),
        (["mvtec", "--seed", "0"], ["--seed is 0"]),
        (["--source", "x.tar"], ["--source is x.tar", "aesc data embedded"]),
        (["--url", "https://x"], ["--url is https://x"]),
    ],
)
def test_options_of_the_other_data_set_are_refused(aesc, arguments, named):
    refused(aesc("data", *arguments), *named)


@pytest.mark.parametrize("package", ["dask", "papermill.iorw", "pandas"])
def test_missing_package_is_named_with_its_pip_command(aesc, monkeypatch, package):
    def missing(*_) -> None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    monkeypatch.setattr("aesc.records.Store.scan", missing)
    name = package.partition(".")[0]
    refused(aesc("table", "."), f"{name} is missing: pip install 'aesc[notebooks]'")


def test_fault_of_the_package_itself_keeps_its_traceback(monkeypatch):
    def broken(*_) -> None:
        raise ModuleNotFoundError("No module named 'aesc.nothing'", name="aesc.nothing")

    monkeypatch.setattr("aesc.records.Store.scan", broken)
    with pytest.raises(ModuleNotFoundError):
        main(["table", "."])


@pytest.mark.skipif(os.name == "nt", reason="pipes of Windows break in another way")
def test_reader_that_has_read_enough_is_no_error():
    command = [sys.executable, "-m", "aesc", "info"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait() == 141


@pytest.mark.parametrize("command", ["run", "sweep", "data"])
def test_help_tells_the_defaults_of_the_package(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    config = RunConfig.checked(category="washer")
    told = {"preset": config.preset, "passes": config.passes, "device": config.device}
    if command == "data":
        told = {"side in pixels": SIZE}
    for words, default in told.items():
        assert re.search(rf"{words}[^(]*\(default: {default}\)", shown), words
