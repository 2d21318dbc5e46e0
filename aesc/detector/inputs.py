"""From a file, a PIL image, an array or a tensor to what a network takes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from torch import Tensor

from aesc._checks import quoted
from aesc.data.images import decode, image_array, mask_array, read_bytes
from aesc.detector.result import Box
from aesc.errors import InputError

Source = str | Path | bytes | PIL.Image.Image | NDArray[Any] | Tensor
"""An image as a caller has it: see `Preprocessing.read`."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One image, read.

    Attributes:
        name: path or another name, for messages and tables.
        pixels: float32 C x S x S in [0, 1].
        valid: bool S x S, False on padding and outside the region of interest.
        size: width and height of the original in pixels.
        box: what ``pixels`` covers, in pixels of the original; padding reaches beyond it.
        mode: of the original, as Pillow calls it, such as ``L``, ``RGB`` or ``I;16``.
        digest: SHA-256 of the file, or of the pixels given.
    """

    name: str
    pixels: NDArray[np.float32]
    valid: NDArray[np.bool_]
    size: tuple[int, int]
    box: Box
    mode: str
    digest: str


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
        if picture.size != self.size:
            raise InputError(
                f"{name} is {picture.width} x {picture.height} pixels: the region of interest was "
                f"drawn for {self.size[0]} x {self.size[1]}, so give images of that size."
            )


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """How every image of a detector is read.

    An image that is not square keeps its proportions: its shorter side is padded with its own edge,
    and the padding counts for nothing.

    Attributes:
        size: side in pixels of what the network takes.
        channels: 1 (grey) or 3 (RGB).
        white_level: value in the files that becomes 1, found on the good images.
        roi: where to look; None is everywhere.
    """

    size: int
    channels: int
    white_level: float
    roi: RegionOfInterest | None = None

    def read(self, source: Source, name: str | None = None) -> Picture:
        """Read one image.

        Args:
            source: a file, the content of one as bytes, a PIL image, an array H x W or H x W x 3
                (whole numbers count up to ``white_level``, floating point lies in [0, 1]), or a
                tensor C x H x W in [0, 1].
            name: for messages; by default the path, or "image".

        Raises:
            InputError: no readable image, an array of another shape, type or range, or an image of
                another size than the region of interest.
        """
        if isinstance(source, (str, Path, bytes)):
            name = name or ("image" if isinstance(source, bytes) else str(source))
            data = source if isinstance(source, bytes) else read_bytes(source)
            image = decode(data, name)
            digest = hashlib.sha256(data).hexdigest()
        else:
            name = name or "image"
            image = _as_pillow(source, name)
            digest = hashlib.sha256(image.tobytes()).hexdigest()
        # Floating point given in memory is in [0, 1] already; files say by their good images.
        in_memory = image.mode == "F" and not isinstance(source, (str, Path, bytes))
        cut, valid, box = self._square(image, name)
        white = 1.0 if in_memory else self.white_level
        pixels = image_array(cut, name, self.size, self.channels, white)  # C x S x S
        return Picture(name, pixels, valid, image.size, box, image.mode, digest)

    def _square(
        self, image: PIL.Image.Image, name: str
    ) -> tuple[PIL.Image.Image, NDArray[np.bool_], Box]:
        """Cropped and padded image, where it is valid (S x S), and what it covers."""
        x, y, width, height = (0, 0, *image.size)
        inside = np.ones((height, width), np.bool_)
        if self.roi is not None:
            self.roi.check(image, name)
            x, y, width, height = self.roi.box
            image, inside = image.crop((x, y, x + width, y + height)), self.roi.mask
        side = max(width, height)
        left, top = (side - width) // 2, (side - height) // 2
        if width != height:
            around = ((top, side - height - top), (left, side - width - left))
            pixels = np.asarray(image)
            deep = (*around, (0, 0)) if pixels.ndim == 3 else around
            image = PIL.Image.fromarray(np.pad(pixels, deep, mode="edge"))
            inside = np.pad(inside, around)
        mask = PIL.Image.fromarray(inside.astype(np.uint8) * 255)
        return image, mask_array(mask, self.size), (x - left, y - top, side, side)


def _as_pillow(source: PIL.Image.Image | NDArray[Any] | Tensor, name: str) -> PIL.Image.Image:
    """A PIL image of what is in memory."""
    if isinstance(source, PIL.Image.Image):
        return source if source.mode in ("L", "RGB", "I;16", "F") else source.convert("RGB")
    array = _array(source, name)
    if array.dtype == np.uint8 or (array.dtype == np.uint16 and array.ndim == 2):
        return PIL.Image.fromarray(array)
    if array.dtype.kind != "f":
        raise InputError(
            f"{name} is of type {quoted(str(array.dtype))}: give uint8, floating point in [0, 1], "
            "or uint16 for grey."
        )
    if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        raise InputError(f"{name} holds values outside [0, 1] or NaN: scale it to [0, 1].")
    if array.ndim == 2:
        return PIL.Image.fromarray(array.astype(np.float32))
    return PIL.Image.fromarray(np.rint(255 * array).astype(np.uint8))


def _array(source: NDArray[Any] | Tensor, name: str) -> NDArray[Any]:
    """H x W or H x W x 3."""
    if isinstance(source, Tensor):
        array = source.detach().cpu().numpy()
        if array.ndim != 3:
            raise InputError(f"{name} is of shape {array.shape}: give a tensor C x H x W.")
        array = array[0] if len(array) == 1 else np.moveaxis(array, 0, 2)
    else:
        array = np.asarray(source)
    if array.size == 0 or array.shape[2:] not in ((), (3,)) or array.ndim < 2:
        raise InputError(f"{name} is of shape {array.shape}: give H x W or H x W x 3.")
    return np.ascontiguousarray(array)
