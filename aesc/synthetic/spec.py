"""What one embedded category is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]
"""H x W x 3, values in [0, 1]."""

Mask = NDArray[np.bool_]
"""H x W, True where the image departs from what the good part would have shown."""

Renderer = Callable[[np.random.Generator, int, str | None], tuple[Image, Mask]]
"""``render(rng, size, defect)``: a square image of ``size`` pixels; a good one for None."""


@dataclass(frozen=True)
class Spec:
    """An embedded category: name, group, one sentence about it, renderer, defect types."""

    name: str
    group: Literal["texture", "object"]
    description: str
    render: Renderer
    defects: tuple[str, ...]
