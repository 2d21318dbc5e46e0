"""A detector of few and small images, and folders of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aesc.detector import Detector, FitSettings, fit, survey
from aesc.training import TrainingSettings

SIDE = 64
SCHEDULE = TrainingSettings(epochs=3, batches=8, batch_size=8, learning_rate=3e-3)


def stripes(rng: np.random.Generator, width: int = SIDE, height: int = SIDE) -> np.ndarray:
    """A good part: soft stripes with a little noise, 8 bits."""
    across = np.arange(width) * 64 / width
    row = 128 + 40 * np.sin(across / 4 + rng.uniform(0, 1))
    return np.clip(row + rng.normal(0, 3, (height, width)), 0, 255).astype(np.uint8)


def spoiled(pixels: np.ndarray, row: int = 30, column: int = 20) -> np.ndarray:
    """The same part with a dark patch of 12 x 12 pixels."""
    spoilt = pixels.copy()
    spoilt[row : row + 12, column : column + 12] = 10
    return spoilt


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def good_folder(folder: Path, count: int = 40, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    for index in range(count):
        save(folder / f"{index:03}.png", stripes(rng))
    return folder


def small_detector(folder: Path, **settings: object) -> Detector:
    paths = sorted(folder.glob("*.png"))
    chosen = FitSettings(size=SIDE, device="cpu", **settings)
    return fit(survey(paths), chosen, SCHEDULE, progress=False)


def refused(call, *words: str) -> None:
    """One sentence of bad input, with these words."""
    from aesc.errors import InputError

    with pytest.raises(InputError) as caught:
        call()
    text = str(caught.value)
    assert text.count("\n") == 0 and text.endswith(".")
    for word in words:
        assert word in text, text
