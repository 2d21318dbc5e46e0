"""Mask files to arrays of booleans, resized without a grey in between."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aesc._checks import whole
from aesc.data.images import PALETTE, Size, decode, read_bytes, shape_in_words, value_range
from aesc.errors import InputError

SMALL_LABELS = 128
"""A mask whose largest value is below this holds labels, such as 0 and 1, and no grey levels."""

MANY_FAINT = 0.1
"""Flat areas that are too dark to mark a defect are worth a note from this share of its pixels."""


def read_mask(
    path: str | Path, size: int, image_path: str | Path | None = None
) -> NDArray[np.bool_]:
    """Read a defect mask; what is brighter than half of white marks a defect.

    Soft or compressed edges are cut at the half. A mask whose largest value is below 128 holds
    labels, such as 0 and 1, and then everything but 0 marks a defect. So do the colours of a
    palette, all but black, because the brightness of a label's colour says nothing; a palette of
    greys is read as grey. Resized by nearest neighbour, which alone keeps a mask a mask.

    Args:
        path: the mask file.
        size: side of the result in pixels.
        image_path: the image the mask belongs to; if given, its original size must be the mask's.

    Returns:
        ``size x size``, True on the defect.

    Raises:
        InputError: as for `read_image`, or the two files differ in size.
    """
    whole("size", size)
    mask = decode(read_bytes(path), path)
    if image_path is not None:
        check_same_size(mask, path, decode(read_bytes(image_path), image_path), image_path)
    return resized_mask(DecodedMask.of(mask, path).defect, (size, size))


@dataclass(frozen=True, eq=False)
class DecodedMask:
    """A mask as its file has it, and what of it marks a defect.

    Attributes:
        brightness: H x W, the largest of the channels.
        defect: H x W, True on the defect.
    """

    brightness: NDArray[Any]
    defect: NDArray[np.bool_]

    @classmethod
    def of(cls, mask: Image.Image, path: str | Path) -> DecodedMask:
        """Decide what marks a defect, as `read_mask` describes it.

        Raises:
            InputError: values outside 0 to 65535.
        """
        values = np.atleast_3d(np.asarray(mask))
        largest = value_range(mask, path)[1]
        coloured = mask.info.get(PALETTE) and (values != values[:, :, :1]).any()
        grey = 127.5 if largest <= 255 else largest / 2
        brightness = values.max(axis=2)
        return cls(brightness, brightness > (0 if largest < SMALL_LABELS or coloured else grey))

    def has_faint_areas(self) -> bool:
        """Whether much of the mask is too dark to mark a defect and is no soft edge.

        The values of a soft edge climb from pixel to pixel, while those of a label are the same all
        over an area.
        """
        values = self.brightness
        faint = (values > 0) & ~self.defect
        if not faint.any():
            return False  # the usual mask, without the time that the filters take
        from scipy.ndimage import maximum_filter, minimum_filter

        faint &= maximum_filter(values, 3) == minimum_filter(values, 3)
        return int(faint.sum()) > MANY_FAINT * int(self.defect.sum())


def resized_mask(mask: NDArray[np.bool_], size: Size) -> NDArray[np.bool_]:
    """Resize a mask by nearest neighbour: to ``height x width`` of ``size``."""
    width, height = size
    rows, columns = nearest(mask.shape[0], height), nearest(mask.shape[1], width)
    return mask[rows[:, None], columns]


def check_same_size(
    mask: Image.Image, mask_path: str | Path, image: Image.Image, image_path: str | Path
) -> None:
    """Refuse a mask drawn for another size than its image's.

    Raises:
        InputError: names both files and their sizes.
    """
    if mask.size != image.size:
        raise InputError(
            f"The mask {mask_path} is {shape_in_words(mask)} pixels but its image {image_path} is "
            f"{shape_in_words(image)}: save the mask at the size of its image."
        )


def nearest(length: int, size: int) -> NDArray[np.int64]:
    """Return the source index under the centre of each of ``size`` target pixels, exactly."""
    return (2 * np.arange(size) + 1) * length // (2 * size)
