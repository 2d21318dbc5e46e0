"""Erasing colour and orientation: what attribute restoration takes from its training images.

Source: Ye, Huang, Cao, Li, Zhang & Lu, "Attribute Restoration Framework for Anomaly Detection"
(first version: "Inverse-Transform AutoEncoder for Anomaly Detection"), arXiv 1911.10676.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from aesc._checks import image_batch
from aesc._grey import LUMA
from aesc.errors import InputError
from aesc.noise import Corruption

TURNS = 4
"""Rotations of the source: by 0, 90, 180 and 270 degrees."""


def erase(images: Tensor, turns: Tensor) -> Tensor:
    """Grey versions of square images, each turned by its own number of quarter turns.

    Nothing is read back from the device.

    Args:
        images: B x C x S x S floating point in [0, 1].
        turns: B integers on the same device, quarter turns counter-clockwise (modulo 4), as
            `torch.rot90` on the last two axes.

    Returns:
        B x C x S x S in [0, 1], all channels equal: the luma of 3 channels, else the mean of the
        channels (one channel stays as it is).

    Raises:
        InputError: images that are not square or not B x C x S x S, or turns that are not B
            integers.

    Example:
        >>> erase(torch.tensor([[[[0.1, 0.2], [0.3, 0.4]]]]), torch.tensor([1]))
        tensor([[[[0.2000, 0.4000],
                  [0.1000, 0.3000]]]])
    """
    _check_square(images)
    if turns.shape != images.shape[:1] or turns.is_floating_point() or turns.dtype == torch.bool:
        raise InputError(
            f"turns is of shape {tuple(turns.shape)} and type {turns.dtype}: give one integer for "
            f"each of the {len(images)} images."
        )
    grey = _grey(images)  # B x 1 x S x S
    turned = torch.stack([torch.rot90(grey, turn, (2, 3)) for turn in range(TURNS)])  # 4 x B x ...
    turned = turned[turns.long() % TURNS, torch.arange(len(images), device=images.device)]
    return turned.repeat(1, images.shape[1], 1, 1)  # B x C x S x S


@dataclass(frozen=True)
class AttributeErasing(Corruption):
    """Images without colour and turned by a random multiple of 90 degrees; the mask is all True.

    Raises:
        InputError: when called with images that are not square.
    """

    def apply(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The erased images, and a full mask."""
        turns = torch.randint(
            TURNS, (len(images),), generator=generator, device=generator.device
        ).to(images.device)
        return erase(images, turns), torch.ones_like(images[:, :1], dtype=torch.bool)


def _grey(images: Tensor) -> Tensor:
    """B x C x H x W to B x 1 x H x W."""
    if images.shape[1] != len(LUMA):
        return images.mean(1, keepdim=True)
    # Numbers, not a tensor, which would have to be copied to the device.
    red, green, blue = (
        weight * channel for weight, channel in zip(LUMA, images.unbind(1), strict=True)
    )
    return (red + green + blue).unsqueeze(1)


def _check_square(images: Tensor) -> None:
    image_batch(images)
    if images.shape[2] != images.shape[3]:
        raise InputError(
            f"images is of shape {tuple(images.shape)}: crop or resize to squares, which quarter "
            "turns leave in shape."
        )
