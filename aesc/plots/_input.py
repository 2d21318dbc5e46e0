"""Checks of the arrays that are drawn, and the bins that hold their values."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aesc._checks import as_array, number
from aesc.errors import InputError

# Resizing may overshoot by a rounding error; anything more is a mistake of scale.
_SLACK = 1e-6


def image_batch(images: ArrayLike, name: str) -> NDArray[Any]:
    """Check N x H x W, N x 1 x H x W or N x 3 x H x W images in [0, 1]; channels come out last.

    Returns:
        N x H x W for grey images, N x H x W x 3 for colour.

    Raises:
        InputError: another shape, nothing to draw, or values outside [0, 1].
    """
    array = as_array(images, name)
    channels = array.shape[1] if array.ndim == 4 else 1
    if array.ndim not in (3, 4) or channels not in (1, 3) or array.size == 0:
        raise InputError(
            f"{name} of shape {array.shape} cannot be drawn: give at least one image, "
            "as N x H x W or N x C x H x W with 1 or 3 channels."
        )
    low, high = array.min(), array.max()
    if not (low >= -_SLACK and high <= 1 + _SLACK):
        raise InputError(
            f"{name} with values from {low} to {high} cannot be drawn: scale to [0, 1]."
        )
    return (
        (array[:, 0] if channels == 1 else np.moveaxis(array, 1, 3)) if array.ndim == 4 else array
    )


def map_batch(maps: ArrayLike, name: str, shape: tuple[int, int, int]) -> NDArray[Any]:
    """Check finite anomaly maps (or masks) N x H x W or N x 1 x H x W against an expected shape.

    Raises:
        InputError: another shape than the images, or values that are not finite.
    """
    array = as_array(maps, name)
    flat = array[:, 0] if array.ndim == 4 and array.shape[1] == 1 else array
    if flat.shape != shape:
        raise InputError(
            f"{name} of shape {array.shape} cannot be drawn: give {shape}, as the images have."
        )
    if not np.isfinite(flat).all():
        raise InputError(f"{name} with NaN or infinite values cannot be drawn: give finite ones.")
    return flat


def numbers(values: ArrayLike, name: str, gaps: bool = False) -> NDArray[np.float64]:
    """Read finite numbers, of any shape, where ``gaps`` is set with NaN for those that lack.

    Raises:
        InputError: no rectangular array of real numbers, or values that cannot be drawn.
    """
    array = as_array(values, name).astype(np.float64)
    if np.isinf(array).any() or (not gaps and np.isnan(array).any()):
        found, remedy = ("infinite", ", or NaN for a gap") if gaps else ("NaN or infinite", "")
        raise InputError(f"{name} holds {found} values: give finite numbers{remedy}.")
    return array


def scalar(name: str, value: Any, *limits: float, above: bool = False) -> float:
    """Read a number as `aesc._checks.number` does, or what an array without axes holds.

    Raises:
        InputError: no finite number, or one outside the limits.
    """
    held = as_array(value, name).item() if getattr(value, "ndim", None) == 0 else value
    return number(name, held, *limits, above=above)


def bin_edges(values: NDArray[np.floating], bins: int) -> list[float]:
    """Edges of equal bins over finite values.

    Values that differ by no more than rounding fall into the middle one of a bin fewer.

    Args:
        values: one at least.
        bins: an even number.
    """
    low, high = float(values.min()), float(values.max())
    least = bins * float(np.spacing(np.abs(values).max()))
    if high - low > least:
        return [float(edge) for edge in np.histogram_bin_edges(values, bins)]
    # Bins over these alone would be narrower than the steps between neighbouring floats.
    middle, half = (low + high) / 2, max(0.5, bins * least)
    return [float(edge) for edge in np.linspace(middle - half, middle + half, bins)]


def check_titles(titles: Sequence[str] | None, count: int) -> list[str]:
    """Return ``count`` titles, empty ones for None.

    Raises:
        InputError: the number of titles differs.
    """
    if titles is None:
        return [""] * count
    if len(titles) != count:
        raise InputError(f"titles are {len(titles)}: give {count}, one for each image.")
    return [str(title) for title in titles]
