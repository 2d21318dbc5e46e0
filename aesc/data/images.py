"""Image files to arrays: every mode and bit depth that Pillow opens, resized in floating point."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from aesc._checks import channels as check_channels
from aesc._checks import number, whole
from aesc._grey import as_grey
from aesc.errors import InputError

MAX_PIXELS = 2**28
"""Largest image read: 268 million pixels (16384 x 16384), about 1 GiB for one channel in float32.

Pillow warns from 89 million pixels and refuses from 179 million, which line-scan cameras exceed.
The limit counts the pixels that the header declares, so a small file that would unpack to
something huge is refused before it is unpacked. The environment variable ``AESC_MAX_PIXELS`` sets
another limit, and then that alone counts.
"""

LARGE, PIXELS_PER_BYTE = 2**25, 2000
"""From 33 million pixels on, a file must have a byte for so many pixels.

No camera's image is that empty, but a file made to exhaust the memory is: 34 bytes can declare 268
million pixels.
"""

FRAMES = "frames"
"""Key of a decoded image's ``info``: how many frames or pages its file has; the first is read."""

PALETTE = "from a palette"
"""Key of a decoded image's ``info``: whether the pixels of its file are entries of a palette."""

# Pillow recognises these without decoding them, or hands them to an outside program (EPS).
_NOT_RASTER = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})

_limit_lock = threading.Lock()

Size = tuple[int, int]
"""Width and height in pixels, as Pillow orders them."""


def is_image_file(path: Path) -> bool:
    """Say by its name whether ``path`` is an image: an extension Pillow decodes, and not hidden."""
    return not path.name.startswith(".") and path.suffix.lower() in _extensions()


def read_image(
    path: str | Path, size: int, channels: int, white_level: float | None = None
) -> NDArray[np.float32]:
    """Read an image file as a square array.

    Grey is the Rec. 601 luma; a grey file read with three channels repeats its one channel. What is
    transparent is laid over black: the colour stored under full transparency does not count. EXIF
    orientation is honoured, and of a file with several frames the first is read.

    8-bit values are divided by 255 and 16-bit values by 65535. Integer files of 32 bits are
    divided by 255, or by 65535 when they hold more than 255; floating-point files by 1, 255 or
    65535, the smallest that holds their largest value. (Pillow itself cuts colour files of 16 bits
    a channel down to 8.)

    An image that is not square is stretched to the square, as in the paper. The filter is
    Pillow's BILINEAR, whose triangle widens with the reduction: every source pixel then counts,
    almost as in an area mean, and enlarging interpolates where BOX would repeat pixels in blocks.

    Args:
        path: the file.
        size: side of the result in pixels.
        channels: 1 (grey) or 3 (red, green, blue).
        white_level: value that becomes 1, in place of the rules above; what exceeds it is cut off.
            A category has one for all its images (``Category.white_level``).

    Returns:
        ``channels x size x size``, values in [0, 1].

    Raises:
        InputError: the file is missing, damaged, not an image, larger than ``MAX_PIXELS``, or has
            values outside the ranges above; or an argument is out of range.
    """
    whole("size", size)
    check_channels(channels)
    if white_level is not None:
        number("white_level", white_level, 0, above=True)
    return image_array(decode(read_bytes(path), path), path, (size, size), channels, white_level)


def read_bytes(path: str | Path) -> bytes:
    """Return the content of a file.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:  # the latter of a null character
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"{path} cannot be read ({reason}): check the path and its permissions."
        ) from error


def decode(data: bytes, path: str | Path) -> Image.Image:
    """Decode the bytes of an image file, upright, in one of the modes L, RGB, I;16*, I and F.

    Args:
        data: content of the file.
        path: its name, for messages.

    Raises:
        InputError: the bytes are no complete image, or one larger than ``MAX_PIXELS``.
    """
    try:
        with _pillow_limit_lifted():
            image = Image.open(BytesIO(data), formats=_formats())
        _check_pixels(image, path, len(data))
        frames = getattr(image, "n_frames", 1)
        image.load()
        if image.format != "TIFF":  # turned while loading, though older Pillows keep the tag
            ImageOps.exif_transpose(image, in_place=True)
        simple = _simplified(image)
        simple.info[FRAMES] = frames
        simple.info[PALETTE] = image.mode in ("P", "PA")
        return simple
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(
            f"{path} is not an image that Pillow can read: replace or remove it."
        ) from error
    except Exception as error:  # damaged data makes Pillow's decoders raise a dozen unrelated types
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise InputError(
            f"{path} cannot be decoded as an image ({reason}): replace or remove it."
        ) from error


def image_array(
    image: Image.Image,
    path: str | Path,
    size: Size,
    channels: int,
    white_level: float | None = None,
) -> NDArray[np.float32]:
    """Resize a decoded image to any width and height, otherwise as `read_image` does.

    Returns:
        ``channels x height x width``, values in [0, 1].
    """
    full_scale = _full_scale(image, path) if white_level is None else white_level
    bands = image.split()
    # Filled in place: an image of a line-scan camera shall not stand in memory twice.
    planes = np.empty((len(bands), size[1], size[0]), np.float32)
    for plane, band in zip(planes, bands, strict=True):
        plane[:] = _resized(band, size)
    planes /= np.float32(full_scale)
    if channels == 1 and len(planes) == 3:
        planes = as_grey(planes)
    elif channels == 3 and len(planes) == 1:
        planes = np.repeat(planes, 3, axis=0)
    # the weights of filter and luma sum to 1 only to 1e-7
    return planes.clip(0, 1, out=planes)


def largest_value(image: Image.Image, path: str | Path) -> float:
    """The value that the white level of an image must reach: 255 for 8 bits, whatever they hold.

    Raises:
        InputError: values outside 0 to 65535.
    """
    if image.mode in ("L", "RGB"):
        return 255
    largest = value_range(image, path)[1]
    return largest if image.mode == "F" else max(largest, 255)


@cache
def _extensions() -> frozenset[str]:
    by_extension = Image.registered_extensions().items()
    return frozenset(extension for extension, name in by_extension if name in _formats())


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in Image.OPEN if name not in _NOT_RASTER)


@contextmanager
def _pillow_limit_lifted() -> Iterator[None]:
    """Open under our limit instead of Pillow's, which is a global: hold a lock and put it back."""
    with _limit_lock:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _check_pixels(image: Image.Image, path: str | Path, length: int) -> None:
    """Refuse what its header declares, before it is decoded."""
    pixels, own = image.width * image.height, os.environ.get("AESC_MAX_PIXELS")
    limit = MAX_PIXELS if own is None else _limit(own)
    if not 0 < pixels <= limit:
        raise InputError(
            f"{path} is {shape_in_words(image)} pixels, not between 1 and {limit} in all: reduce "
            "it, cut it into tiles, or set AESC_MAX_PIXELS to a larger number."
        )
    if own is None and pixels > max(LARGE, PIXELS_PER_BYTE * length):
        raise InputError(
            f"{path} declares {shape_in_words(image)} pixels in {length} bytes: replace it, or set "
            f"AESC_MAX_PIXELS={pixels} to read it all the same."
        )


def _limit(text: str) -> int:
    try:
        return whole("AESC_MAX_PIXELS", int(text))
    except ValueError as error:
        raise InputError(f"AESC_MAX_PIXELS is {text!r}: give a whole number of pixels.") from error


def shape_in_words(image: Image.Image) -> str:
    """Width and height for messages, such as ``1024 x 768``."""
    return f"{image.width} x {image.height}"


def as_decoded(image: Image.Image) -> Image.Image:
    """An image that somebody opened, as `decode` gives its file; the one that is given stays."""
    upright = image
    if image.format != "TIFF":
        upright = ImageOps.exif_transpose(image)
        upright.format = image.format
    return _simplified(upright)


def _simplified(image: Image.Image) -> Image.Image:
    """Bring the many modes down to L and RGB; those of more than 8 bits stay as they are."""
    if image.mode == "I" and image.format in ("PNG", "PPM"):
        return image.convert("I;16")  # older Pillows widen these 16-bit formats to 32
    see_through = "transparency" in image.info  # one colour or shade of a PNG or GIF
    if image.mode.startswith("I") or image.mode == "F":
        return image
    if image.mode in ("L", "RGB") and not see_through:
        return image
    if image.mode == "1":
        return image.convert("L")
    if see_through or image.mode in ("RGBA", "RGBa", "LA", "La", "PA", "P"):
        layers = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        flat = Image.alpha_composite(black, layers)
        return flat.convert("L" if image.mode in ("L", "LA", "La") else "RGB")
    return image.convert("RGB")


def _full_scale(image: Image.Image, path: str | Path) -> float:
    """Return the value that stands for white."""
    if image.mode in ("L", "RGB"):
        return 255
    if image.mode.startswith("I;16"):
        return 65535
    high = value_range(image, path)[1]
    if image.mode == "F" and high <= 1:
        return 1
    return 255 if high <= 255 else 65535


def value_range(image: Image.Image, path: str | Path) -> tuple[float, float]:
    """The smallest and the largest value that a decoded image holds.

    Raises:
        InputError: values outside 0 to 65535, or NaN.
    """
    values = np.asarray(image)
    low, high = float(values.min()), float(values.max())
    if not 0 <= low <= high <= 65535:  # also false for NaN
        raise InputError(
            f"{path} holds values from {low:g} to {high:g}, outside 0 to 65535: "
            "rescale it to 8 or 16 bits."
        )
    return low, high


def _resized(band: Image.Image, size: Size) -> NDArray[np.float32]:
    """Resize one channel in 32-bit floating point, so that no bit of a 16-bit file is lost."""
    if band.mode.startswith("I"):  # Pillow converts not every byte order of I;16
        band = Image.fromarray(np.asarray(band, dtype=np.float32))
    return np.asarray(band.convert("F").resize(size, Image.Resampling.BILINEAR))
