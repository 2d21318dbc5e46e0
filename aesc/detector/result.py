"""What is said of one image: verdict, score, p-value, and the regions that stand out."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Box = tuple[int, int, int, int]
"""A rectangle in pixels of an image: left edge, upper edge, width, height."""

Verdict = Literal["good", "review", "reject", "error"]
VERDICTS: tuple[Verdict, ...] = ("reject", "review", "error", "good")
"""All verdicts, the most urgent first."""


@dataclass(frozen=True)
class Region:
    """A connected region of an image whose map is above the pixel threshold.

    Attributes:
        x: left edge of its box, in pixels of the original image.
        y: upper edge.
        width: of the box.
        height: of the box.
        area: of the region itself, in pixels of the original image.
        peak: largest value of the map in it, as a multiple of the pixel threshold.
    """

    x: int
    y: int
    width: int
    height: int
    area: int
    peak: float

    def within(self, size: tuple[int, int]) -> Region:
        """Its box cut to an image, beyond whose edges it may reach by half a pixel of the map.

        Args:
            size: width and height of the image.

        Example:
            >>> Region(x=-2, y=32, width=8, height=1, area=6, peak=1.5).within((64, 32))
            Region(x=0, y=31, width=6, height=1, area=6, peak=1.5)
        """
        x, y = (
            min(max(low, 0), side - 1) for low, side in zip((self.x, self.y), size, strict=True)
        )
        right, below = min(self.x + self.width, size[0]), min(self.y + self.height, size[1])
        return replace(self, x=x, y=y, width=max(1, right - x), height=max(1, below - y))


@dataclass(frozen=True, eq=False)
class Result:
    """One image, scored.

    Attributes:
        image: its path or name.
        verdict: ``good``, ``review`` (for a person to look at), ``reject``, or ``error`` for an
            image that could not be scored.
        score: image score, higher is more anomalous; NaN for an error.
        threshold: the score above which an image is rejected.
        p_value: share of good images that would score at least as high; NaN for an error.
        regions: the regions that stand out, the highest peak first.
        notes: what is odd about the image, or why it could not be scored; often empty.
        size: width and height of the original image in pixels; (0, 0) for an error.
        box: what the map covers, in pixels of the original image.
        map: float32 h x w, the anomaly map at the network's resolution, blurred as for the regions
            and divided by the pixel threshold: above 1 is a region. None for an error.
        seconds: time to read and score it; in a batch, an equal share.
    """

    image: str
    verdict: Verdict
    score: float
    threshold: float
    p_value: float
    regions: tuple[Region, ...] = ()
    notes: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)
    box: Box = (0, 0, 0, 0)
    map: NDArray[np.float32] | None = field(default=None, repr=False)
    seconds: float = 0.0

    @classmethod
    def failed(cls, image: str, threshold: float, note: str) -> Result:
        """An image that could not be scored, and why."""
        return cls(image, "error", math.nan, threshold, math.nan, notes=(note,))

    def to_dict(self) -> dict[str, Any]:
        """All but the map, as JSON can hold it; what is NaN becomes None."""
        values = {name: value for name, value in vars(self).items() if name != "map"}
        for name in ("score", "threshold", "p_value"):
            if not np.isfinite(values[name]):
                values[name] = None
        values["regions"] = [asdict(region) for region in self.regions]
        values["notes"] = list(self.notes)
        values["size"] = list(self.size)
        values["box"] = list(self.box)
        return values


def find_regions(relative: NDArray[np.float32], box: Box) -> tuple[Region, ...]:
    """The connected regions of a map above 1, in pixels of the original image.

    Args:
        relative: h x w, a map divided by its pixel threshold.
        box: what the map covers, in pixels of the original image.

    Returns:
        Regions, the highest peak first; pixels that touch at a corner belong together.

    Example:
        >>> relative = np.zeros((8, 8), np.float32)
        >>> relative[2:4, 1:3] = 2.5
        >>> find_regions(relative, (0, 0, 80, 40))
        (Region(x=10, y=10, width=20, height=10, area=200, peak=2.5),)
    """
    if relative.max(initial=0) <= 1:
        return ()  # as of most images, and sooner than by looking for regions
    labels, _ = ndimage.label(relative > 1, structure=np.ones((3, 3)))
    height, width = relative.shape
    x, y, across, down = (
        box[0],
        box[1],
        box[2] / width,
        box[3] / height,
    )  # pixels for one of the map
    regions = []
    for label, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[rows, columns] == label
        left, top = x + round(columns.start * across), y + round(rows.start * down)
        regions.append(
            Region(
                x=left,
                y=top,
                width=max(1, x + round(columns.stop * across) - left),
                height=max(1, y + round(rows.stop * down) - top),
                area=max(1, round(int(inside.sum()) * across * down)),
                peak=round(float(relative[rows, columns][inside].max()), 4),
            )
        )
    return tuple(sorted(regions, key=lambda region: -region.peak))
