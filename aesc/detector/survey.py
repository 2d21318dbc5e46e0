"""A look at good images before anything is trained: how many, how large, which belong where."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from aesc.data.depth import common_white_level
from aesc.data.folders import list_category
from aesc.data.images import decode, largest_value, read_bytes
from aesc.data.layout import layout_of
from aesc.data.listing import images_in, listed
from aesc.detector.familiar import check_like
from aesc.errors import InputError
from aesc.paths import is_folder, own_path

LEAST = 10
"""Fewest good images that a detector is made of."""

CALIBRATION_SHARE = 0.3
"""Share of the good images that set the threshold, unless others are given for it."""

CHOICE_SHARE = 0.1
"""Share of the good images that choose the epoch."""

MOST_CHOICE = 500
"""Most images that choose the epoch: after every epoch, all of them are looked at."""


@dataclass(frozen=True)
class Good:
    """A good image file: its path, SHA-256, size (width, height), mode and largest value."""

    path: Path
    digest: str
    size: tuple[int, int]
    mode: str
    largest: float


@dataclass(frozen=True)
class Survey:
    """Good images, each content once, cut into blocks of neighbouring names.

    Neighbours in name order were often taken within moments of each other, and are near-copies.
    Were they drawn at random, each calibration image would have a twin among the training images,
    and the threshold would be too low for an image of tomorrow.

    Attributes:
        train: images to train on.
        choice: images that choose the epoch.
        calibration: images that set the threshold.
        duplicates: paths that were left out because their content is that of an earlier one.
        white_level: value in the files that stands for white.
    """

    train: tuple[Good, ...]
    choice: tuple[Good, ...]
    calibration: tuple[Good, ...]
    duplicates: tuple[Path, ...]
    white_level: float

    @property
    def all(self) -> tuple[Good, ...]:
        """All images, in the order of their names where one folder gave them."""
        return (*self.train, *self.choice, *self.calibration)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the SHA-256 of every image, sorted: the same for the same images."""
        digests = sorted(good.digest for good in self.all)
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    def lines(self) -> list[str]:
        """What there is, in words, a line for each fact."""
        sizes = Counter(f"{good.size[0]} x {good.size[1]}" for good in self.all)
        modes = Counter(good.mode for good in self.all)
        found = [
            f"{len(self.all)} good images: {len(self.train)} to train on, {len(self.choice)} to "
            f"choose the epoch, {len(self.calibration)} to set the threshold",
            f"sizes: {_counted(sizes)}; modes: {_counted(modes)}; white level {self.white_level:g}",
        ]
        if self.duplicates:
            names = listed(path.name for path in self.duplicates)
            found.append(f"left out, as they repeat another image: {names}")
        return found


def good_files(folder: str | Path, exclude: Collection[str] = ()) -> list[Path]:
    """The good images of a plain folder or of a category, in the order of their names.

    Args:
        folder: images lie in it, or it is a category, whose ``train/good`` counts.
        exclude: names of files to leave out.

    Raises:
        InputError: no folder, no images in it, or a name to exclude that is not there.
    """
    root = own_path(folder)
    if not is_folder(root):
        raise InputError(f"{folder} is not a folder: give a folder of good images.")
    layout = layout_of(root)
    paths = [file.image for file in list_category(root).good] if layout else images_in(root)
    if not paths:
        raise InputError(f"{folder} holds no image: give a folder of good images.")
    unknown = sorted(set(exclude) - {path.name for path in paths})
    if unknown:
        raise InputError(f"exclude names {listed(unknown)}: no such image is in {folder}.")
    return [path for path in paths if path.name not in exclude]


def survey(paths: Sequence[Path], calibration: Sequence[Path] | None = None) -> Survey:
    """Look at every image and cut them into blocks.

    Args:
        paths: good images, in the order of their names.
        calibration: other good images for the threshold, best from another day; None takes a block
            of ``paths``.

    Raises:
        InputError: fewer than `LEAST` different images, one that cannot be read, or one of
            ``calibration`` whose size or mode none of ``paths`` has.
    """
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(_look, paths))
        apart = list(pool.map(_look, calibration or ()))
    known: set[str] = set()
    unique, duplicates = _once(found, known)
    if len(unique) < LEAST:
        raise InputError(
            f"The good images are {len(unique)}: give at least {LEAST} different ones."
        )
    white = common_white_level(good.largest for good in unique)
    count = len(unique)
    choice = min(max(1, round(CHOICE_SHARE * count)), MOST_CHOICE)
    if calibration is None:
        held_out = max(3, round(CALIBRATION_SHARE * count))
    else:
        apart, again = _once(apart, known)
        duplicates, held_out = [*duplicates, *again], 0
        if len(apart) < LEAST:
            raise InputError(
                f"The calibration images are {len(apart)}: give at least {LEAST} that are not "
                "among the others."
            )
        sizes, modes = sorted({g.size for g in unique}), sorted({g.mode for g in unique})
        for good in apart:
            check_like(str(good.path), good.size, good.mode, sizes, modes)
    first, second = count - held_out - choice, count - held_out
    return Survey(
        train=tuple(unique[:first]),
        choice=tuple(unique[first:second]),
        calibration=tuple(unique[second:] if calibration is None else apart),
        duplicates=tuple(good.path for good in duplicates),
        white_level=white,
    )


def _look(path: Path) -> Good:
    data = read_bytes(path)
    image = decode(data, path)
    digest = hashlib.sha256(data).hexdigest()
    return Good(path, digest, image.size, image.mode, largest_value(image, path))


def _once(found: Sequence[Good], known: set[str]) -> tuple[list[Good], list[Good]]:
    """Those whose content is new, which is added to ``known``, and those that repeat it."""
    new: list[Good] = []
    repeated: list[Good] = []
    for good in found:
        (repeated if good.digest in known else new).append(good)
        known.add(good.digest)
    return new, repeated


def _counted(counts: Counter[str]) -> str:
    """Values with how often they occur, the most frequent first; one value alone without."""
    if len(counts) == 1:
        return next(iter(counts))
    shown = [f"{value} ({count})" for value, count in counts.most_common(3)]
    return ", ".join(shown) + (" and others" if len(counts) > 3 else "")
