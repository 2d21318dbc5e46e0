"""Images to compare a detector and its export on, where no good images are at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aesc.export.reading import Input

NOISE = (0.0, 0.02)
"""Standard deviations of the noise, in [0, 1]."""

MARKS = (0.0, 0.1, -0.3, 0.8)
"""What is added to the grey of a square patch, in [0, 1]."""

LIGHT = (0.7, 1.3)
"""Factors of the brightness, as of a lamp that changed."""


def write_probes(taken: Input, folder: Path, seed: int = 0) -> list[Path]:
    """Write images made of the mean good image, with noise, patches and another light.

    Args:
        taken: size and modes of the images.
        folder: where to write.
        seed: of the noise.

    Returns:
        The files, in the order of their names.
    """
    rng = np.random.default_rng(seed)
    good = mean_image(taken)
    height, width = good.shape
    made = []
    for noise in NOISE:
        for mark in MARKS:
            values = good + rng.normal(0, noise, good.shape)
            values[height // 3 : height // 2, width // 3 : width // 2] += mark
            made.append(values)
    made += [good * factor for factor in LIGHT]
    made.append(np.roll(good, height // 4, axis=0))
    return [_write(values, taken, folder / f"{i:02}") for i, values in enumerate(made)]


def mean_image(taken: Input) -> NDArray[np.float64]:
    """The mean good image at the size of the originals, height x width in [0, 1]."""
    familiar = taken.detector.familiar
    assert familiar is not None  # checked by `Input.of`
    left, top, wide, high = taken.probe.box
    framed = Image.fromarray(familiar.mean).resize((wide, high), Image.Resampling.BILINEAR)
    width, height = taken.size
    rows = np.clip(np.arange(height) - top, 0, high - 1)
    columns = np.clip(np.arange(width) - left, 0, wide - 1)
    return np.asarray(framed, np.float64)[rows[:, None], columns]


def _write(values: NDArray[np.float64], taken: Input, path: Path) -> Path:
    scaled = values.clip(0, 1) * taken.detector.preprocessing.white_level
    mode = taken.modes[0]
    if mode == "F":
        image = Image.fromarray(scaled.astype(np.float32))
    elif mode == "I":
        image = Image.fromarray(np.rint(scaled).astype(np.int32))
    elif mode.startswith("I;16"):
        image = Image.fromarray(np.rint(scaled).astype(">u2" if mode == "I;16B" else "<u2"))
    else:
        image = Image.fromarray(np.rint(scaled).astype(np.uint8)).convert(mode)
    path = path.with_suffix(".png" if mode in ("L", "RGB", "I;16") else ".tif")
    image.save(path)
    return path
