"""Thresholds that keep a promise, from scores of good images alone (split-conformal prediction).

Good images that neither trained the network nor chose its epoch are scored once. If a new good
image is exchangeable with them, its rank among them is uniform, whatever the distribution of the
scores: so a threshold at a rank bounds the share of good parts that are rejected.

Source: V. Vovk, A. Gammerman and G. Shafer, Algorithmic Learning in a Random World, 2005; the
distribution of the realised rate: V. Vovk, Conditional validity of inductive conformal predictors,
ACML 2012.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from aesc._checks import as_array, number
from aesc.errors import InputError

FALSE_REJECTS = 0.01
"""Share of good images that may be rejected, unless asked otherwise."""

REVIEW = 0.05
"""Share of good images that may be rejected or set aside for a person, unless asked otherwise."""

TIE = 1e-5
"""Relative difference up to which two scores count as equal.

A threshold is the score of a calibration image. Scored again, alone or by another program, that
image differs in the last bits, and shall keep its verdict."""


@dataclass(frozen=True)
class Promise:
    """What a threshold says about good images that are still to come.

    Attributes:
        expected: mean share of good images above the threshold, over all calibration sets.
        bound: with a probability of 95 %, the share is at most this.
        kept: whether ``expected`` is no more than the share asked for; otherwise there are too few
            calibration images (`images_needed`).
    """

    expected: float
    bound: float
    kept: bool


@dataclass(frozen=True, eq=False)
class Calibration:
    """Scores of N good images, against which new scores are held. Made by `Calibration.of`.

    Attributes:
        scores: float64, N of them, ascending.

    Example:
        >>> calibration = Calibration.of([0.3, 0.1, 0.2, 0.4])
        >>> calibration.p_value(0.35), calibration.p_value(9.0)
        (0.4, 0.2)
        >>> calibration.threshold(0.4)
        0.3
    """

    scores: NDArray[np.float64]

    @classmethod
    def of(cls, scores: ArrayLike) -> Calibration:
        """Sort and check scores, given in any order.

        Raises:
            InputError: no scores, or some that are not finite.
        """
        values = as_array(scores, "calibration scores").astype(np.float64).ravel()
        if values.size == 0:
            raise InputError("calibration scores are empty: give at least one good image.")
        if not np.isfinite(values).all():
            raise InputError("calibration scores hold NaN or infinite values: score them again.")
        return cls(np.sort(values))

    def __len__(self) -> int:
        return len(self.scores)

    def p_value(self, score: float) -> float:
        """Share of good images, the new one included, that score at least as high: in (0, 1].

        Of all good images, at most a share ``alpha`` has a p-value of at most ``alpha``.
        """
        above = len(self) - int(np.searchsorted(_tied(self.scores), score, side="left"))
        return (1 + above) / (len(self) + 1)

    def threshold(self, alpha: float) -> float:
        """The score above which an image is rejected, so that at most ``alpha`` of good ones are.

        With too few calibration images no threshold can promise that (`images_needed`). It is then
        the largest score, and `promise` says what that is worth.

        Args:
            alpha: share of good images, in (0, 1).
        """
        return float(self.scores[self._rank(alpha) - 1])

    def rejects(self, score: float, alpha: float) -> bool:
        """Whether a score is above the `threshold` of ``alpha``, by more than `TIE`."""
        return score > float(_tied(np.float64(self.threshold(alpha))))

    def promise(self, alpha: float) -> Promise:
        """What `threshold` of ``alpha`` promises. The realised rate is Beta-distributed."""
        rank = self._rank(alpha)
        above = len(self) + 1 - rank
        expected = above / (len(self) + 1)
        bound = float(betaincinv(above, rank, 0.95))  # quantile of the Beta distribution
        return Promise(expected, bound, expected <= alpha + 1e-12)

    def _rank(self, alpha: float) -> int:
        """Rank of the threshold among the scores, from 1."""
        number("alpha", alpha, 0, 1, above=True, below=True)
        # A product such as 0.01 * 100 may lie a rounding error below the whole number.
        above = math.floor(alpha * (len(self) + 1) + 1e-9)
        return min(max(len(self) + 1 - above, 1), len(self))


def _tied(scores: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    """The largest values that count as equal to scores."""
    return np.asarray(scores + TIE * np.abs(scores))


def images_needed(alpha: float) -> int:
    """The fewest calibration images with which a threshold can promise ``alpha``.

    Example:
        >>> images_needed(0.01), images_needed(0.05)
        (99, 19)
    """
    number("alpha", alpha, 0, 1, above=True, below=True)
    return math.ceil(1 / alpha - 1 - 1e-9)


def check_shares(false_rejects: float, review: float) -> None:
    """Refuse shares that do not fit each other.

    Raises:
        InputError: a share outside (0, 1), or more rejects than rejects and reviews together.
    """
    number("false_rejects", false_rejects, 0, 1, above=True, below=True)
    number("review", review, 0, 1, above=True, below=True)
    if review < false_rejects:
        raise InputError(
            f"review is {review:g}: give at least the share of false rejects, {false_rejects:g}, "
            "which it includes."
        )
