"""Mixtures: each image gets one of several corruptions, drawn by weight."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from aesc.errors import InputError
from aesc.noise.base import Corruption, count_is_free, uniform
from aesc.noise.marks import Drops, Gaussian, Scratch
from aesc.noise.stain import Stain


@dataclass(frozen=True)
class Mix(Corruption):
    """One corruption per image, drawn by weight.

    On the CPU each corrupts the images that drew it. On other devices each corrupts the whole batch
    and one is selected per image: splitting the batch would have to wait for the draw.

    Attributes:
        corruptions: the parts.
        weights: one probability per part, summing to 1.

    Raises:
        InputError: no part, another number of weights, a negative one, or a sum other than 1.
    """

    corruptions: tuple[Corruption, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.corruptions or len(self.corruptions) != len(self.weights):
            raise InputError(
                f"A mix needs one weight per corruption, not {len(self.weights)} for "
                f"{len(self.corruptions)}: give two tuples of the same length."
            )
        if min(self.weights) < 0 or not math.isclose(sum(self.weights), 1.0, abs_tol=1e-6):
            raise InputError(f"weights={self.weights} are not probabilities: let them sum to 1.")

    def _apply(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        draw = uniform((len(images),), (0.0, 1.0), generator, images)
        corrupted, mask = images.clone(), torch.zeros_like(images[:, :1], dtype=torch.bool)
        ends = [*accumulate(self.weights[:-1]), math.inf]
        for corruption, start, end in zip(self.corruptions, [0.0, *ends[:-1]], ends, strict=True):
            chosen = (draw >= start) & (draw < end)
            if count_is_free(chosen):
                few = chosen.nonzero().flatten()
                if len(few):
                    corrupted[few], mask[few] = corruption(images[few], generator)
            else:
                everywhere, its_mask = corruption(images, generator)
                corrupted = torch.where(chosen.view(-1, 1, 1, 1), everywhere, corrupted)
                mask = torch.where(chosen.view(-1, 1, 1, 1), its_mask, mask)
        return corrupted, mask


@dataclass(frozen=True)
class Mix1(Mix):
    """60 % stains, 20 % scratches, 20 % drops (paper, section IV)."""

    corruptions: tuple[Corruption, ...] = (Stain(), Scratch(), Drops())
    weights: tuple[float, ...] = (0.6, 0.2, 0.2)


@dataclass(frozen=True)
class Mix2(Mix):
    """60 % stains, 40 % Gaussian noise (paper, section IV)."""

    corruptions: tuple[Corruption, ...] = (Stain(), Gaussian())
    weights: tuple[float, ...] = (0.6, 0.4)
