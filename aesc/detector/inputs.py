"""From a file, a PIL image, an array or a tensor to what a network takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from aesc._checks import channels, number, whole
from aesc._grey import as_grey
from aesc.data.images import Size, image_array
from aesc.data.mask_images import nearest, resized_mask
from aesc.detector.region import RegionOfInterest
from aesc.detector.result import Box
from aesc.detector.sources import Source, opened
from aesc.errors import InputError
from aesc.tiling import Tiling

MOST_PADDED = 2**26
"""Pixels that an image is padded to at most: a strip would take the memory of a square."""

TRIES = 100
"""Places that are drawn for a tile, until one lies in the region of interest."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One image, read.

    Attributes:
        name: path or another name, for messages and tables.
        pixels: float32 C x H x W in [0, 1].
        valid: bool H x W, False on padding and outside the region of interest.
        size: width and height of the original in pixels.
        box: what ``pixels`` covers, in pixels of the original; padding reaches beyond it.
        mode: of the original, as Pillow calls it, such as ``L``, ``RGB`` or ``I;16``; of a grey
            array or tensor, which is of no kind of file, ``float`` or ``uint16`` where it is that.
        digest: SHA-256 of the file, or of the pixels given.
    """

    name: str
    pixels: NDArray[np.float32]
    valid: NDArray[np.bool_]
    size: tuple[int, int]
    box: Box
    mode: str
    digest: str

    def tile(self, tiling: Tiling, rng: np.random.Generator) -> Picture:
        """A tile of it, at a random place whose middle is valid, if there is one.

        Args:
            tiling: the side of the tile.
            rng: source of the draws.
        """
        side, (height, width) = tiling.side, self.valid.shape
        for _ in range(TRIES):
            row, column = (int(rng.integers(length - side + 1)) for length in (height, width))
            if self.valid[row + side // 2, column + side // 2]:
                break
        x, y, across, down = self.box
        box = (
            x + round(column * across / width),
            y + round(row * down / height),
            round(side * across / width),
            round(side * down / height),
        )
        pixels, valid = (tiling.cut(each, (row, column)) for each in (self.pixels, self.valid))
        return replace(self, pixels=pixels.copy(), valid=valid.copy(), box=box)


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """How every image of a detector is read.

    An image keeps its proportions: where they are not those of ``size``, it is padded with its own
    edge, and the padding counts for nothing.

    Attributes:
        size: width and height in pixels that images are resized to; None leaves them as large as
            they are, which takes tiles.
        channels: 1 (grey) or 3 (RGB).
        white_level: value in the files that becomes 1, found on the good images.
        roi: where to look; None is everywhere.
        tiling: how images are cut for the network; None shows it whole images.

    Raises:
        InputError: no size without tiles, tiles larger than the size, a region of interest that
            vanishes at the size, or a value out of range.
    """

    size: Size | None
    channels: int
    white_level: float
    roi: RegionOfInterest | None = None
    tiling: Tiling | None = None

    def __post_init__(self) -> None:
        channels(self.channels)
        number("white_level", self.white_level, 0, above=True)
        if self.size is None and self.tiling is None:
            raise InputError("size is missing: give one, or tiles for images of any size.")
        for name, side in zip(("width", "height"), self.size or (), strict=False):
            whole(name, side)
        if self.size is not None and self.tiling is not None:
            self.tiling.check(*self.size, "size")
        if self.roi is not None and not self._seen(self.roi).any():
            at = "" if self.size is None else " at {} x {}".format(*self.size)
            raise InputError(
                f"The region of interest covers no pixel{at}: draw it wider or choose a larger "
                "size."
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels of what the network takes: an image, or a tile."""
        if self.tiling is not None:
            return self.tiling.side, self.tiling.side
        assert self.size is not None  # refused without tiles
        return self.size[1], self.size[0]

    def read(self, source: Source, name: str | None = None) -> Picture:
        """Read one image.

        Args:
            source: a file, the content of one as bytes, a PIL image (taken as its file), an array
                H x W or H x W x 3, or a tensor C x H x W. Of arrays and tensors, whole numbers
                count up to ``white_level``, and floating point lies in [0, 1].
            name: for messages; by default the path, or "image".

        Raises:
            InputError: no readable image, an array of another shape, type or range, or an image of
                another size than the region of interest, or too long or thin for the size.
        """
        name = name or (str(source) if isinstance(source, (str, Path)) else "image")
        image = opened(source, name)
        framed = [self._framed(band, name) for band in image.bands]
        cuts, (_, inside, box) = [cut for cut, *_ in framed], framed[0]
        if cuts[0].mode == "F" and not all(np.isfinite(np.asarray(cut)).all() for cut in cuts):
            raise InputError(f"{name} holds NaN or infinite values: save it again.")
        size = self.size or cuts[0].size
        valid = resized_mask(inside, size)
        if not valid.any():  # a strip that falls between the rows or columns that are kept
            raise InputError(
                f"{name} is {image.size[0]} x {image.size[1]} pixels, too thin to be seen at "
                f"{size[0]} x {size[1]}: cut it, or fit with a size like it."
            )
        pixels = self._pixels(cuts, name, size, 1.0 if image.scaled else self.white_level)
        return Picture(name, pixels, valid, image.size, box, image.mode, image.digest)

    def _pixels(
        self, bands: Sequence[PIL.Image.Image], name: str, size: Size, white: float
    ) -> NDArray[np.float32]:
        """C x H x W in [0, 1] of an image, or of one image for each colour."""
        if len(bands) == 1:
            return image_array(bands[0], name, size, self.channels, white)
        planes = np.concatenate([image_array(band, name, size, 1, white) for band in bands])
        if self.channels == 3:
            return planes
        return np.asarray(as_grey(planes).clip(0, 1))  # as in `image_array`

    def kept(self, size: Size) -> Size:
        """Width and height of the part of an image that is looked at: all, or that of the region.

        Args:
            size: width and height of the image.
        """
        return size if self.roi is None else (self.roi.box[2], self.roi.box[3])

    def _seen(self, roi: RegionOfInterest) -> NDArray[np.bool_]:
        """The pixels of a region that are left when it is resized: an outline may fall between."""
        if self.size is None:
            return roi.mask
        _, _, width, height = roi.box
        across, down, left, top = padding((width, height), self.size)
        rows, columns = nearest(down, self.size[1]) - top, nearest(across, self.size[0]) - left
        rows = rows[(rows >= 0) & (rows < height)]
        columns = columns[(columns >= 0) & (columns < width)]
        return np.asarray(roi.mask[rows[:, None], columns])

    def _framed(
        self, image: PIL.Image.Image, name: str
    ) -> tuple[PIL.Image.Image, NDArray[np.bool_], Box]:
        """Cropped and padded image, where it is valid (height x width), and what it covers."""
        x, y, width, height = (0, 0, *image.size)
        inside = np.ones((height, width), np.bool_)
        if self.roi is not None:
            self.roi.check(image, name)
            x, y, width, height = self.roi.box
            image, inside = image.crop((x, y, x + width, y + height)), self.roi.mask
        if self.size is None:
            assert self.tiling is not None  # refused otherwise
            self.tiling.check(width, height, name)
            return image, inside, (x, y, width, height)
        across, down, left, top = padding((width, height), self.size)
        if across * down > max(MOST_PADDED, width * height):
            raise InputError(
                f"{name} is {width} x {height} pixels, too long to be padded to the proportions of "
                f"{self.size[0]} x {self.size[1]}: cut it, or fit with a size like it."
            )
        if (across, down) != (width, height):
            around = ((top, down - height - top), (left, across - width - left))
            pixels = np.asarray(image)
            deep = (*around, (0, 0)) if pixels.ndim == 3 else around
            image = PIL.Image.fromarray(np.pad(pixels, deep, mode="edge"))
            inside = np.pad(inside, around)
        return image, inside, (x - left, y - top, across, down)


class Pictures(Sequence[Picture]):
    """Image files that are read whenever they are asked for, since all of them take much memory.

    Args:
        reading: how they are read.
        paths: the files.
    """

    def __init__(self, reading: Preprocessing, paths: Sequence[Source]) -> None:
        self._reading, self._paths = reading, paths

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> Pictures: ...
    def __getitem__(self, index: int | slice) -> Picture | Pictures:
        if isinstance(index, slice):
            return Pictures(self._reading, self._paths[index])
        return self._reading.read(self._paths[index])

    def __iter__(self) -> Iterator[Picture]:
        """The images in their order; the next one is decoded while the caller has one."""
        with ThreadPoolExecutor(1) as pool:
            ahead = None
            for path in self._paths:
                now, ahead = ahead, pool.submit(self._reading.read, path)
                if now is not None:
                    yield now.result()
            if ahead is not None:
                yield ahead.result()


def read_all(reading: Preprocessing, paths: Sequence[Source]) -> Sequence[Picture]:
    """Read images, at once, or one by one where they are so large that they are cut into tiles.

    Raises:
        InputError: one that cannot be read.
    """
    if reading.tiling is not None:
        return Pictures(reading, paths)
    with ThreadPoolExecutor() as pool:
        return list(pool.map(reading.read, paths))


def frame(size: Size, like: Size) -> Size:
    """The smallest width and height with the proportions of ``like`` that an image fits into.

    Example:
        >>> frame((300, 100), like=(256, 256)), frame((300, 100), like=(512, 256))
        ((300, 300), (300, 150))
    """
    (width, height), (across, down) = size, like
    if width * down >= height * across:
        return width, max(height, round(width * down / across))
    return max(width, round(height * across / down)), height


def padding(size: Size, like: Size) -> tuple[int, int, int, int]:
    """The `frame` of an image, and what of it lies to the left of the image and above it.

    Example:
        >>> padding((300, 100), like=(256, 256))
        (300, 300, 0, 100)
    """
    across, down = frame(size, like)
    return across, down, (across - size[0]) // 2, (down - size[1]) // 2
