"""The single sort behind every metric.

All metrics here are determined by what happens at the scores of the *defective* samples. Between
two of them, lowering the threshold only adds good samples: the hit rate stands still, F1 falls and
the curves run flat. So it is enough to sort the good scores by value, order the far fewer defective
ones beside them, and count. The results are exact, no threshold is sampled.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_SAMPLE = 2**16
"""Scores that are looked at to guess which are the highest."""

_MARGIN = 2.0
"""By how many roots of its size the guess errs to the safe side: four standard deviations."""

_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=np.int8)


@dataclass(frozen=True)
class Ranking:
    """Counts at the K distinct scores of the defective samples, highest score first.

    Attributes:
        positives: number of defective samples.
        negatives: number of good samples.
        thresholds: the K scores.
        cuts: for each of them a number that parts the samples in the same way, halfway to the next
            lower score. Below the lowest score of all, as far as half the way to the next higher.
        hits: K counts of defective samples scoring at least the threshold.
        above: K counts of good samples scoring more than the threshold.
        reached: K counts of good samples scoring at least the threshold.
        corners: K + 1 scores. Entry k is the lowest good score above threshold k, where the flat
            stretch before that threshold ends; the last entry is the lowest good score of all.
            Entries whose stretch has no good sample are never read.
        overlap: K cumulated weights, divided by their total; empty where no weights were given.
    """

    positives: int
    negatives: int
    thresholds: Floats
    cuts: Floats
    hits: Counts
    above: Counts
    reached: Counts
    corners: Floats
    overlap: Floats


def rank(
    scores: NDArray[np.floating],
    positive: NDArray[np.bool_],
    weights: Floats | None = None,
    limit: float = 1.0,
) -> Ranking:
    """Sort once and count.

    Args:
        scores: scores of all samples, of any shape.
        positive: the same shape, True on the defective samples.
        weights: one number for each True of ``positive``, in order.
        limit: false-positive rate up to which the ranking is used. What lies beyond it still does,
            but ``above``, ``reached``, ``corners`` and ``cuts`` may be wrong there.
    """
    negatives = positive.size - int(np.count_nonzero(positive))
    good = _highest(scores, ~positive, int(limit * negatives) + 2)
    good.sort()
    values = scores[positive]
    # Stable, so that tied weights are summed in the same order on every processor.
    order = np.argsort(values, kind="stable")[::-1]
    values = values[order]
    # The last place of each group of ties; the slice keeps the result empty for an empty input.
    ends = np.append(np.flatnonzero(values[1:] != values[:-1]), values.size - 1)[: values.size]
    thresholds = values[ends]
    higher = np.searchsorted(good, thresholds, side="right")
    lower = np.searchsorted(good, thresholds, side="left")
    return Ranking(
        positives=values.size,
        negatives=negatives,
        thresholds=thresholds.astype(np.float64),
        cuts=_cuts(thresholds, good, lower, higher),
        hits=ends + 1,
        above=good.size - higher,
        reached=good.size - lower,
        corners=_corners(good, higher),
        overlap=np.empty(0) if weights is None else _cumulated(weights[order], ends),
    )


def polyline(ranking: Ranking, heights: NDArray[Any]) -> tuple[Counts, Floats, Floats]:
    """Corners of the curve that has ``heights[k]`` at threshold k, from (0, 0) to the right end.

    Returns:
        The counts of good samples, the heights and the thresholds of the corners. Points inside a
        flat stretch are left out: they would change neither the curve nor its area.
    """
    counts = _interleave(np.append(0, ranking.reached), np.append(ranking.above, ranking.negatives))
    levels = np.repeat(np.append(0.0, heights), 2)
    thresholds = _interleave(np.append(np.inf, ranking.thresholds), ranking.corners)
    keep = np.ones(counts.size, dtype=np.bool_)
    keep[1::2] = counts[1::2] > counts[::2]
    return counts[keep], levels[keep], thresholds[keep]


def region_weights(masks: NDArray[np.bool_]) -> Floats:
    """One over the size of its 8-connected region for each defect pixel, in reading order.

    Example:
        >>> region_weights(np.array([[[1, 1, 0, 1], [0, 0, 0, 0]]], dtype=bool))
        array([0.5, 0.5, 1. ])
    """
    weights = [np.empty(0)]
    for mask in masks:
        if mask.any():
            regions, _ = ndimage.label(mask, structure=_EIGHT_NEIGHBOURS)
            inside = regions[mask]
            weights.append(1.0 / np.bincount(inside)[inside])
    return np.concatenate(weights)


def _highest(
    scores: NDArray[np.floating], good: NDArray[np.bool_], count: int
) -> NDArray[np.floating]:
    """At least the ``count`` highest good scores, with all ties of the lowest, in any order.

    The lowest is guessed first, so that only what is kept has to be copied.
    """
    step = max(1, good.size // _SAMPLE)
    sample = np.sort(scores.ravel()[::step][good.ravel()[::step]])
    whole = np.count_nonzero(good)
    if count < whole and sample.size:
        # A little below the place that is looked for, so that the guess rarely leaves too few.
        place = sample.size * (1 - count / whole) - _MARGIN * sample.size**0.5
        kept = scores[good & (scores >= sample[max(0, int(place))])]
        if kept.size >= count:
            return kept
    return scores[good]


def _cuts(
    scores: NDArray[np.floating], good: NDArray[np.floating], lower: Counts, higher: Counts
) -> Floats:
    """Halfway from each threshold to the next lower score; see `Ranking`.

    Args:
        scores: K falling scores of defective samples, the thresholds, of the type of all scores.
        good: scores of good samples, rising.
        lower: K counts of good samples scoring less than the threshold.
        higher: K counts of good samples scoring at most the threshold.
    """
    thresholds = scores.astype(np.float64)
    if thresholds.size == 0:
        return thresholds
    below = np.append(thresholds[1:], -np.inf)
    some = lower > 0
    below[some] = np.maximum(below[some], good[lower[some] - 1])
    if below[-1] == -np.inf:  # the lowest score of all: step down by half the gap above it
        nearest = np.append(good[higher[-1] :][:1], thresholds[-2:-1])
        with np.errstate(over="ignore"):  # what lies beyond all numbers parts nothing
            step = 2 * (thresholds[-1] - float(nearest.min()) / 2) if nearest.size else math.nan
        below[-1] = step if math.isfinite(step) else thresholds[-1]
    cuts = thresholds / 2 + below / 2
    # Neighbours have no middle in their type, in which whoever compares rounds the cut.
    return np.where(cuts.astype(scores.dtype) > below, cuts, thresholds)


def _corners(good: NDArray[np.floating], higher: Counts) -> Floats:
    places = np.append(higher, 0)
    if good.size == 0:
        return np.full(places.size, np.nan)
    return good[np.minimum(places, good.size - 1)].astype(np.float64)


def _cumulated(weights: Floats, ends: Counts) -> Floats:
    # A plain float64 sum over millions of pixels would be wrong by 1e-11.
    sums = np.cumsum(weights, dtype=np.longdouble)
    # The total is the number of regions up to rounding; dividing by it makes the last value exact.
    return (sums[ends] / sums[-1:]).astype(np.float64)


def _interleave(even: NDArray[Any], odd: NDArray[Any]) -> NDArray[Any]:
    return np.stack((even, odd), axis=1).ravel()
