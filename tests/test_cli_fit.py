"""`aesc fit` and its like: one writer of a file, what an interrupt keeps, a dry run."""

import os
import subprocess
import sys

import numpy as np
import pytest
from detectors import SCHEDULE, good_folder, save, stripes
from exports import untrained
from refusals import refused

from aesc.detector import FitSettings, load
from aesc.detector import save as save_detector
from aesc.files import sole_writer, temporary_beside
from aesc.training import Trainer


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return good_folder(tmp_path_factory.mktemp("good"), count=20)


@pytest.fixture(scope="module")
def model(good, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "part.aesc"
    save_detector(untrained(sorted(good.iterdir())), path)
    return path


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(FitSettings, "schedule", lambda self, _: (SCHEDULE, 1.0))


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "GOOD", "--out", "OUT", "--size", "64"],
        ["calibrate", "MODEL", "GOOD", "--out", "OUT"],
        ["export", "MODEL", "--out", "OUT", "--images", "GOOD"],
    ],
)
def test_a_file_has_one_writer_at_a_time(aesc, good, model, tmp_path, arguments):
    """Or one of two detectors would be lost, and both be told to be there."""
    out = tmp_path / "new.aesc"
    places = {"GOOD": good, "MODEL": model, "OUT": out}
    called = [places.get(each, each) for each in arguments]
    with sole_writer(out):
        refused(aesc(*called), f"{out} is in use: wait")
    assert not out.exists()


def test_writers_of_other_files_are_not_in_the_way(aesc, good, model, tmp_path):
    with sole_writer(tmp_path / "a.aesc"):
        assert aesc("calibrate", model, good, "--out", tmp_path / "b.aesc")[0] == 0
    assert load(tmp_path / "b.aesc", "cpu").images is not None


def test_what_a_killed_writer_left_goes_with_the_next(aesc, good, model, tmp_path):
    out = tmp_path / "b.aesc"
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                           capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    mine = temporary_beside(out)
    left = mine.with_name(mine.name.replace(f"-{os.getpid()}-", f"-{ended}-"))
    left.write_text("half")
    assert aesc("calibrate", model, good, "--out", out)[0] == 0
    assert not left.exists() and load(out, "cpu").images is not None


@pytest.mark.parametrize(("epochs", "said"), [(0, "begins anew"), (1, "resumes where it stopped")])
def test_an_interrupted_fit_says_whether_anything_was_kept(
    aesc, good, tmp_path, monkeypatch, few_steps, epochs, said
):
    """A checkpoint is written after a whole epoch, and not before."""
    epoch, done = Trainer._epoch, []

    def interrupted(self, bar):
        if len(done) == epochs:
            raise KeyboardInterrupt
        done.append(None)
        return epoch(self, bar)

    monkeypatch.setattr(Trainer, "_epoch", interrupted)
    out = tmp_path / "part.aesc"
    code, _, error = aesc("fit", good, "--out", out, "--size", "64", "--device", "cpu")
    assert code == 130 and error.endswith(f"aesc: interrupted: the same command {said}\n")
    assert (tmp_path / "part.aesc.checkpoint").exists() == (epochs == 1)


@pytest.mark.parametrize("size", [(64, 64), (48, 64)])
def test_a_dry_run_refuses_what_the_fit_would_refuse(aesc, good, tmp_path, few_steps, size):
    """A mask of another size; images of several sizes, of which it has that of the first."""
    folder = tmp_path / "good"
    for index, path in enumerate(sorted(good.iterdir())):
        pixels = stripes(np.random.default_rng(index), *(size if index > 3 else (64, 64)))
        save(folder / path.name, pixels)
    mask = np.zeros((64, 64) if size == (48, 64) else (32, 64), np.uint8)
    mask[4:20, 4:20] = 255
    save(tmp_path / "mask.png", mask)
    arguments = ["fit", folder, "--out", tmp_path / "x", "--size", "64", "--device", "cpu"]
    told = []
    for more in ([], ["--dry-run"]):
        result = aesc(*arguments, "--roi", tmp_path / "mask.png", *more)
        refused(result, "the region of interest was drawn for 64 x")
        told.append(result[2].splitlines()[-1])
    assert told[0] == told[1]
