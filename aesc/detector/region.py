"""The part of an image that is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from aesc.data.images import decode, read_bytes
from aesc.detector.result import Box
from aesc.errors import InputError


@dataclass(frozen=True, eq=False)
class RegionOfInterest:
    """The part of an image that is looked at, for images of one size.

    Attributes:
        size: width and height of the images that it was drawn for.
        box: its bounding box, which images are cropped to.
        mask: bool height x width of the box, True where it is looked at.
    """

    size: tuple[int, int]
    box: Box
    mask: NDArray[np.bool_]

    @classmethod
    def rectangle(cls, box: Box, size: tuple[int, int]) -> RegionOfInterest:
        """A rectangle.

        Args:
            box: left edge, upper edge, width, height.
            size: width and height of the images.

        Raises:
            InputError: it reaches beyond the image, or covers nothing or everything.
        """
        x, y, width, height = box
        inside = x >= 0 and y >= 0 and width > 0 and height > 0
        if not inside or x + width > size[0] or y + height > size[1]:
            raise InputError(
                f"roi is {','.join(map(str, box))}: give x,y,width,height inside the image of "
                f"{size[0]} x {size[1]} pixels."
            )
        return cls._checked(size, box, np.ones((height, width), np.bool_))

    @classmethod
    def of_mask(cls, path: str | Path) -> RegionOfInterest:
        """What is not black in an image file.

        Raises:
            InputError: no readable image, or it covers nothing or everything.
        """
        image = decode(read_bytes(path), path)
        values: NDArray[np.bool_] = np.any(np.atleast_3d(np.asarray(image)), axis=2)
        rows, columns = np.flatnonzero(values.any(1)), np.flatnonzero(values.any(0))
        if not len(rows):
            raise InputError(f"{path} covers nothing: give a mask that is white where to look.")
        top, left = int(rows[0]), int(columns[0])
        box = (left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top)
        mask = values[top : top + box[3], left : left + box[2]]
        return cls._checked(image.size, box, mask)

    @classmethod
    def _checked(cls, size: tuple[int, int], box: Box, mask: NDArray[np.bool_]) -> RegionOfInterest:
        if box[2:] == size and mask.all():
            raise InputError("roi covers the whole image: leave it out.")
        return cls(size, box, mask)

    def check(self, picture: PIL.Image.Image, name: str) -> None:
        """Refuse an image of another size.

        Raises:
            InputError: it is of another size than the region was drawn for.
        """
        self.check_size(picture.size, name)

    def check_size(self, size: tuple[int, int], name: str) -> None:
        """As `check`, for an image of which only width and height are at hand.

        Raises:
            InputError: as `check`.
        """
        if size != self.size:
            raise InputError(
                f"{name} is {size[0]} x {size[1]} pixels: the region of interest was drawn for "
                f"{self.size[0]} x {self.size[1]}, so give images of that size."
            )
