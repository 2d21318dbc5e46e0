"""Mixtures: each image gets one of several corruptions, drawn by weight."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from aesc._checks import number, quoted
from aesc.errors import InputError
from aesc.noise.base import Corruption, on_host, uniform
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
        InputError: no part, a part that is no corruption, another number of weights, a negative
            one, or a sum other than 1.

    Example:
        >>> from aesc.noise import NoCorruption
        >>> half = Mix((NoCorruption(), Gaussian()), (0.5, 0.5))
        >>> _, mask = half(torch.zeros(6, 1, 16, 16), torch.Generator().manual_seed(0))
        >>> mask.flatten(1).any(1)
        tensor([False,  True, False, False, False,  True])
    """

    corruptions: tuple[Corruption, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("corruptions", "weights"):  # lists would leave it without a hash
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for each in self.corruptions:
            if not isinstance(each, Corruption):
                raise InputError(f"corruptions holds {quoted(each)}: give instances of Corruption.")
        for weight in self.weights:
            number("weight", weight, 0, 1)
        if not self.corruptions or len(self.corruptions) != len(self.weights):
            raise InputError(
                f"weights is {quoted(self.weights)}: give one for each of the "
                f"{len(self.corruptions)} corruptions, and at least one corruption."
            )
        if not math.isclose(sum(self.weights), 1.0, abs_tol=1e-6):
            raise InputError(f"weights is {quoted(self.weights)}: give numbers that sum to 1.")

    def apply(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """One of the corruptions in each image."""
        draw = uniform((len(images),), (0.0, 1.0), generator, images)  # B
        corrupted, mask = images.clone(), torch.zeros_like(images[:, :1], dtype=torch.bool)
        ends = [*accumulate(self.weights[:-1]), math.inf]
        for corruption, start, end in zip(self.corruptions, [0.0, *ends[:-1]], ends, strict=True):
            chosen = (draw >= start) & (draw < end)  # B
            if on_host(chosen):
                drew = chosen.nonzero().flatten()
                if len(drew):
                    corrupted[drew], mask[drew] = corruption(images[drew], generator)
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
