"""Rival methods of the paper's comparison, for training and scoring beside the paper's networks.

`ConvAE` with a squared error or `ssim_loss` (Bergmann et al.), and attribute restoration, ITAE
(Ye, Huang et al.): `AttributeErasing`, `RestorationNet` and its maps.

Example:
    >>> import torch
    >>> images = torch.rand(2, 1, 32, 32)
    >>> ssim_map(images, ConvAE(channels=1, size=32)(images)).shape
    torch.Size([2, 32, 32])
"""

from aesc.baselines.convolutional import ConvAE
from aesc.baselines.erasing import AttributeErasing, erase
from aesc.baselines.restoration import (
    RestorationNet,
    restoration_errors,
    restoration_maps,
    restore_and_map,
    typical_errors,
)
from aesc.baselines.ssim import ssim_loss, ssim_map

__all__ = [
    "AttributeErasing",
    "ConvAE",
    "RestorationNet",
    "erase",
    "restoration_errors",
    "restoration_maps",
    "restore_and_map",
    "ssim_loss",
    "ssim_map",
    "typical_errors",
]
