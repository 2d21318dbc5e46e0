"""Heat maps laid over images, on a scale that is the same for every image of a detector."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from aesc.detector.result import Result

COLOUR = (213, 94, 0)
"""Vermilion of the palette of Okabe and Ito, which colour-blind people see as well."""

MIDDLE = 0.45
"""Opacity at the pixel threshold; at twice the threshold the colour is as strong as it gets."""

STRONGEST = 0.85
"""Opacity at twice the pixel threshold and above, so that the part still shows through."""


def opacity(relative: NDArray[np.float32], quiet: float) -> NDArray[np.float32]:
    """How strongly a map is painted: the same evidence gives the same colour on every image.

    Args:
        relative: a map divided by its pixel threshold, any shape.
        quiet: the value below which 95 % of the pixels of good images lie, in the same unit.

    Returns:
        Values in [0, 1], of the same shape: 0 up to ``quiet``, `MIDDLE` at 1, `STRONGEST` from 2.

    Example:
        >>> opacity(np.array([0.2, 1.0, 2.0, 9.0], np.float32), quiet=0.5).round(2).tolist()
        [0.0, 0.44999998807907104, 0.8500000238418579, 0.8500000238418579]
    """
    quiet = min(quiet, 0.99)
    found: NDArray[np.float64] = np.interp(relative, [quiet, 1, 2], [0, MIDDLE, STRONGEST])
    return found.astype(np.float32)


def overlay(image: PIL.Image.Image, result: Result, quiet: float) -> PIL.Image.Image:
    """An image with its map laid over it, at the size of the image.

    Args:
        image: the original, any mode that converts to RGB.
        result: what was said of it, with its map.
        quiet: see `opacity`.
    """
    base = _rgb(image)
    if result.map is None:
        return base
    x, y, width, height = result.box
    strength = PIL.Image.fromarray(opacity(result.map, quiet))
    strength = strength.resize((width, height), PIL.Image.Resampling.BILINEAR)
    alpha = PIL.Image.fromarray(np.rint(255 * np.asarray(strength)).astype(np.uint8))
    # Pillow's crop fills what lies beyond a border with 0.
    alpha = alpha.crop((-x, -y, base.width - x, base.height - y))
    return PIL.Image.composite(PIL.Image.new("RGB", base.size, COLOUR), base, alpha)


def thumbnail(image: PIL.Image.Image, side: int = 240) -> str:
    """A small copy as a data address for HTML: JPEG, at most ``side`` pixels wide and high."""
    small = _rgb(image)
    small.thumbnail((side, side))
    buffer = BytesIO()
    small.save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    """An 8-bit colour copy; images of more bits are stretched to their brightest pixel."""
    if not image.mode.startswith(("I", "F")):  # whole numbers of 16 or 32 bits, or floats
        return image.convert("RGB")
    values = np.asarray(image, np.float32)
    most = float(values.max()) or 1.0
    return PIL.Image.fromarray(np.rint(255 * values / most).clip(0, 255).astype(np.uint8)).convert(
        "RGB"
    )
