"""Corruptions: what is put on good training images for the network to remove.

Example:
    >>> import torch
    >>> images = torch.full((2, 1, 64, 64), 0.5)
    >>> corrupted, mask = Stain()(images, torch.Generator().manual_seed(0))
    >>> corrupted.shape, mask.flatten(1).sum(1)  # pixels of each stain
    (torch.Size([2, 1, 64, 64]), tensor([80,  8]))
"""

from aesc._checks import choice
from aesc.noise.base import Corruption, normal, uniform
from aesc.noise.marks import Drops, Gaussian, NoCorruption, Scratch
from aesc.noise.mix import Mix, Mix1, Mix2
from aesc.noise.outline import closed_curve, ellipse_points, fill, sort_by_polar_angle
from aesc.noise.rich import Rich
from aesc.noise.stain import Stain

CORRUPTIONS: dict[str, type[Corruption]] = {
    "none": NoCorruption,
    "gaussian": Gaussian,
    "scratch": Scratch,
    "drops": Drops,
    "stain": Stain,
    "mix1": Mix1,
    "mix2": Mix2,
}
"""The corruptions of the paper by the name used in configurations and records."""


def corruption(name: str) -> Corruption:
    """The corruption of that name with its published parameters.

    Raises:
        InputError: unknown name; the message lists the known ones.

    Example:
        >>> corruption("gaussian")
        Gaussian(sigma=0.1)
    """
    return CORRUPTIONS[choice("corruption", name, CORRUPTIONS)]()


__all__ = [
    "CORRUPTIONS",
    "Corruption",
    "Drops",
    "Gaussian",
    "Mix",
    "Mix1",
    "Mix2",
    "NoCorruption",
    "Rich",
    "Scratch",
    "Stain",
    "closed_curve",
    "corruption",
    "ellipse_points",
    "fill",
    "normal",
    "sort_by_polar_angle",
    "uniform",
]
