"""AESc+, past the paper: two networks, richer corruptions, changing light, a mask.

Example:
    >>> import torch
    >>> model = AEScPlus(channels=1, generator=torch.Generator().manual_seed(0)).eval()
    >>> images = torch.rand(2, 1, 64, 64)
    >>> outputs = model(images)
    >>> defect_map(outputs[:, -1:]).shape
    torch.Size([2, 64, 64])
"""

from aesc.plus.gradients import gms_loss, gms_map, gradient_magnitude
from aesc.plus.lighting import Lighting
from aesc.plus.network import (
    AEScPlus,
    defect_map,
    evidence,
    focal_loss,
    repair_and_mark_loss,
)

__all__ = [
    "AEScPlus",
    "Lighting",
    "defect_map",
    "evidence",
    "focal_loss",
    "gms_loss",
    "gms_map",
    "gradient_magnitude",
    "repair_and_mark_loss",
]
