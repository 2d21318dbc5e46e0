"""Light that changes from image to image: what is no defect and must not be taken for one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from aesc._checks import image_batch, interval, number
from aesc.noise import uniform
from aesc.noise.base import Range

FIELD = 3
"""Values along a side from which the uneven light is interpolated."""


@dataclass(frozen=True)
class Lighting:
    """Random gain, gamma and unevenness of the light, one draw per image.

    In training it changes the image before it is corrupted, so that input and target agree: the
    network learns to keep any light, and to remove what is local.

    Attributes:
        gain: range of the factor on all values.
        gamma: range of the exponent.
        uneven: largest deviation from 1 of a smooth field that multiplies the image; it is cut
            there.

    Raises:
        InputError: a parameter outside its range.

    Example:
        >>> import torch
        >>> grey = torch.full((1, 1, 16, 16), 0.5)
        >>> lit = Lighting(gain=(0.8, 0.8), gamma=(1.0, 1.0), uneven=0.0)
        >>> lit(grey, torch.Generator().manual_seed(0)).unique()
        tensor([0.4000])
    """

    gain: Range = (0.8, 1.2)
    gamma: Range = (0.8, 1.25)
    uneven: float = 0.15

    def __post_init__(self) -> None:
        interval("gain", self.gain, 0.01, 100.0)
        interval("gamma", self.gamma, 0.01, 100.0)
        number("uneven", self.uneven, 0.0, 1.0)

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Images in other light.

        Args:
            images: B x C x H x W in [0, 1]. Not changed.
            generator: source of the draws.

        Returns:
            Images of the same shape in [0, 1].

        Raises:
            InputError: anything else than B x C x H x W images of floating point.
        """
        image_batch(images)
        one_each = (len(images), 1, 1, 1)
        gain = uniform(one_each, self.gain, generator, images)
        gamma = uniform(one_each, self.gamma, generator, images)
        bounds = (-self.uneven, self.uneven)
        field = uniform((len(images), 1, FIELD, FIELD), bounds, generator, images)
        field = functional.interpolate(
            field, images.shape[2:], mode="bicubic", align_corners=False
        )  # B x 1 x H x W
        field = field.clamp(*bounds)  # a cubic runs beyond the values that it goes through
        return (images.pow(gamma) * (gain * (1 + field))).clamp_(0, 1)
