"""How sure an AUROC is, given that it was measured on so few images.

Both measures take the test images for a sample of all images that the camera will ever see. They
say nothing of what another seed of the training would change.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from aesc._checks import number, scores_and_labels, whole


def standard_error(auroc: float, defective: int, good: int) -> float:
    """Standard error of an AUROC, from the number of samples of each class.

    It assumes that the scores of a class fall exponentially, which is close for most scores and
    needs no scores. At an AUROC of exactly 0 or 1 it is 0, however few samples there are.

    Source: J. Hanley and B. McNeil, The meaning and use of the area under a ROC curve, 1982,
    equation 2.

    Args:
        auroc: area under the ROC curve, in [0, 1].
        defective: number of defective samples, at least 1.
        good: number of good samples, at least 1.

    Raises:
        InputError: an argument is out of range.

    Example:
        >>> round(standard_error(0.9, defective=60, good=20), 3)
        0.034
    """
    area = number("auroc", auroc, 0, 1)
    whole("defective", defective)
    whole("good", good)
    two_defective = area / (2 - area)  # both of two defective samples score above a good one
    two_good = 2 * area**2 / (1 + area)  # a defective sample scores above both of two good ones
    variance = (
        area * (1 - area)
        + (defective - 1) * (two_defective - area**2)
        + (good - 1) * (two_good - area**2)
    ) / (defective * good)
    return math.sqrt(max(variance, 0.0))  # rounding may leave a tiny negative number at 0 or 1


def standard_error_of_difference(first: float, second: float, defective: int, good: int) -> float:
    """Standard error of the difference of two AUROCs, as though each had test images of its own.

    Scores of the same images go together, so where both AUROCs come from one test set the true
    standard error is usually smaller, and a difference above two of these is hardly due to chance.

    Args:
        first: area under a ROC curve, in [0, 1].
        second: area under the other, in [0, 1].
        defective: number of defective samples, at least 1.
        good: number of good samples, at least 1.

    Raises:
        InputError: an argument is out of range.

    Example:
        >>> round(standard_error_of_difference(0.9, 0.9, defective=60, good=20), 3)
        0.048
    """
    return math.hypot(*(standard_error(area, defective, good) for area in (first, second)))


def auroc_interval(
    scores: ArrayLike,
    labels: ArrayLike,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Bootstrap interval of the AUROC: the images of each class are drawn anew, with replacement.

    Source: B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (the
    percentile interval).

    Args:
        scores: N scores, higher is more abnormal.
        labels: N labels, 0 (good) or 1 (defective).
        level: share of the resampled values that lie inside, in (0, 1).
        resamples: how many times all images are drawn.
        seed: seed of the draws.

    Returns:
        Low and high, in [0, 1]; both NaN if one class is absent.

    Raises:
        InputError: scores and labels as for `aesc.metrics.auroc`; another argument out of range.

    Example:
        >>> low, high = auroc_interval([0.1, 0.3, 0.2, 0.6, 0.5, 0.9], [0, 0, 0, 0, 1, 1])
        >>> low < 0.875 < high
        True
    """
    values, truth = scores_and_labels(scores, labels)
    number("level", level, 0, 1, above=True, below=True)
    whole("resamples", resamples)
    defective, good = values[truth], values[~truth]
    if len(defective) == 0 or len(good) == 0:
        return math.nan, math.nan
    rng = np.random.default_rng(whole("seed", seed, 0))
    higher = defective[:, None] > good[None, :]  # P x N: every pair, a tie counts one half
    wins = higher + 0.5 * (defective[:, None] == good[None, :])
    # How often each image is drawn, in each of R resamples: R x P and R x N.
    drawn_defective = rng.multinomial(len(defective), _even(len(defective)), resamples)
    drawn_good = rng.multinomial(len(good), _even(len(good)), resamples)
    areas = ((drawn_defective @ wins) * drawn_good).sum(axis=1) / wins.size
    low, high = np.quantile(areas, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _even(count: int) -> np.ndarray:
    return np.full(count, 1 / count)
