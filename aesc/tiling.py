"""Large images in square pieces: cut with an overlap, and laid together again without a seam."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aesc._checks import whole
from aesc.errors import InputError

Corner = tuple[int, int]
"""Upper row and left column of a tile."""

_Values = TypeVar("_Values", NDArray[Any], Tensor)


@dataclass(frozen=True)
class Tiling:
    """Square tiles that cover an image, neighbours with an overlap.

    The tiles stand evenly: the first begins where the image begins, the last ends where it ends,
    and neighbours overlap by at least ``overlap`` pixels. Where several cover a pixel, their values
    are averaged with weights that fall towards the edge of each, so that no seam is left.

    Attributes:
        side: of a tile in pixels.
        overlap: least overlap of neighbours in pixels, from 0 to half of the side.

    Raises:
        InputError: a side below 1, or an overlap that is negative or more than half of the side.

    Example:
        >>> tiling = Tiling(side=4, overlap=1)
        >>> tiling.corners(height=4, width=10)
        [(0, 0), (0, 3), (0, 6)]
    """

    side: int = 256
    overlap: int = 64

    def __post_init__(self) -> None:
        whole("tile", self.side, 1)
        whole("overlap", self.overlap, 0)
        if 2 * self.overlap > self.side:
            raise InputError(
                f"overlap is {self.overlap}: give at most half of the tile, {self.side // 2}."
            )

    def check(self, width: int, height: int, name: str) -> None:
        """Refuse an image that is smaller than a tile.

        Raises:
            InputError: it is narrower or lower than a tile.
        """
        if min(width, height) < self.side:
            raise InputError(
                f"{name} is {width} x {height} pixels, less than a tile of {self.side}: give "
                "larger images or a smaller tile."
            )

    def corners(self, height: int, width: int) -> list[Corner]:
        """Where the tiles of an image stand, row by row; the image is at least as large as one."""
        rows, columns = self.starts(height), self.starts(width)
        return [(row, column) for row in rows for column in columns]

    def place(self, corner: Corner) -> tuple[EllipsisType, slice, slice]:
        """The index of the tile at a corner in ... x H x W values."""
        row, column = corner
        return ..., slice(row, row + self.side), slice(column, column + self.side)

    def cut(self, values: _Values, corner: Corner) -> _Values:
        """The tile at a corner, a view: ... x H x W to ... x S x S."""
        return values[self.place(corner)]

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weights of a tile's pixels along an axis, S of them in (0, 1]."""
        place = np.arange(self.side)
        edge = np.minimum(place, place[::-1]) + 1  # pixels to the edge, itself included
        return np.asarray(np.minimum(edge / (self.overlap + 1), 1))

    def starts(self, length: int) -> list[int]:
        """First pixels of the tiles along an axis of so many pixels."""
        room = length - self.side
        steps = -(-room // (self.side - self.overlap))  # rounded up
        return [room * step // max(steps, 1) for step in range(steps + 1)]


class Mosaic:
    """Results of tiles, laid together to that of the image.

    Args:
        tiling: how the image is cut.
        height: of the image.
        width: of the image.

    Example:
        >>> mosaic = Mosaic(Tiling(side=2, overlap=1), height=2, width=3)
        >>> mosaic.add((0, 0), torch.ones(2, 2))
        >>> mosaic.add((0, 1), 3 * torch.ones(2, 2))
        >>> mosaic.whole()
        tensor([[1., 2., 3.],
                [1., 2., 3.]])
    """

    def __init__(self, tiling: Tiling, height: int, width: int) -> None:
        self._tiling, self._size = tiling, (height, width)
        along = torch.from_numpy(tiling.weights).float()
        self._window = along.outer(along)  # S x S: 1 in the middle, less within the overlap
        self._weight = torch.zeros(self._size)
        self._total: Tensor | None = None  # as long as no tile says of which shape

    def add(self, corner: Corner, values: Tensor) -> None:
        """Take what a tile gave, ... x S x S, into account.

        Raises:
            InputError: values that are not floating point, which cannot be averaged.
        """
        if not values.is_floating_point():
            raise InputError(
                f"The values of a tile are {values.dtype}: give floating point, for example "
                "values.float()."
            )
        if self._total is None:
            self._window, self._weight = self._window.to(values), self._weight.to(values)
            self._total = values.new_zeros((*values.shape[:-2], *self._size))
        place = self._tiling.place(corner)
        self._total[place] += self._window * values
        self._weight[place] += self._window

    def whole(self) -> Tensor:
        """The image, ... x H x W; 0 where no tile lies. Nothing can be added afterwards."""
        if self._total is None:
            return self._weight
        self._weight.clamp_(min=torch.finfo(self._weight.dtype).tiny)
        return self._total.div_(self._weight)


def in_tiles(
    function: Callable[[Tensor], Sequence[Tensor]], images: Tensor, tiling: Tiling
) -> list[Tensor]:
    """Apply a function to tiles of images and lay its results together.

    Args:
        function: from tiles, B x C x S x S, to any number of results, each B x ... x S x S of
            floating point.
        images: B x C x H x W.
        tiling: how they are cut.

    Returns:
        For each result of the function, B x ... x H x W.

    Raises:
        InputError: images smaller than a tile, or results that are not floating point.

    Example:
        >>> images = torch.rand(2, 1, 5, 9)
        >>> (doubled,) = in_tiles(lambda tiles: [2 * tiles], images, Tiling(side=4, overlap=2))
        >>> torch.allclose(doubled, 2 * images)
        True
    """
    height, width = images.shape[2:]
    tiling.check(width, height, "An image")
    mosaics: list[Mosaic] = []
    for corner in tiling.corners(height, width):
        parts = function(tiling.cut(images, corner))
        mosaics = mosaics or [Mosaic(tiling, height, width) for _ in parts]
        for mosaic, part in zip(mosaics, parts, strict=True):
            mosaic.add(corner, part)
    return [mosaic.whole() for mosaic in mosaics]


@dataclass(frozen=True)
class RandomCrop:
    """A square at a random place of each image, in training with tiles.

    Attributes:
        side: of the square in pixels.

    Example:
        >>> RandomCrop(4)(torch.rand(2, 1, 5, 9), torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 4, 4])
    """

    side: int

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Cut squares out of images.

        Args:
            images: B x C x H x W.
            generator: source of the draws, on any device.

        Returns:
            B x C x S x S.

        Raises:
            InputError: images smaller than the square.
        """
        height, width = images.shape[2:]
        Tiling(self.side, 0).check(width, height, "An image")
        inside = torch.arange(self.side, device=images.device)
        rows, columns = (
            self._starts(images, axis, generator).unsqueeze(1) + inside for axis in (2, 3)
        )  # B x S each
        image = torch.arange(len(images), device=images.device).view(-1, 1, 1)
        # Indices on both sides of a slice put their axes first: B x S x S x C.
        cut = images[image, :, rows.unsqueeze(2), columns.unsqueeze(1)]
        return cut.permute(0, 3, 1, 2)

    def _starts(self, images: Tensor, axis: int, generator: torch.Generator) -> Tensor:
        """First row or column of each square: B whole numbers."""
        room = images.shape[axis] - self.side + 1
        drawn = torch.randint(room, (len(images),), generator=generator, device=generator.device)
        return drawn.to(images.device)
