"""The order in which a training sees its images."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def shuffled_batches(images: int, batches: int, size: int, generator: torch.Generator) -> Tensor:
    """Indices of images: as many shuffled passes over all of them as the batches need.

    Args:
        images: number of images.
        batches: number of batches.
        size: images a batch.
        generator: source of the order, on the device that the indices are wanted on.

    Returns:
        batches x size whole numbers from 0 to images - 1.

    Example:
        >>> order = shuffled_batches(3, 2, 3, torch.Generator().manual_seed(0))
        >>> order.sort().values  # each image once a pass
        tensor([[0, 1, 2],
                [0, 1, 2]])
    """
    passes = math.ceil(batches * size / images)
    shuffled = [
        torch.randperm(images, generator=generator, device=generator.device) for _ in range(passes)
    ]
    return torch.cat(shuffled)[: batches * size].view(batches, size)
