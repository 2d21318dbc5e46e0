"""What a caller has of an image, brought into the hands of Pillow."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from torch import Tensor

from aesc._checks import as_array, one_line, quoted
from aesc.data.images import as_decoded, decode, read_bytes
from aesc.errors import InputError

Source = str | Path | bytes | PIL.Image.Image | NDArray[Any] | Tensor
"""An image as a caller has it: see `aesc.detector.Preprocessing.read`."""

FLOAT = "float"
"""Mode of a grey array or tensor of floating point: any depth becomes that."""

DEEP = "uint16"
"""Mode of an array or tensor of so many bits, which stands for files of either byte order."""


@dataclass(frozen=True, eq=False)
class Opened:
    """An image, not yet cropped or resized.

    Attributes:
        bands: one image; of colours in floating point, which Pillow does not have, one for each.
        mode: as Pillow calls it, or `FLOAT` or `DEEP`.
        digest: SHA-256 of the file, or of the pixels given.
        scaled: whether white is 1, whatever it is in files.
    """

    bands: tuple[PIL.Image.Image, ...]
    mode: str
    digest: str
    scaled: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.bands[0].size


def opened(source: Source, name: str) -> Opened:
    """Open what a caller has.

    Args:
        source: see `aesc.detector.Preprocessing.read`.
        name: for messages.

    Raises:
        InputError: no readable image, or an array of another shape, type or range.
    """
    if isinstance(source, (str, Path, bytes)):
        data = source if isinstance(source, bytes) else read_bytes(source)
        image = decode(data, name)
        return Opened((image,), image.mode, _digest(data))
    if isinstance(source, PIL.Image.Image):
        image = _loaded(source, name)
        return Opened((image,), image.mode, _digest(image.tobytes()))
    array = _array(source, name)
    if array.dtype.kind == "f":
        return _of_floats(array, name)
    if array.dtype == np.uint8 or (array.dtype == np.uint16 and array.ndim == 2):
        image = PIL.Image.fromarray(array)
        mode = DEEP if array.dtype == np.uint16 else image.mode
        return Opened((image,), mode, _digest(image.tobytes()))
    raise InputError(
        f"{name} is of type {quoted(str(array.dtype))}: give uint8, floating point in [0, 1], or "
        "uint16 for grey."
    )


def _of_floats(array: NDArray[Any], name: str) -> Opened:
    if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        raise InputError(f"{name} holds values outside [0, 1] or NaN: scale it to [0, 1].")
    planes = np.moveaxis(np.atleast_3d(array.astype(np.float32)), 2, 0)  # C x H x W
    bands = tuple(PIL.Image.fromarray(np.ascontiguousarray(plane)) for plane in planes)
    pixels = b"".join(band.tobytes() for band in bands)
    return Opened(bands, FLOAT if len(bands) == 1 else "RGB", _digest(pixels), scaled=True)


def _loaded(image: PIL.Image.Image, name: str) -> PIL.Image.Image:
    """As `aesc.data.images.decode` gives its file. Pillow may not have read the pixels so far."""
    try:
        image.load()
        simple = as_decoded(image)
    except Exception as error:  # damaged data makes Pillow's decoders raise a dozen unrelated types
        raise InputError(
            f"{name} cannot be decoded as an image ({one_line(error)}): replace or remove it."
        ) from error
    if 0 in simple.size:
        raise InputError(f"{name} is of size {simple.size}: give an image of at least one pixel.")
    return simple


def _array(source: NDArray[Any] | Tensor, name: str) -> NDArray[Any]:
    """H x W or H x W x 3."""
    if isinstance(source, Tensor):
        # NumPy has no bfloat16.
        tensor = source.float() if source.is_floating_point() else source
        array = as_array(tensor.detach().cpu(), name)
        if array.ndim != 3:
            raise InputError(f"{name} is of shape {array.shape}: give a tensor C x H x W.")
        array = array[0] if len(array) == 1 else np.moveaxis(array, 0, 2)
    else:
        array = as_array(source, name)
    if array.size == 0 or array.shape[2:] not in ((), (3,)) or array.ndim < 2:
        raise InputError(f"{name} is of shape {array.shape}: give H x W or H x W x 3.")
    return np.ascontiguousarray(array)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
