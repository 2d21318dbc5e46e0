"""What the tests of several files use: a tiny data set, the command, closed figures."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aesc.cli import main
from aesc.experiment import PRESETS, Preset
from aesc.training import TrainingSettings


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture(scope="session")
def stripes(tmp_path_factory) -> Path:
    """A category folder: stripes of random phase; a bright or a dark square is a defect."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("data") / "tiny" / "stripes"

    def image() -> np.ndarray:
        phase = rng.uniform(0, 6)
        row = 128 + 50 * np.sin(np.arange(64) / 3 + phase)
        return np.clip(row[None, :] + rng.normal(0, 3, (64, 64)), 0, 255)

    for i in range(10):
        write(folder / f"train/good/{i:03}.png", image())
    for i in range(4):
        write(folder / f"test/good/{i:03}.png", image())
    for defect, grey in (("bright", 255), ("dark", 0)):
        for i in range(3):
            pixels, mask = image(), np.zeros((64, 64))
            y, x = rng.integers(5, 40, 2)
            pixels[y : y + 14, x : x + 14] = grey
            mask[y : y + 14, x : x + 14] = 255
            write(folder / f"test/{defect}/{i:03}.png", pixels)
            write(folder / f"ground_truth/{defect}/{i:03}_mask.png", mask)
    return folder


@pytest.fixture
def one_batch(monkeypatch) -> None:
    """The quick preset trains on one batch of two images."""
    settings = TrainingSettings(epochs=1, batches=1, batch_size=2)
    monkeypatch.setitem(PRESETS, "quick", Preset(64, 0.1, settings))


@pytest.fixture(autouse=True)
def no_image_cache(monkeypatch) -> None:
    """Runs of the tests leave nothing in the user's cache."""
    monkeypatch.setattr("aesc.experiment.run.image_cache", lambda: None)


@pytest.fixture
def aesc(capfd):
    """Call the command; returns its exit code, stdout and stderr."""

    def call(*arguments) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main([str(a) for a in arguments])
        output = capfd.readouterr()
        return stopped.value.code, output.out, output.err

    return call


@pytest.fixture
def sweep_command(aesc):
    """Call ``aesc sweep``; returns its exit code, stdout, and the errors on stderr."""

    def call(*arguments) -> tuple[int, str, list[str]]:
        code, stdout, stderr = aesc("sweep", *arguments)
        assert "Traceback" not in stderr
        errors = [line for line in stderr.splitlines() if line.startswith("aesc: error: ")]
        return code, stdout, errors

    return call


@pytest.fixture(scope="session")
def toy_notebook(tmp_path_factory) -> Path:
    from sweep_toys import make_notebook

    return make_notebook(tmp_path_factory.mktemp("notebook"))


@pytest.fixture(scope="module")
def toys(tmp_path_factory) -> Path:
    from sweep_toys import make_data

    return make_data(tmp_path_factory.mktemp("data"), "bolt", "nut", "gear", "fails")


@pytest.fixture
def nothing_left_open() -> Iterator[None]:
    """Close the figures of a test."""
    yield
    from matplotlib import pyplot as plt

    plt.close("all")
