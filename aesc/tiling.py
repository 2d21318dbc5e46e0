"""Large images in square pieces: cut with an overlap, and laid together again without a seam."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aesc._checks import whole
from aesc.errors import InputError

Corner = tuple[int, int]
"""Upper row and left column of a tile."""


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

    def cut(self, values: NDArray[Any], corner: Corner) -> NDArray[Any]:
        """The tile at a corner, a view: ... x H x W to ... x S x S."""
        row, column = corner
        return values[..., row : row + self.side, column : column + self.side]

    def blend(
        self, tiles: Iterable[tuple[Corner, NDArray[np.float32]]], height: int, width: int
    ) -> NDArray[np.float32]:
        """Lay maps of tiles together.

        Args:
            tiles: corners, each with a map S x S; where a tile is left out, the others count alone.
            height: of the image.
            width: of the image.

        Returns:
            height x width; 0 where no tile lies.

        Example:
            >>> tiling = Tiling(side=2, overlap=1)
            >>> flat = np.ones((2, 2), np.float32)
            >>> tiling.blend([((0, 0), flat), ((0, 1), 3 * flat)], height=2, width=3)
            array([[1., 2., 3.],
                   [1., 2., 3.]], dtype=float32)
        """
        total = np.zeros((height, width), np.float32)
        weight = np.zeros((height, width), np.float32)
        for corner, values in tiles:
            self.cut(total, corner)[...] += self._window * values
            self.cut(weight, corner)[...] += self._window
        np.maximum(weight, np.finfo(np.float32).tiny, out=weight)
        total /= weight
        return total

    @cached_property
    def _window(self) -> NDArray[np.float32]:
        """Weights of a tile's pixels, S x S: 1 in the middle, less within the overlap."""
        return np.asarray(np.outer(self.weights, self.weights), np.float32)

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


def in_tiles(
    function: Callable[[Tensor], Sequence[Tensor]], images: Tensor, tiling: Tiling
) -> list[Tensor]:
    """Apply a function to tiles of images and lay its results together.

    Args:
        function: from tiles, B x C x S x S, to any number of results, each B x ... x S x S.
        images: B x C x H x W, at least as large as a tile.
        tiling: how they are cut.

    Returns:
        For each result of the function, B x ... x H x W.

    Example:
        >>> images = torch.rand(2, 1, 5, 9)
        >>> (doubled,) = in_tiles(lambda tiles: [2 * tiles], images, Tiling(side=4, overlap=2))
        >>> torch.allclose(doubled, 2 * images)
        True
    """
    height, width = images.shape[2:]
    along = torch.from_numpy(tiling.weights).to(images)
    window = along.outer(along)  # S x S
    weight = images.new_zeros(height, width)
    totals: list[Tensor] = []
    for row, column in tiling.corners(height, width):
        place = (..., slice(row, row + tiling.side), slice(column, column + tiling.side))
        parts = function(images[place])
        totals = totals or [p.new_zeros((*p.shape[:-2], height, width)) for p in parts]
        for total, part in zip(totals, parts, strict=True):
            total[place] += window * part
        weight[place] += window
    return [total / weight for total in totals]


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
            images: B x C x H x W, at least as large as the square.
            generator: source of the draws.

        Returns:
            B x C x S x S.
        """
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
        return torch.randint(room, (len(images),), generator=generator, device=images.device)
