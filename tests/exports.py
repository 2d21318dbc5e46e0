"""Detectors of untrained networks, which need no minute, for the tests of the export."""

from collections.abc import Sequence
from pathlib import Path

import torch

from aesc.detector import Detector, Familiar, Preprocessing, RegionOfInterest, Tiling
from aesc.experiment import METHODS


def untrained(
    images: Sequence[Path],
    size: int | tuple[int, int] | None = 64,
    channels: int = 1,
    white_level: float = 255,
    roi: RegionOfInterest | None = None,
    method: str = "aesc",
    seed: int = 0,
    tiling: Tiling | None = None,
    **shares: float,
) -> Detector:
    """A detector with the weights and statistics that a seed gives, calibrated on images."""
    generator = torch.Generator().manual_seed(seed)
    size = (size, size) if isinstance(size, int) else size
    reading = Preprocessing(size, channels, white_level, roi, tiling)
    model = METHODS[method].build(channels, reading.shape[0], 0.1, generator)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            torch.nn.init.normal_(module.bias, 0, 0.1, generator=generator)
    pictures = [reading.read(path) for path in images]
    return Detector(
        model.eval(), method, reading, familiar=Familiar.of(pictures), **shares
    ).calibrated_on(pictures)
