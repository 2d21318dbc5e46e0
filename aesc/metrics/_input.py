"""Checks of what the caller hands in: every refusal is one `InputError` with its remedy."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aesc.errors import InputError


def as_array(values: ArrayLike, name: str) -> NDArray[Any]:
    """Read an array, nested list or CPU tensor as a numeric array, without a copy if it can.

    Raises:
        InputError: the values do not form a rectangular array of real numbers.
    """
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{name} cannot be read as an array: give a rectangular array or list, "
            "and call .detach().cpu() on a tensor first."
        ) from error
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"{name} cannot be read as numbers (dtype {array.dtype}): give real numbers."
        )
    return array


def scores_and_labels(
    scores: ArrayLike, labels: ArrayLike, names: tuple[str, str] = ("scores", "labels")
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Check scores and labels of one common shape.

    float32 scores stay float32: ordering them needs no wider type, and large maps stay small.

    Raises:
        InputError: empty, not of one shape, a score that is not finite, a label other than 0 or 1.
    """
    values, truth = as_array(scores, names[0]), as_array(labels, names[1])
    if values.shape != truth.shape:
        raise InputError(
            f"{names[0]} have the shape {values.shape} and {names[1]} {truth.shape}: "
            "give one label for each score."
        )
    if values.size == 0:
        raise InputError(f"{names[0]} are empty: give at least one score.")
    return _finite(values, names[0]), _binary(truth, names[1])


def maps_and_masks(
    maps: ArrayLike, masks: ArrayLike
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Check anomaly maps and ground-truth masks, both N x H x W.

    Raises:
        InputError: as `scores_and_labels`, or the maps do not have three axes.
    """
    values, truth = scores_and_labels(maps, masks, ("maps", "masks"))
    if values.ndim != 3:
        raise InputError(f"maps have the shape {values.shape}: give N x H x W, without channels.")
    return values, truth


def check_limit(limit: float) -> None:
    """Refuse an integration limit outside (0, 1].

    Raises:
        InputError: the limit is outside (0, 1] or not a number.
    """
    if not 0.0 < limit <= 1.0:
        raise InputError(f"limit is {limit}: give a false-positive rate above 0 and at most 1.")


def _finite(values: NDArray[Any], name: str) -> NDArray[np.floating]:
    floats = values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)
    if not np.isfinite(floats).all():
        raise InputError(f"{name} hold NaN or infinite values: give finite scores only.")
    return floats


def _binary(values: NDArray[Any], name: str) -> NDArray[np.bool_]:
    if values.dtype == np.bool_:
        return values
    allowed = (values == 0) | (values == 1)
    if not allowed.all():
        raise InputError(
            f"{name} hold the value {values[~allowed][0]}: give 0 (good) and 1 (defective) only, "
            f"for example {name} > 0."
        )
    return values.astype(np.bool_)
