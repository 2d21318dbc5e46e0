"""Grey of colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the grey of ITU-R BT.601, those of Pillow's own conversion."""


def as_grey(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """The luma of red, green and blue: 3 x H x W to 1 x H x W."""
    return np.tensordot(np.array(LUMA, np.float32), planes, axes=1)[None]
