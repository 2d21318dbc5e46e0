"""Verdicts of an exported detector by onnxruntime against the detector in torch.

python -m benchmarks.exported [--quick] [--threads N]
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from aesc.detector import Detector, Familiar, Preprocessing
from aesc.experiment import METHODS
from aesc.export import Input, Model, export, write_probes
from benchmarks.harness import Row, arguments, compare, write

SIDES = {256: (1024, 768), 64: (64, 64)}
"""Sides of the network's input, and sizes of the images."""

GOAL = 1.0
"""The exported file is to be no slower."""


def main() -> None:
    """Measure, print and write."""
    options = arguments(__doc__.splitlines()[0])
    repeats = 5 if options.quick else 25
    rows = [latency(side, size, repeats) for side, size in SIDES.items()]
    write(options, "exported", rows)


def latency(side: int, size: tuple[int, int], repeats: int) -> Row:
    """Time the verdict on one image that is in memory; the export checks that it is the same."""
    found = detector(side, size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        images = write_probes(Input.of(found), Path(folder))
        export(found, path, images)
        model = Model(path, torch.get_num_threads())
        pixels = model.read(images[0])
    return compare(
        f"verdict on one grey image of {size[0]} x {size[1]} px, network of {side} px",
        "the detector in torch",
        lambda: found.predict(pixels[..., 0]),
        lambda: model.run(pixels[None]),
        GOAL,
        repeats=repeats,
    )


def detector(side: int, size: tuple[int, int]) -> Detector:
    """An untrained one, which takes as long as a trained one."""
    model = METHODS["aesc"].build(1, side, 0.1, torch.Generator().manual_seed(0)).eval()
    reading = Preprocessing((side, side), 1, 255)
    pictures = [reading.read(image) for image in good_images(size)]
    made = Detector(model, "aesc", reading, familiar=Familiar.of(pictures))
    return made.calibrated_on(pictures)


def good_images(size: tuple[int, int], count: int = 12) -> list[NDArray[np.uint8]]:
    """Stripes with a little noise."""
    rng = np.random.default_rng(0)
    width, height = size
    stripes = 128 + 40 * np.sin(np.arange(width) * 16 / width)
    return [
        np.clip(stripes + rng.normal(0, 3, (height, width)), 0, 255).astype(np.uint8)
        for _ in range(count)
    ]


if __name__ == "__main__":
    main()
