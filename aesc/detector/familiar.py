"""Whether an image is one that the detector can know anything about.

An image that the good images say nothing about (another light, another lens, a frozen camera) gets
a score like any other, and the score means nothing. So a few plain measurements of the good images
are kept, and an image outside their range is named.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from aesc.data.images import Size
from aesc.detector.inputs import Picture
from aesc.detector.sources import DEEP, FLOAT
from aesc.errors import InputError

SLACK = 0.25
"""How far outside the range of the good images a measurement may lie, as a share of that range.

With it, none of 200 further good images of five generated categories was called odd."""

LEAST_SLACK = {"brightness": 0.02, "sharpness": 0.002, "shift down": 2.0, "shift right": 2.0}
"""By measurement: what is allowed beyond the range of the good images, however alike they are."""

ASPECT = 0.02
"""Relative difference of the aspect ratio that still passes for the same framing."""

MEAN_SIDE = 512
"""Longest side of the mean image: of larger images, blocks of pixels are averaged."""

TURNS = 0.25
"""Good images whose shifts spread over more than this share of the side have no fixed position."""


@dataclass(frozen=True, eq=False)
class Familiar:
    """What the good images have in common.

    Attributes:
        sizes: width and height of the good images, each that occurs.
        modes: their modes, each that occurs.
        ranges: by measurement, the smallest and the largest value among the good images.
        mean: float32 h x w, the mean good image in grey, against which shifts are measured; of
            images of more than `MEAN_SIDE` pixels, the mean of blocks (`reduced`).
    """

    sizes: tuple[tuple[int, int], ...]
    modes: tuple[str, ...]
    ranges: dict[str, tuple[float, float]]
    mean: NDArray[np.float32]

    @classmethod
    def of(cls, pictures: Sequence[Picture], modes: Collection[str] = ()) -> Familiar:
        """Measure the good images, at least one. They are gone through twice.

        Args:
            pictures: the good images.
            modes: of earlier good images, which say what arrays and tensors stand for.
        """
        total, count, side = np.zeros(()), 0, 0
        sizes, own = set[Size](), set[str]()
        for picture in pictures:
            sizes.add(picture.size)
            own |= meant(picture.mode, modes)
            side = side or min(picture.valid.shape)
            grey = reduced(picture.pixels.mean(0)).astype(np.float64)  # h x w
            if count == 0 or grey.shape == total.shape:
                total, count = total + grey, count + 1
        mean = np.asarray(total / count, np.float32)
        measured = [measure(picture.pixels, mean) for picture in pictures]
        # Of images whose sizes differ, some have no shift.
        ranges = {
            name: (min(m[name] for m in measured), max(m[name] for m in measured))
            for name in measured[0]
            if all(name in m for m in measured)
        }
        limit = TURNS * side
        # Textures, and parts that turn, lie anywhere: their shift tells nothing.
        ranges = {
            name: (low, high)
            for name, (low, high) in ranges.items()
            if not (name.startswith("shift") and high - low > limit)
        }
        return cls(tuple(sorted(sizes)), tuple(sorted(own)), ranges, mean)

    def oddities(self, picture: Picture) -> tuple[str, ...]:
        """What about an image lies outside the good images, a phrase for each; often nothing."""
        width, height = picture.size
        notes = []
        if picture.size not in self.sizes:
            known = _in_words(self.sizes)
            ratios = [w / h for w, h in self.sizes]
            same = any(abs(width / height / ratio - 1) <= ASPECT for ratio in ratios)
            what = "size" if same else "aspect ratio"
            notes.append(f"{what}: {width} x {height} pixels, the good images were {known}")
        if not meant(picture.mode, self.modes) & {*self.modes}:
            known = " or ".join(self.modes)
            notes.append(f"mode: {picture.mode}, the good images were {known}")
        measured = measure(picture.pixels, self.mean)
        for name, (low, high) in self.ranges.items():
            slack = SLACK * (high - low) + LEAST_SLACK[name]
            value = measured.get(name, low)  # no shift of another size, which is odd already
            if not low - slack <= value <= high + slack:
                notes.append(f"{name}: {value:.3g}, the good images had {low:.3g} to {high:.3g}")
        return tuple(notes)


def check_like(
    name: str, size: Size, mode: str, sizes: Sequence[Size], modes: Sequence[str]
) -> None:
    """Refuse a good image for the threshold that is not like those of the training.

    Args:
        name: for the message.
        size: its width and height.
        mode: of it, as `Picture.mode`.
        sizes: each that occurs in the training.
        modes: each that occurs in the training.

    Raises:
        InputError: another size or mode.
    """
    if size not in sizes or not meant(mode, modes) & {*modes}:
        raise InputError(
            f"{name} is {size[0]} x {size[1]} of mode {mode}: give good images like those of the "
            f"training, {_in_words(sizes)} of mode {' or '.join(modes)}."
        )


def meant(mode: str, known: Collection[str] = ()) -> set[str]:
    """The modes of files that an image may stand for: its own; of an array, those of its depth.

    Example:
        >>> meant("RGB", ("L",)), meant(FLOAT, ("I;16", "RGB")), meant(FLOAT)
        ({'RGB'}, {'I;16'}, {'L'})
    """
    if mode == FLOAT:
        return {other for other in known if other != "RGB"} or {"L"}
    if mode == DEEP:
        return {other for other in known if other.startswith("I")} or {"I;16"}
    return {mode}


def _in_words(sizes: Sequence[Size]) -> str:
    """The first three sizes."""
    return " or ".join(f"{width} x {height}" for width, height in sizes[:3])


def measure(pixels: NDArray[np.float32], mean: NDArray[np.float32]) -> dict[str, float]:
    """Plain measurements of an image, by name.

    Args:
        pixels: C x H x W in [0, 1].
        mean: h x w, the mean good image, reduced.

    Returns:
        ``brightness`` (mean grey in [0, 1]), ``sharpness`` (mean absolute difference of neighbours)
        and the shift against the mean image in pixels of ``pixels``, unless they are of another
        size.

    Example:
        >>> mean = np.random.default_rng(0).random((32, 32), np.float32)
        >>> measured = measure(np.roll(mean, 3, axis=0)[None], mean)
        >>> measured["shift down"], measured["shift right"]
        (3.0, 0.0)
    """
    grey = pixels.mean(0)
    sharpness = _change(grey, axis=0) + _change(grey, axis=1)
    measured = {"brightness": float(grey.mean()), "sharpness": sharpness / 2}
    small, factor = reduced(grey), reduction(*grey.shape)
    if small.shape == mean.shape:
        down, right = _shift(small, mean)
        measured |= {"shift down": factor * down, "shift right": factor * right}
    return measured


def _change(grey: NDArray[np.float32], axis: int) -> float:
    """Mean absolute difference of neighbours along an axis; 0 of a line, which has none."""
    if grey.shape[axis] == 1:
        return 0.0
    differences = np.diff(grey, axis=axis)
    return float(np.abs(differences, out=differences).mean())


def reduction(height: int, width: int) -> int:
    """Side of the blocks of pixels that are averaged, so that at most `MEAN_SIDE` are left."""
    return -(-max(height, width) // MEAN_SIDE)  # rounded up


def reduced(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of blocks of `reduction` pixels, H x W to h x w; an image that is not large stays.

    What does not fill a block at the right and lower edges is left out.

    Example:
        >>> reduced(np.arange(4 * 1024, dtype=np.float32).reshape(4, 1024)).shape
        (2, 512)
    """
    factor = reduction(*grey.shape)
    if factor == 1:
        return grey
    height, width = (side // factor for side in grey.shape)
    blocks = grey[: height * factor, : width * factor].reshape(height, factor, width, factor)
    return np.asarray(blocks.mean((1, 3)))


def _shift(image: NDArray[np.float32], mean: NDArray[np.float32]) -> tuple[float, float]:
    """How far an image lies below and to the right of the mean image, by cross-correlation."""
    spectra = fft.rfft2(image - image.mean()) * np.conj(fft.rfft2(mean - mean.mean()))
    correlation = fft.irfft2(spectra, s=image.shape)
    peak = np.unravel_index(int(correlation.argmax()), image.shape)
    down, right = (
        float(p if p <= side // 2 else p - side) for p, side in zip(peak, image.shape, strict=True)
    )
    return down, right
