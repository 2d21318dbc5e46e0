"""What a detector would miss: the smallest marks that it finds, drawn on good images.

Nobody has the defects of tomorrow, but marks of a known size and contrast can be drawn. The kinds
here, dents and cracks, are none that a network of this package is trained to remove. Found in the
laboratory is not found on the line: a drawn mark is plainer than most real defects, so the limit is
optimistic. Do not rely on finding real defects as small and faint as the marks that are missed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aesc.detector.inputs import Picture
from aesc.errors import InputError

if TYPE_CHECKING:
    from aesc.detector.detector import Detector

SIZES = (1 / 64, 1 / 32, 3 / 64, 1 / 16, 3 / 32, 1 / 8)
"""Lengths of the marks, as fractions of the smaller side of what the network sees."""

CONTRASTS = (15, 30, 60)
"""Largest change that a mark makes, in grey levels of 255."""

MARKS = 20
"""Marks of each size and contrast, one half dents and the other cracks."""

FOUND = 0.9
"""Share of the marks that counts as found."""

CRACK_WIDTH = 0.7
"""Standard deviation in pixels of the profile across a crack."""

Grid = NDArray[np.int64]
"""S x S: rows or columns of pixels, counted from the middle of a mark."""

Draw = Callable[[Grid, Grid, float, np.random.Generator], NDArray[np.float64]]
"""Rows, columns, length in pixels and source of the draws to S x S values in [-1, 1]."""


@dataclass(frozen=True)
class DetectionLimit:
    """Which drawn marks are rejected.

    Attributes:
        sizes: lengths of the marks in pixels of the original images, ascending.
        contrasts: in grey levels of 255, ascending.
        found: by size and contrast, the share of the marks whose image is rejected.
        false_rejects: share of good images that may be rejected, at which this was measured.

    Example:
        >>> limit = DetectionLimit(
        ...     sizes=(4.0, 8.0, 16.0),
        ...     contrasts=(15, 30),
        ...     found=((0.1, 0.3), (0.2, 0.95), (0.4, 1.0)),
        ...     false_rejects=0.01,
        ... )
        >>> limit.smallest(30), limit.smallest(15)
        (8.0, None)
        >>> limit.sentence()
        'at 1 % false rejects, 90 % of drawn dents and cracks are found: none up to 16 px at 15 grey
        levels, from 8 px at 30 (optimistic: real defects are less plain)'
    """

    sizes: tuple[float, ...]
    contrasts: tuple[int, ...]
    found: tuple[tuple[float, ...], ...]
    false_rejects: float

    def smallest(self, contrast: int) -> float | None:
        """Length in pixels from which on at least `FOUND` of the marks are found, if any is."""
        column = self.contrasts.index(contrast)
        enough = [row[column] >= FOUND for row in self.found]
        if not enough[-1]:
            return None
        first = len(enough) - 1
        while first > 0 and enough[first - 1]:
            first -= 1
        return self.sizes[first]

    def sentence(self) -> str:
        """The limit in words."""
        parts = []
        for contrast in self.contrasts:
            size = self.smallest(contrast)
            unit = " grey levels" if contrast == self.contrasts[0] else ""
            where = f"none up to {self.sizes[-1]:.0f} px" if size is None else f"from {size:.0f} px"
            parts.append(f"{where} at {contrast}{unit}")
        return (
            f"at {100 * self.false_rejects:g} % false rejects, {100 * FOUND:g} % of drawn dents "
            f"and cracks are found: {', '.join(parts)} (optimistic: real defects are less plain)"
        )


def detection_limit(
    detector: Detector, pictures: Sequence[Picture], seed: int = 0
) -> DetectionLimit:
    """Draw marks on good images and count how many are rejected.

    The marks have `SIZES` and `CONTRASTS`, lie anywhere in the region of interest, and are drawn at
    the resolution of the network. For each size and contrast, the images to draw on are drawn anew:
    none is taken twice before all were, and neighbours in name order, which are much alike, need
    not come together.

    Args:
        detector: calibrated.
        pictures: good images that it was not trained on, read; at least one.
        seed: of the images, and of place and direction of the marks.

    Raises:
        InputError: no image, or a detector without a threshold.
    """
    if not pictures:
        raise InputError("pictures is empty: give at least one good image to draw marks on.")
    if detector.images is None:
        raise InputError("The detector has no threshold: calibrate it first.")
    rng = np.random.default_rng(seed)
    side, tiling = min(detector.preprocessing.shape), detector.preprocessing.tiling
    if tiling is not None:  # a mark lies in a tile; the others of its image are as good as before
        pictures = [picture.tile(tiling, rng) for picture in pictures]
    found = []
    for size in SIZES:
        row = []
        for contrast in CONTRASTS:
            rounds = -(-MARKS // len(pictures))
            order = np.concatenate([rng.permutation(len(pictures)) for _ in range(rounds)])[:MARKS]
            drawn = [
                marked(pictures[place], size * side, contrast / 255, DRAW[i % len(DRAW)], rng)
                for i, place in enumerate(order)
            ]
            scores = [scored.score for scored in detector.scored(drawn)]
            rejected = [detector.images.rejects(s, detector.false_rejects) for s in scores]
            row.append(sum(rejected) / MARKS)
        found.append(tuple(row))
    scale = float(np.mean([picture.box[2] / picture.valid.shape[1] for picture in pictures]))
    sizes = tuple(size * side * scale for size in SIZES)
    return DetectionLimit(sizes, CONTRASTS, tuple(found), detector.false_rejects)


def with_limit(detector: Detector, pictures: Sequence[Picture]) -> Detector:
    """The detector with its limit in the card, under ``detection limit``."""
    limit = detection_limit(detector, pictures).sentence()
    return replace(detector, card={**detector.card, "detection limit": limit})


def marked(
    picture: Picture, size: float, contrast: float, draw: Draw, rng: np.random.Generator
) -> Picture:
    """An image with one mark, of a random direction, at a random place where it is looked at.

    Args:
        picture: a good image.
        size: length of the mark in pixels of the network.
        contrast: largest change, in [0, 1].
        draw: one of `DRAW`.
        rng: source of the draws.
    """
    places = np.argwhere(picture.valid)
    row, column = places[rng.integers(len(places))] if len(places) else (0, 0)
    rows, columns = np.mgrid[: picture.valid.shape[0], : picture.valid.shape[1]]
    mark = draw(rows - row, columns - column, size, rng)  # S x S in [-1, 1]
    sign = rng.choice((-1.0, 1.0))
    pixels = np.clip(picture.pixels + sign * contrast * mark * picture.valid, 0, 1)
    return replace(picture, pixels=pixels.astype(np.float32))


def _dent(rows: Grid, columns: Grid, size: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A soft hollow: a lit side and a dark side, across a random direction."""
    angle, sigma = rng.uniform(0, 2 * math.pi), max(size / 4, 0.5)
    across = (rows * math.sin(angle) + columns * math.cos(angle)) / sigma
    away = (rows**2 + columns**2) / sigma**2
    return np.asarray(across * np.exp((1 - away) / 2))  # at most 1, a sigma from the middle


def _crack(rows: Grid, columns: Grid, size: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A thin line of four pieces, each in nearly the direction of the one before."""
    angle, at = rng.uniform(0, 2 * math.pi), np.zeros(2)
    corners = [at]
    for _ in range(4):
        at = at + size / 4 * np.array([math.sin(angle), math.cos(angle)])
        corners.append(at)
        angle += rng.normal(0, 0.5)
    corners = list(np.array(corners) - np.mean(corners, axis=0))
    pixels = np.stack([rows, columns], axis=-1)  # S x S x 2
    distances = []
    for start, end in pairwise(corners):
        along = end - start
        share = np.clip((pixels - start) @ along / (along @ along), 0, 1)  # S x S
        distances.append(np.linalg.norm(pixels - start - share[..., None] * along, axis=-1))
    return np.asarray(np.exp(-0.5 * (np.min(distances, axis=0) / CRACK_WIDTH) ** 2))


DRAW: tuple[Draw, ...] = (_dent, _crack)
"""The kinds of marks."""
