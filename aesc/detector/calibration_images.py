"""Good images that a threshold is taken from: enough of them, each once, like those known."""

from __future__ import annotations

from collections.abc import Sequence

from aesc.detector.familiar import Familiar, check_like
from aesc.detector.inputs import Picture, Preprocessing, read_all
from aesc.detector.sources import Source
from aesc.errors import InputError

MIN_CALIBRATION = 10
"""Fewest good images that a threshold is taken from."""


def calibration_images(
    reading: Preprocessing, sources: Sequence[Source], known: Familiar | None
) -> Sequence[Picture]:
    """Read good images for a threshold; of those with the same content, the first.

    Args:
        reading: how they are read.
        sources: the images.
        known: what the good images of the training have in common; None of unknown ones.

    Raises:
        InputError: fewer than `MIN_CALIBRATION` different images, or one that cannot be read or
            differs in size or mode from those of the training.
    """
    _check_count(len(sources))
    pictures = read_all(reading, sources)
    first: dict[str, int] = {}  # by digest, the place
    for place, picture in enumerate(pictures):
        if known is not None:
            check_like(picture.name, picture.size, picture.mode, known.sizes, known.modes)
        first.setdefault(picture.digest, place)
    _check_count(len(first))
    if len(first) == len(sources):
        return pictures
    return read_all(reading, [sources[place] for place in first.values()])


def _check_count(images: int) -> None:
    """Refuse too few different images.

    Raises:
        InputError: fewer than `MIN_CALIBRATION`.
    """
    if images < MIN_CALIBRATION:
        raise InputError(
            f"The calibration images are {images}: give at least {MIN_CALIBRATION} different good "
            "ones."
        )
