"""Whether two samples of corrupted images look drawn from one distribution."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from aesc.noise import Corruption
from benchmarks.reference.corruption import Fill, corrupt_batch, scan_lines

BACKGROUND = 0.5
"""Grey of the images that are corrupted for the comparison."""


def largest_distance(
    corruption: Corruption, images: int, side: int, fill: Fill = scan_lines, seed: int = 0
) -> float:
    """Largest Kolmogorov-Smirnov distance of our corruption to the reference, in [0, 1].

    Both corrupt ``images`` flat grey images of ``side`` pixels, the reference with stains filled by
    ``fill``. Compared are the distributions of the five `numbers` of an image.
    """
    flat = torch.full((images, 1, side, side), BACKGROUND)
    ours, mask = corruption(flat, torch.Generator().manual_seed(seed))
    theirs = corrupt_batch(flat[:, 0].numpy(), corruption, np.random.default_rng(seed), fill)
    samples = zip(numbers(ours[:, 0].numpy(), mask[:, 0].numpy()), numbers(*theirs), strict=True)
    return max(ks_2samp(one, other).statistic for one, other in samples)


def numbers(images: NDArray[np.floating], masks: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Size and middle (row, column) of each mask, mean and deviation of the grey in it."""
    found = []
    for image, mask in zip(images, masks, strict=True):
        rows, columns = np.nonzero(mask)
        inside = image[mask]
        found.append((len(rows), rows.mean(), columns.mean(), inside.mean(), inside.std()))
    return list(np.array(found, float).T)
