"""Checks of what a caller gives. Every refusal is one sentence: "NAME is VALUE: REMEDY".

The words of a remedy that say what is allowed are written here, once; a caller that knows a better
remedy gives it. Nothing here imports torch: tensors are asked for their shape only.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from aesc._rules import place, state_and_remedy
from aesc.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

LONGEST = 200
"""Characters of a foreign text, or of a value, that a message quotes at most."""


def whole(name: str, value: object, least: int = 1, most: int | None = None) -> int:
    """A whole number from ``least`` to ``most``. Truth values and 2.0 are none; NumPy's are.

    Raises:
        InputError: anything else.
    """
    if _is_number(value, Integral) and value >= least and (most is None or value <= most):
        return int(value)
    allowed = f"of at least {least}" if most is None else f"from {least} to {most}"
    raise InputError(f"{name} is {quoted(value)}: give a whole number {allowed}.")


def number(
    name: str,
    value: object,
    least: float = -math.inf,
    most: float = math.inf,
    *,
    above: bool = False,
    below: bool = False,
) -> float:
    """A finite number from ``least`` to ``most``; a truth value is none.

    Args:
        name: what the message calls it.
        value: value to check.
        least: the smallest number allowed.
        most: the largest number allowed.
        above: refuse ``least`` itself.
        below: refuse ``most`` itself.

    Raises:
        InputError: anything else.
    """
    if (
        _is_number(value, Real)
        and math.isfinite(value)
        and (value > least if above else value >= least)
        and (value < most if below else value <= most)
    ):
        return float(value)
    bounds = []
    if least > -math.inf:
        bounds.append(f"above {least:g}" if above else f"of at least {least:g}")
    if most < math.inf:
        bounds.append(f"below {most:g}" if below else f"at most {most:g}")
    allowed = f" {' and '.join(bounds)}" if bounds else ""
    raise InputError(f"{name} is {quoted(value)}: give a finite number{allowed}.")


def interval(name: str, value: object, least: float, most: float) -> tuple[float, float]:
    """A pair (low, high) with ``least <= low <= high <= most``.

    Raises:
        InputError: anything else.
    """
    if isinstance(value, (tuple, list)) and len(value) == 2:
        low, high = value
        numbers = _is_number(low, Real) and _is_number(high, Real)
        if numbers and least <= low <= high <= most < math.inf:
            return float(low), float(high)
        if numbers and most == math.inf and least <= low <= high < math.inf:
            return float(low), float(high)
    raise InputError(
        f"{name} is {quoted(value)}: give (low, high) with {least:g} <= low <= high <= {most:g}."
    )


def choice(name: str, value: object, known: Collection[str]) -> str:
    """One of the ``known`` names.

    Raises:
        InputError: another one.
    """
    if isinstance(value, str) and value in known:
        return value
    raise InputError(f"{name} is {quoted(value)}: choose one of {', '.join(known)}.")


def channels(value: object) -> int:
    """The number of channels of an image: 1 or 3.

    Raises:
        InputError: another number.
    """
    if _is_number(value, Integral) and value in (1, 3):
        return int(value)
    raise InputError(f"channels is {quoted(value)}: give 1 for grey or 3 for RGB.")


def image_batch(
    images: Tensor, channels: int | None = None, name: str = "images", smallest: int = 1
) -> None:
    """Refuse all but B x C x H x W images of floating point.

    Args:
        images: batch to check.
        channels: number of channels that a network was built for; None allows any.
        name: what the message calls them.
        smallest: least side in pixels.

    Raises:
        InputError: no tensor, another number of axes or channels, whole numbers, or a side that is
            too small.
    """
    if not hasattr(images, "is_floating_point"):
        kind = type(images).__name__
        raise InputError(f"{name} is of type {kind}: give a tensor, B x C x H x W.")
    if images.ndim != 4:
        raise InputError(
            f"{name} is of shape {tuple(images.shape)}: give a batch, B x C x H x W, with a "
            "leading axis for a single image."
        )
    if not images.is_floating_point():
        raise InputError(f"{name} is of type {images.dtype}: divide by 255 to have [0, 1].")
    if channels is not None and images.shape[1] != channels:
        raise InputError(
            f"{name} is of shape {tuple(images.shape)}: give B x {channels} x H x W images, or "
            f"build the network with channels={images.shape[1]}."
        )
    if min(images.shape[2:]) < smallest:
        raise InputError(
            f"{name} is of shape {tuple(images.shape)}: give sides of at least {smallest} pixels."
        )


def map_batch(maps: Tensor | NDArray[Any], name: str = "maps") -> None:
    """Refuse all but N x H x W maps.

    Raises:
        InputError: another number of axes.
    """
    if maps.ndim != 3:
        raise InputError(
            f"{name} is of shape {tuple(maps.shape)}: give N x H x W, without channels."
        )


def same_shape(first: Tensor, second: Tensor, names: tuple[str, str]) -> None:
    """Refuse two tensors of different shapes.

    Raises:
        InputError: the shapes differ.
    """
    if first.shape != second.shape:
        raise InputError(
            f"{names[0]} is of shape {tuple(first.shape)}: give the shape of the {names[1]}, "
            f"{tuple(second.shape)}."
        )


def as_array(values: ArrayLike, name: str) -> NDArray[Any]:
    """Read an array, nested list or CPU tensor as a numeric array, without a copy if possible.

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
        raise InputError(f"{name} is of type {array.dtype}: give real numbers.")
    return array


def scores_and_labels(
    scores: ArrayLike, labels: ArrayLike, names: tuple[str, str] = ("scores", "labels")
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Read scores and labels of one common shape.

    float32 scores stay float32: ordering them needs no wider type, and large maps stay small.

    Raises:
        InputError: empty, not of one shape, a score that is not finite, a label other than 0 or 1.
    """
    values, truth = as_array(scores, names[0]), as_array(labels, names[1])
    if values.shape != truth.shape:
        raise InputError(
            f"{names[0]} is of shape {values.shape} and {names[1]} of shape {truth.shape}: "
            "give one label for each score."
        )
    if values.size == 0:
        raise InputError(f"{names[0]} is empty: give at least one score.")
    return _finite(values, names[0]), _binary(truth, names[1])


def maps_and_masks(
    maps: ArrayLike, masks: ArrayLike
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Read anomaly maps and ground-truth masks, both N x H x W.

    Raises:
        InputError: as `scores_and_labels`, or the maps do not have three axes.
    """
    values, truth = scores_and_labels(maps, masks, ("maps", "masks"))
    map_batch(values)
    return values, truth


def first_problem(error: ValidationError) -> tuple[str, str]:
    """What pydantic found first, and the remedy; none where the package itself found it."""
    problem = error.errors()[0]
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return str(cause).rstrip("."), ""
    state, remedy = state_and_remedy(problem, quoted(problem["input"]))
    return f"{shortened(place(problem))} {state}", remedy


def first_sentence(error: ValidationError) -> str:
    """The first problem of a pydantic validation, as one sentence that names the value."""
    return f"{': '.join(filter(None, first_problem(error)))}."


def one_line(error: BaseException) -> str:
    """What an exception says, on one line without a full stop; its class if it says nothing."""
    text = " ".join(str(error).split()).rstrip(".")
    return shortened(text) or type(error).__name__


def quoted(value: object) -> str:
    """A value as a message shows it: its ``repr``, of at most `LONGEST` characters."""
    try:
        return shortened(repr(value))
    except Exception:  # a repr is anybody's code
        return f"a {type(value).__name__}"


def counted(number: int, noun: str) -> str:
    """A number of things in words: 1 channel, 3 channels, 2 passes."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number} {noun}{ending}"


def shortened(text: str, longest: int = LONGEST) -> str:
    """The text, cut at so many characters, between two words if there is a gap in its last half."""
    if len(text) <= longest:
        return text
    space = text.rfind(" ", longest // 2, longest)
    return f"{text[: longest - 1 if space < 0 else space]}…"


def _is_number(value: object, kind: type) -> TypeGuard[Any]:
    return isinstance(value, kind) and not isinstance(value, (bool, np.bool_))


def _finite(values: NDArray[Any], name: str) -> NDArray[np.floating]:
    floats = values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)
    if not np.isfinite(floats).all():
        raise InputError(f"{name} holds NaN or infinite values: give finite numbers only.")
    return floats


def _binary(values: NDArray[Any], name: str) -> NDArray[np.bool_]:
    if values.dtype == np.bool_:
        return values
    allowed = (values == 0) | (values == 1)
    if not allowed.all():
        raise InputError(
            f"{name} holds the value {values[~allowed][0]}: give 0 (good) and 1 (defective) only, "
            f"for example {name} > 0."
        )
    return values.astype(np.bool_)
