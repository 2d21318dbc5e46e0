"""Standard streams that are closed or full, names on them, and signals that come twice."""

import io
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from detectors import good_folder, save, stripes
from exports import untrained
from refusals import refused

from aesc.detector import save as save_detector

posix = pytest.mark.skipif(os.name == "nt", reason="a shell, and signals for one process")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    good = good_folder(folder / "good", count=10)
    save_detector(untrained(sorted(good.iterdir())), folder / "part.aesc")
    return folder / "part.aesc"


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(50)
    for name in ("a.png", "b.png"):
        save(tmp_path / "new" / name, stripes(rng))
    return tmp_path / "new"


def in_shell(redirected: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = f'exec "$@" {redirected}'
    whole = ["sh", "-c", command, "sh", sys.executable, "-m", "aesc", *map(str, arguments)]
    return subprocess.run(whole, capture_output=True, text=True, check=False)


@posix
def test_closed_stdin_holds_no_names(model):
    done = in_shell("<&-", "predict", model, "-", "--device", "cpu")
    refused((done.returncode, done.stdout, done.stderr), "No image was named")


@posix
def test_closed_stdout_is_nothing_to_stop_for(model, folder, tmp_path):
    """And no file that is written takes its place."""
    out = tmp_path / "out"
    done = in_shell(">&-", "predict", model, folder, "--json", "--out", out, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert (out / "results.csv").read_text(encoding="utf-8-sig").startswith("image,verdict")


@posix
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
@pytest.mark.parametrize(
    ("arguments", "unbuffered"), [(["info"], ""), (["info"], "1"), (["--help"], "")]
)
def test_full_disk_behind_stdout_is_one_sentence(monkeypatch, arguments, unbuffered):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    done = in_shell(">/dev/full", *arguments)
    refused((done.returncode, done.stdout, done.stderr), "Cannot write the output", "free some")
    assert len(done.stderr.splitlines()) == 1


def test_other_errors_of_the_system_keep_their_traceback(aesc, monkeypatch):
    """A full disk that nobody put into words names its file: a fault of ours."""

    def failing(*_) -> None:
        raise OSError(28, "No space left on device", "some.file")

    monkeypatch.setattr("aesc.records.Store.scan", failing)
    with pytest.raises(OSError, match=r"some\.file"):
        aesc("table", ".")


def test_a_list_of_names_from_windows_is_read(model, folder, aesc, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{folder / 'a.png'}\r\n{folder / 'b.png'}\r\n"))
    code, text, _ = aesc("predict", model, "-", "--device", "cpu")
    assert code == 0 and "error" not in text and len(text.splitlines()) == 2


def test_stdin_stands_alone(model, folder, aesc):
    refused(aesc("predict", model, "-", folder), "- stands for", "./-")


def test_a_file_that_begins_with_a_dash_is_told_how_to_be_named(model, folder, aesc, monkeypatch):
    monkeypatch.chdir(folder)
    os.rename("a.png", "-a.png")
    code, _, error = aesc("predict", model, "-a.png")
    assert code == 2 and error.endswith("-a.png begins with a dash: give ./-a.png\n")
    assert "begins with a dash" not in aesc("predict", model, "--no-such-option")[2]
    assert aesc("predict", model, "./-a.png", "--device", "cpu")[0] == 0


@posix
def test_a_broken_link_in_a_folder_is_a_row_and_a_pipe_is_not_read(model, folder, aesc):
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    os.mkfifo(folder / "pipe.png")
    code, text, _ = aesc("predict", model, folder, "--device", "cpu")
    lines = text.splitlines()
    assert code == 1 and len(lines) == 3
    assert lines[2].startswith("error") and "gone.png cannot be read" in lines[2]


TWICE = """
import atexit, os, signal, sys
from aesc.cli import main
from aesc.records import Store

def interrupted(*_):
    raise KeyboardInterrupt

atexit.register(os.kill, os.getpid(), signal.SIGINT)
Store.scan = interrupted
sys.argv = ["aesc", "table", "."]
main()
"""


@posix
def test_an_interrupt_while_the_process_ends_changes_nothing():
    def listen() -> None:  # a background job inherits a SIGINT that is ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    done = subprocess.run(
        [sys.executable, "-c", TWICE],
        capture_output=True,
        text=True,
        preexec_fn=listen,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "aesc: interrupted\n")
