"""Whether an image is one that the detector can know anything about.

An image that the good images say nothing about (another light, another lens, a frozen camera) gets
a score like any other, and the score means nothing. So a few plain measurements of the good images
are kept, and an image outside their range is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aesc.detector.inputs import Picture

SLACK = 0.25
"""How far outside the range of the good images a measurement may lie, as a share of that range.

With it, none of 200 further good images of five generated categories was called odd."""

LEAST_SLACK = {"brightness": 0.02, "sharpness": 0.002, "shift down": 2.0, "shift right": 2.0}
"""By measurement: what is allowed beyond the range of the good images, however alike they are."""

ASPECT = 0.02
"""Relative difference of the aspect ratio that still passes for the same framing."""

TURNS = 0.25
"""Good images whose shifts spread over more than this share of the side have no fixed position."""


@dataclass(frozen=True, eq=False)
class Familiar:
    """What the good images have in common.

    Attributes:
        sizes: width and height of the good images, each that occurs.
        modes: their modes, each that occurs.
        ranges: by measurement, the smallest and the largest value among the good images.
        mean: float32 S x S, the mean good image in grey, against which shifts are measured.
    """

    sizes: tuple[tuple[int, int], ...]
    modes: tuple[str, ...]
    ranges: dict[str, tuple[float, float]]
    mean: NDArray[np.float32]

    @classmethod
    def of(cls, pictures: Sequence[Picture]) -> Familiar:
        """Measure the good images, at least one."""
        greys = np.stack([picture.pixels.mean(0) for picture in pictures])  # N x S x S
        mean: NDArray[np.float32] = np.mean(greys, axis=0)
        measured = [measure(picture.pixels, mean) for picture in pictures]
        ranges = {
            name: (min(m[name] for m in measured), max(m[name] for m in measured))
            for name in measured[0]
        }
        limit = TURNS * len(mean)
        # Textures, and parts that turn, lie anywhere: their shift tells nothing.
        ranges = {
            name: (low, high)
            for name, (low, high) in ranges.items()
            if not (name.startswith("shift") and high - low > limit)
        }
        sizes = tuple(sorted({picture.size for picture in pictures}))
        modes = tuple(sorted({picture.mode for picture in pictures}))
        return cls(sizes, modes, ranges, mean)

    def oddities(self, picture: Picture) -> tuple[str, ...]:
        """What about an image lies outside the good images, a phrase for each; often nothing."""
        width, height = picture.size
        notes = []
        if picture.size not in self.sizes:
            known = self.known_sizes()
            ratios = [w / h for w, h in self.sizes]
            same = any(abs(width / height / ratio - 1) <= ASPECT for ratio in ratios)
            what = "size" if same else "aspect ratio"
            notes.append(f"{what}: {width} x {height} pixels, the good images were {known}")
        if picture.mode not in self.modes:
            known = " or ".join(self.modes)
            notes.append(f"mode: {picture.mode}, the good images were {known}")
        measured = measure(picture.pixels, self.mean)
        for name, (low, high) in self.ranges.items():
            value, slack = measured[name], SLACK * (high - low) + LEAST_SLACK[name]
            if not low - slack <= value <= high + slack:
                notes.append(f"{name}: {value:.3g}, the good images had {low:.3g} to {high:.3g}")
        return tuple(notes)

    def known_sizes(self) -> str:
        """The first three sizes in words."""
        return " or ".join(f"{width} x {height}" for width, height in self.sizes[:3])


def measure(pixels: NDArray[np.float32], mean: NDArray[np.float32]) -> dict[str, float]:
    """Plain measurements of an image, by name.

    Args:
        pixels: C x S x S in [0, 1].
        mean: S x S, the mean good image.

    Returns:
        ``brightness`` (mean grey in [0, 1]), ``sharpness`` (mean absolute difference of neighbours)
        and the shift against the mean image in pixels of the network's input.

    Example:
        >>> mean = np.random.default_rng(0).random((32, 32), np.float32)
        >>> measured = measure(np.roll(mean, 3, axis=0)[None], mean)
        >>> measured["shift down"], measured["shift right"]
        (3.0, 0.0)
    """
    grey = pixels.mean(0)
    sharpness = np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()
    down, right = _shift(grey, mean)
    return {
        "brightness": float(grey.mean()),
        "sharpness": float(sharpness) / 2,
        "shift down": down,
        "shift right": right,
    }


def _shift(image: NDArray[np.float32], mean: NDArray[np.float32]) -> tuple[float, float]:
    """How far an image lies below and to the right of the mean image, by cross-correlation."""
    spectra = np.fft.rfft2(image - image.mean()) * np.conj(np.fft.rfft2(mean - mean.mean()))
    correlation = np.fft.irfft2(spectra, s=image.shape)
    peak = np.unravel_index(int(correlation.argmax()), image.shape)
    down, right = (
        float(p if p <= side // 2 else p - side) for p, side in zip(peak, image.shape, strict=True)
    )
    return down, right
