"""Whether the images of a line still are what the detector was calibrated on.

Good images have uniform p-values, as long as nothing changes. A lamp that ages, a lens out of focus
or another lot of material makes small p-values frequent long before anybody notices.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from aesc._checks import number
from aesc.detector.calibration import REVIEW, Calibration

if TYPE_CHECKING:
    from aesc.detector.detector import Detector

WINDOW = 200
"""Images that are looked back on."""

LEVEL = 1e-4
"""Chance of an alarm in one window in which nothing has changed.

Windows overlap, so an alarm within a long time is likelier: of simulated lines, about 1 in 100
raised one within 10,000 images, for 30 calibration images as for many."""


@dataclass(frozen=True)
class DriftState:
    """What the last images say.

    Attributes:
        images: how many images are looked back on, at most `WINDOW`.
        low: how many of them have a p-value of at most ``share``.
        share: p-value that counts as low.
        expected: how many of so many good images would have one, on average.
        limit: the number of low p-values in a window that raises the alarm.
    """

    images: int
    low: int
    share: float
    expected: float
    limit: int

    @property
    def alarm(self) -> bool:
        """Whether there are more low p-values than chance explains."""
        return self.low >= self.limit

    def __str__(self) -> str:
        counted = f"{self.low} of the last {self.images} images have a p-value of at most"
        return f"{counted} {100 * self.share:.3g} %, {self.expected:.3g} are expected of good ones"

    def sentence(self) -> str:
        """The state in words, with what to do about it."""
        if self.alarm:
            return f"{self}: look at light, lens and lot, and calibrate again."
        return f"{self}: as when it was calibrated."


class Drift:
    """Counts the low p-values among the last `WINDOW` images, of any verdict.

    The count of exchangeable good images follows a beta-binomial law, which knows that few
    calibration images tell the true share of low p-values only roughly. A run of defective parts
    raises the alarm as well.

    Args:
        calibration: against which the p-values were taken.
        share: about the p-value that counts as low; the nearest below it that the calibration can
            give is taken, or else the smallest one.

    Attributes:
        share: p-value that counts as low.

    Raises:
        InputError: a share outside (0, 1).

    Example:
        >>> calibration = Calibration.of(range(999))
        >>> drift = Drift(calibration)
        >>> drift.extend([0.5] * 150 + [0.01] * 31)
        >>> print(drift.state.sentence())
        31 of the last 181 images have a p-value of at most 5 %, 9.05 are expected of good ones:
        look at light, lens and lot, and calibrate again.
    """

    def __init__(self, calibration: Calibration, share: float = REVIEW) -> None:
        number("share", share, 0, 1, above=True, below=True)
        images = len(calibration)
        above = round(calibration.promise(share).expected * (images + 1))
        self.share = above / (images + 1)
        self._above = above, images + 1 - above
        self._low: deque[bool] = deque(maxlen=WINDOW)

    @cached_property
    def limit(self) -> int:
        """The number of low p-values in a window that raises the alarm."""
        from scipy.stats import betabinom  # half a second, which a verdict need not wait for

        return int(betabinom.isf(LEVEL, WINDOW, *self._above)) + 1

    @classmethod
    def of(cls, detector: Detector) -> Drift:
        """Counts for a detector; low is what it would at least set aside for review.

        Raises:
            InputError: the detector was never calibrated.
        """
        detector.threshold  # noqa: B018  (refuses one without calibration)
        assert detector.images is not None
        return cls(detector.images, detector.review)

    def add(self, p_value: float) -> None:
        """Take one more image into account; the oldest is forgotten.

        Raises:
            InputError: a p-value outside (0, 1].
        """
        number("p_value", p_value, 0, 1, above=True)
        # A table holds six digits of it.
        self._low.append(p_value <= self.share * (1 + 1e-5))

    def extend(self, p_values: Iterable[float]) -> None:
        """Take several images into account, the oldest first."""
        for p_value in p_values:
            self.add(p_value)

    @property
    def full(self) -> bool:
        """Whether a whole window of images was looked at."""
        return len(self._low) == WINDOW

    @property
    def state(self) -> DriftState:
        """What the images so far say. It takes no full window to raise the alarm."""
        images = len(self._low)
        return DriftState(images, sum(self._low), self.share, images * self.share, self.limit)
