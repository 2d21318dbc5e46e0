"""Exact detection metrics from scores and labels, or from anomaly maps and masks.

A score says how abnormal an image or a pixel is, higher is more abnormal, any finite range. A label
or mask is 0 (good) or 1 (defective), as integers, floats or booleans. Arrays, nested lists and CPU
tensors are accepted. Scores of float32 and float64 are compared as given, others as float64, in
which whole numbers beyond 2**53 may be equal; counts are integers and rates float64. Every distinct
score counts as a threshold ("predict defective when score >= threshold"), and equal scores change
sides together.

A metric that does not exist, because only one class is present, is NaN from the single functions
and None in the dictionaries of `image_metrics` and `pixel_metrics`, which are meant for JSON.

Every function raises `aesc.errors.InputError` for empty input, shapes that differ, scores that are
NaN or infinite and labels other than 0 and 1; those of maps also for anything but N x H x W.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aesc._checks import image_batch, maps_and_masks, number, same_shape, scores_and_labels
from aesc.metrics._ranking import Floats, Ranking, polyline, rank, region_weights
from aesc.metrics.intervals import (
    auroc_interval,
    standard_error,
    standard_error_of_difference,
)

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "PRO_LIMIT",
    "Pro",
    "Roc",
    "aupro",
    "auroc",
    "auroc_interval",
    "average_precision",
    "f1_max",
    "image_metrics",
    "pixel_metrics",
    "pro_curve",
    "psnr",
    "roc_curve",
    "standard_error",
    "standard_error_of_difference",
]

PRO_LIMIT = 0.3
"""False-positive rate up to which the per-region overlap is integrated, as is usual."""


@dataclass(frozen=True)
class Roc:
    """A receiver operating characteristic: M points from (0, 0) to (1, 1), joined by lines.

    Attributes:
        false_positive_rate: share of the good samples at or above the threshold, in [0, 1].
        true_positive_rate: share of the defective samples at or above the threshold, in [0, 1].
        thresholds: falling scores; the first is infinite (nothing is called defective).
    """

    false_positive_rate: Floats
    true_positive_rate: Floats
    thresholds: Floats


@dataclass(frozen=True)
class Pro:
    """A per-region overlap curve: M points from (0, 0) to (1, 1), joined by lines.

    Attributes:
        false_positive_rate: share of all defect-free pixels at or above the threshold, in [0, 1].
        overlap: share of a defect region at or above the threshold, averaged over the 8-connected
            regions of all masks, in [0, 1]; a small region counts as much as a large one.
        thresholds: falling scores; the first is infinite (nothing is called defective).
    """

    false_positive_rate: Floats
    overlap: Floats
    thresholds: Floats


def roc_curve(scores: ArrayLike, labels: ArrayLike) -> Roc:
    """The exact ROC curve of scores and labels of one common shape.

    Points in the middle of a flat stretch, where only good samples are added, are left out: the
    curve and its area are those of all thresholds, with at most two points per defective score. A
    rate whose class is absent is NaN throughout.

    Source: T. Fawcett, An introduction to ROC analysis, Pattern Recognition Letters 27, 2006.
    """
    ranking = rank(*scores_and_labels(scores, labels))
    counts, hits, thresholds = polyline(ranking, ranking.hits)
    return Roc(_rate(counts, ranking.negatives), _rate(hits, ranking.positives), thresholds)


def pro_curve(maps: ArrayLike, masks: ArrayLike) -> Pro:
    """The exact per-region overlap curve of maps and masks, both N x H x W.

    Points in the middle of a flat stretch are left out, as in `roc_curve`. Without any defect the
    overlap is NaN throughout, without any defect-free pixel the false-positive rate is.

    Source: P. Bergmann et al., The MVTec Anomaly Detection Dataset, IJCV 129, 2021.
    """
    return _pro(_rank_pixels(*maps_and_masks(maps, masks)))


def auroc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Area under the ROC curve, in [0, 1]; 0.5 is chance, NaN if one class is absent.

    It is the share of (defective, good) pairs in which the defective sample scores higher, a tie
    counting one half; the shape is free, so maps with their masks give the value per pixel.

    Source: J. Hanley and B. McNeil, The meaning and use of the area under a ROC curve, 1982.

    Example:
        >>> auroc([0.9, 0.3, 0.4, 0.1], [1, 1, 0, 0])
        0.75
    """
    return _auroc(rank(*scores_and_labels(scores, labels)))


def average_precision(scores: ArrayLike, labels: ArrayLike) -> float:
    """Precision averaged over the steps of recall, in (0, 1]; NaN if one class is absent.

    The sum over distinct thresholds of (gain in recall) x (precision there), without interpolation.
    """
    return _average_precision(rank(*scores_and_labels(scores, labels)))


def f1_max(scores: ArrayLike, labels: ArrayLike) -> tuple[float, float]:
    """The best F1 over all thresholds, in (0, 1], and the highest threshold that reaches it.

    The threshold t is to be used as ``score >= t``. Of all numbers that part the scores in this
    way it is the one halfway to the next lower score, since a score computed again, in another
    batch or with other threads, differs in its last digits. Where everything is called defective,
    it lies below the lowest score by half the distance to the next higher one. Where no number of
    the type of the scores lies there, or all scores are equal, it is the score that is called
    defective. Both numbers are NaN if one class is absent.

    Example:
        >>> f1_max([0.9, 0.8, 0.4, 0.1], [1, 1, 0, 0])
        (1.0, 0.6000000000000001)
    """
    return _f1_max(rank(*scores_and_labels(scores, labels)))


def aupro(maps: ArrayLike, masks: ArrayLike, limit: float = PRO_LIMIT) -> float:
    """Area under the per-region overlap curve up to ``limit``, divided by ``limit``.

    The curve of `pro_curve` is integrated by the trapezoid and interpolated linearly at ``limit``,
    a false-positive rate in (0, 1]. The result is in [0, 1], or NaN where no pixel is defective or
    none is good. Maps of pure chance score limit / 2.

    Source: P. Bergmann et al., The MVTec Anomaly Detection Dataset, IJCV 129, 2021.

    Raises:
        InputError: also for a limit outside (0, 1].
    """
    number("limit", limit, 0, 1, above=True)
    return _aupro(_rank_pixels(*maps_and_masks(maps, masks), limit), limit)


def image_metrics(scores: ArrayLike, labels: ArrayLike) -> dict[str, float | None]:
    """``auroc``, ``average_precision``, ``f1_max`` and ``f1_threshold`` from one sort.

    The values are those of the single functions, with None in place of NaN.
    """
    return _summary(rank(*scores_and_labels(scores, labels)))


def pixel_metrics(
    maps: ArrayLike, masks: ArrayLike, limit: float = PRO_LIMIT
) -> dict[str, float | None]:
    """The metrics of `image_metrics` per pixel, and ``aupro``, from one sort.

    Maps and masks are N x H x W. The values are those of the single functions, with None in place
    of NaN.

    Raises:
        InputError: also for a limit outside (0, 1].
    """
    number("limit", limit, 0, 1, above=True)
    ranking = _rank_pixels(*maps_and_masks(maps, masks))
    return {**_summary(ranking), "aupro": _or_none(_aupro(ranking, limit))}


def psnr(reconstructions: Tensor, images: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image, in decibels; higher is closer.

    Args:
        reconstructions: B x C x H x W, in [0, 1].
        images: what they should be, of the same shape.

    Returns:
        B values, -10 log10 of the mean squared error, on the device of the images. Errors below
        1e-10 count as 1e-10, so that equal images have 100 dB.

    Raises:
        InputError: other than four axes, whole numbers, or shapes that differ.

    Example:
        >>> import torch
        >>> psnr(torch.full((1, 1, 4, 4), 0.6), torch.full((1, 1, 4, 4), 0.5))
        tensor([20.0000])
    """
    image_batch(reconstructions, name="reconstructions")
    same_shape(reconstructions, images, ("reconstructions", "images"))
    error = (reconstructions - images).square().flatten(1).mean(1)  # B
    return -10 * error.clamp(min=1e-10).log10()


def _rank_pixels(
    maps: NDArray[np.floating], masks: NDArray[np.bool_], limit: float = 1.0
) -> Ranking:
    return rank(maps, masks, region_weights(masks), limit)


def _summary(ranking: Ranking) -> dict[str, float | None]:
    best, threshold = _f1_max(ranking)
    return {
        "auroc": _or_none(_auroc(ranking)),
        "average_precision": _or_none(_average_precision(ranking)),
        "f1_max": _or_none(best),
        "f1_threshold": _or_none(threshold),
    }


def _auroc(ranking: Ranking) -> float:
    if not _has_both_classes(ranking):
        return math.nan
    # Integers throughout: twice the number of pairs won, a tie being half a win.
    twice_won = 2 * ranking.negatives - ranking.above - ranking.reached
    wins = int(np.diff(ranking.hits, prepend=0) @ twice_won)
    return wins / (2 * ranking.positives * ranking.negatives)


def _average_precision(ranking: Ranking) -> float:
    if not _has_both_classes(ranking):
        return math.nan
    precision = ranking.hits / (ranking.hits + ranking.reached)
    return float(np.diff(ranking.hits, prepend=0) @ precision) / ranking.positives


def _f1_max(ranking: Ranking) -> tuple[float, float]:
    if not _has_both_classes(ranking):
        return math.nan, math.nan
    f1 = 2 * ranking.hits / (ranking.hits + ranking.reached + ranking.positives)
    best = int(np.argmax(f1))
    return float(f1[best]), float(ranking.cuts[best])


def _pro(ranking: Ranking) -> Pro:
    counts, overlap, thresholds = polyline(ranking, ranking.overlap)
    if ranking.positives == 0:
        overlap = np.full_like(overlap, np.nan)
    return Pro(_rate(counts, ranking.negatives), overlap, thresholds)


def _aupro(ranking: Ranking, limit: float) -> float:
    if not _has_both_classes(ranking):
        return math.nan
    curve = _pro(ranking)
    x, y = _cut(curve.false_positive_rate, curve.overlap, limit)
    return float(np.diff(x) @ (y[1:] + y[:-1])) / (2.0 * limit)


def _cut(x: Floats, y: Floats, limit: float) -> tuple[Floats, Floats]:
    """Keep a curve up to x = ``limit``, with a point interpolated there; x rises from 0 to 1."""
    stop = int(np.searchsorted(x, limit))
    share = (limit - x[stop - 1]) / (x[stop] - x[stop - 1])
    end = y[stop - 1] + share * (y[stop] - y[stop - 1])
    return np.append(x[:stop], limit), np.append(y[:stop], end)


def _has_both_classes(ranking: Ranking) -> bool:
    return ranking.positives > 0 and ranking.negatives > 0


def _rate(counts: NDArray[Any], total: int) -> Floats:
    return counts / total if total else np.full(counts.shape, np.nan)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
