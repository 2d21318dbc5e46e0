"""Mask files to arrays of booleans, resized without a grey in between."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aesc._checks import whole
from aesc.data.images import Size, decode, read_bytes, shape_in_words
from aesc.errors import InputError

SMALL_LABELS = 128
"""A mask whose largest value is below this holds labels, such as 0 and 1, and no grey levels."""


def read_mask(
    path: str | Path, size: int, image_path: str | Path | None = None
) -> NDArray[np.bool_]:
    """Read a defect mask; what is brighter than half of white marks a defect.

    Soft or compressed edges are cut at the half. A mask whose largest value is below 128 holds
    labels, such as 0 and 1, and then everything but 0 marks a defect. Resized by nearest neighbour,
    which alone keeps a mask a mask.

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
    return mask_array(mask, (size, size))


def mask_array(mask: Image.Image, size: Size) -> NDArray[np.bool_]:
    """Resize a decoded mask to any width and height, ``height x width``, as `read_mask` does."""
    return resized_mask(defect_pixels(mask), size)


def resized_mask(mask: NDArray[np.bool_], size: Size) -> NDArray[np.bool_]:
    """Resize a mask by nearest neighbour: to ``height x width`` of ``size``."""
    width, height = size
    rows, columns = nearest(mask.shape[0], height), nearest(mask.shape[1], width)
    return mask[rows[:, None], columns]


def defect_pixels(mask: Image.Image) -> NDArray[np.bool_]:
    """Where a decoded mask marks a defect, at its own size, as `read_mask` decides it."""
    values = np.atleast_3d(np.asarray(mask)).max(axis=2)
    largest = float(values.max())
    if largest < SMALL_LABELS:
        return np.asarray(values > 0)
    return np.asarray(values > (127.5 if largest <= 255 else largest / 2))


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
