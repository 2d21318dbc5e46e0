"""The grey scale of a category: one white for all its images, whatever bits its camera has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from aesc.data.listing import listed

WHITE_LEVELS = (1, 255, 1023, 4095, 16383, 65535)
"""What white may be in a file: 1 in floating point, else 8, 10, 12, 14 or 16 bits."""


OVERSHOOT = 2
"""Floating-point files whose largest value is between 1 and this were meant to end at 1."""


def common_white_level(largest: Iterable[float]) -> float:
    """The white level of images that belong together: the smallest of `WHITE_LEVELS` for all.

    Cameras of 10, 12 and 14 bits fill the lower part of 16-bit files, so their white is not 65535.

    Args:
        largest: the `largest_value` of every image.

    Example:
        >>> common_white_level([255, 255]), common_white_level([3071, 3900])
        (255, 4095)
    """
    most = max(largest)
    return next(level for level in WHITE_LEVELS if level >= most)


def depth_notes(root: Path, largest: Mapping[Path, float], white: float) -> tuple[str, ...]:
    """Sentences on images of another depth than the good ones, and on what is cut off at white.

    Interpolation leaves values a hair above 1 in floating-point files, and their white is then 255.

    Args:
        root: the category folder.
        largest: the largest value that every image holds; 255 for one of 8 bits.
        white: the white level of the category.
    """
    bright = [path for path, value in largest.items() if value > white]
    above = [path for path, value in largest.items() if 1 < value < OVERSHOOT and white > 1]
    dark = [path for path, v in largest.items() if v <= 255 and common_white_level([v]) < white]
    notes = {
        f"Brighter than the white of the good images ({white:g}), and cut off there": bright,
        f"Barely above 1, so white is {white:g} and they are nearly black; cut off at 1": above,
        f"Of fewer bits than the good images (white is {white:g}), and dark for that": dark,
    }
    return tuple(
        f"{what}: {listed(sorted(path.relative_to(root).as_posix() for path in paths))}."
        for what, paths in notes.items()
        if paths
    )
