"""Mask files to arrays of booleans, resized without a grey in between."""

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
    return mask_array(mask, path, (size, size))


def mask_array(mask: Image.Image, path: str | Path, size: Size) -> NDArray[np.bool_]:
    """Resize a decoded mask to any width and height, ``height x width``, as `read_mask` does.

    Raises:
        InputError: values outside 0 to 65535.
    """
    return resized_mask(_brightness(mask) > _cut(mask, path), size)


def resized_mask(mask: NDArray[np.bool_], size: Size) -> NDArray[np.bool_]:
    """Resize a mask by nearest neighbour: to ``height x width`` of ``size``."""
    width, height = size
    rows, columns = nearest(mask.shape[0], height), nearest(mask.shape[1], width)
    return mask[rows[:, None], columns]


def has_faint_areas(mask: Image.Image, path: str | Path) -> bool:
    """Whether much of a decoded mask is too dark to mark a defect and is no soft edge.

    The values of a soft edge climb from pixel to pixel, while those of a label are the same all
    over an area.

    Raises:
        InputError: values outside 0 to 65535.
    """
    values, cut = _brightness(mask), _cut(mask, path)
    faint = (values > 0) & (values <= cut)
    if not faint.any():
        return False  # the usual mask, without the time that the filters take
    from scipy.ndimage import maximum_filter, minimum_filter

    faint &= maximum_filter(values, 3) == minimum_filter(values, 3)
    return int(faint.sum()) > MANY_FAINT * int((values > cut).sum())


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


def _brightness(mask: Image.Image) -> NDArray[Any]:
    return np.asarray(np.atleast_3d(np.asarray(mask)).max(axis=2))


def _cut(mask: Image.Image, path: str | Path) -> float:
    """The brightness above which a pixel marks a defect, as `read_mask` decides it."""
    largest = value_range(mask, path)[1]
    if largest < SMALL_LABELS or (mask.info.get(PALETTE) and _is_coloured(mask)):
        return 0
    return 127.5 if largest <= 255 else largest / 2


def _is_coloured(mask: Image.Image) -> bool:
    values = np.atleast_3d(np.asarray(mask))
    return bool((values != values[:, :, :1]).any())


def nearest(length: int, size: int) -> NDArray[np.int64]:
    """Return the source index under the centre of each of ``size`` target pixels, exactly."""
    return (2 * np.arange(size) + 1) * length // (2 * size)
