"""AESc+, past the paper: three networks, richer corruptions, changing light, turns, a mask.

Example:
    >>> import torch
    >>> model = AEScPlus(channels=1, generator=torch.Generator().manual_seed(0)).eval()
    >>> images = torch.rand(2, 1, 64, 64)
    >>> *versions, unlike, marked = model(images).split(1, 1)
    >>> defect_map(unlike, marked).shape
    torch.Size([2, 64, 64])
"""

from aesc.plus.gradients import gms_loss, gms_map, gradient_magnitude
from aesc.plus.lighting import Lighting
from aesc.plus.network import (
    AEScPlus,
    defect_map,
    focal_loss,
    repair_and_mark_loss,
    unlikeness,
)
from aesc.plus.turns import SYMMETRIES, Turns, free_turns

__all__ = [
    "SYMMETRIES",
    "AEScPlus",
    "Lighting",
    "Turns",
    "defect_map",
    "focal_loss",
    "free_turns",
    "gms_loss",
    "gms_map",
    "gradient_magnitude",
    "repair_and_mark_loss",
    "unlikeness",
]
