"""Drift: quiet while nothing changes, loud when the light does."""

import numpy as np
import pytest
from detectors import refused
from scipy.stats import betabinom, binom, chi2

from aesc.detector import Calibration, Drift
from aesc.detector.drift import LEVEL, WINDOW

MANY = Calibration.of(np.linspace(0, 1, 99_999))


def windows_of(drift: Drift, p_values) -> list[int]:
    counts = []
    for p_value in p_values:
        drift.add(p_value)
        counts.append(drift.state.low)
    return counts


def test_with_many_calibration_images_the_limit_is_the_binomial_one():
    limit = Drift(MANY).limit
    assert binom.sf(limit - 1, WINDOW, 0.05) <= LEVEL < binom.sf(limit - 2, WINDOW, 0.05)


@pytest.mark.parametrize("images", [19, 30, 99, 300])
def test_the_count_has_the_law_that_the_limit_is_taken_from(images):
    """Fresh calibration sets and fresh good images, without any formula of ours."""
    rng = np.random.default_rng(images)
    trials, level = 800, 0.05
    exceeded, mean = 0, 0.0
    low = max(1, int(0.05 * (images + 1)))
    limit = int(betabinom.isf(level, WINDOW, low, images + 1 - low)) + 1
    exact = betabinom.sf(limit - 1, WINDOW, low, images + 1 - low)
    for _ in range(trials):
        calibration = Calibration.of(rng.normal(size=images))
        drift = Drift(calibration)
        scores = rng.normal(size=WINDOW)
        drift.extend(calibration.p_value(score) for score in scores)
        exceeded += drift.state.low >= limit
        mean += drift.state.low / trials
    deviation = (trials * exact * (1 - exact)) ** 0.5
    assert abs(exceeded - trials * exact) < 4 * deviation
    assert mean == pytest.approx(Drift(calibration).state.share * WINDOW, rel=0.2)


def test_quiet_lines_stay_quiet_at_the_stated_rate():
    """Of 200 lines of 10,000 good images, about 1 in 100 raises an alarm."""
    rng = np.random.default_rng(1)
    limit, alarms = Drift(Calibration.of(range(99))).limit, 0
    for _ in range(200):
        chance = rng.beta(5, 95)  # the true share of low p-values of 99 calibration images
        low = np.cumsum(np.concatenate([[0], rng.random(10_000) < chance]))
        alarms += int((low[WINDOW:] - low[:-WINDOW]).max() >= limit)
    # Above it, the rate would be more than 1 in 100 with a confidence of 99.9 %.
    assert alarms <= chi2.ppf(0.999, 2 * (2 + 1)) / 2


@pytest.mark.parametrize(("images", "shift"), [(30, 3.5), (99, 2.0), (999, 1.0)])
def test_a_shift_of_the_scores_is_noticed_within_two_windows(images, shift):
    rng = np.random.default_rng(2)
    for _ in range(20):
        calibration = Calibration.of(rng.normal(size=images))
        drift = Drift(calibration)
        drift.extend(map(calibration.p_value, rng.normal(size=WINDOW)))
        assert not drift.state.alarm
        drift.extend(map(calibration.p_value, rng.normal(shift, size=2 * WINDOW)))
        assert drift.state.alarm


def test_the_count_is_that_of_the_last_200():
    rng = np.random.default_rng(3)
    p_values = rng.uniform(1e-9, 1, 700)
    counts = windows_of(Drift(MANY), p_values)
    expected = [int((p_values[max(0, i - 199) : i + 1] <= 0.05).sum()) for i in range(700)]
    assert counts == expected


def test_the_alarm_comes_before_the_window_is_full_and_goes_again():
    drift = Drift(MANY)
    drift.extend([0.001] * (drift.limit - 1))
    assert not drift.state.alarm
    drift.add(0.001)
    assert drift.state.alarm and drift.state.images == drift.limit
    assert drift.state.sentence().endswith("look at light, lens and lot, and calibrate again.")
    drift.extend([0.5] * WINDOW)
    assert not drift.state.alarm and drift.state.low == 0
    assert drift.state.sentence().endswith(
        "10 are expected of good ones: as when it was calibrated."
    )


def test_p_values_read_back_from_a_table_count_alike():
    calibration = Calibration.of(range(99))
    exact, rounded = Drift(calibration), Drift(calibration)
    for score in range(100):
        exact.add(calibration.p_value(score))
        rounded.add(float(f"{calibration.p_value(score):.6g}"))
    assert exact.state == rounded.state and exact.state.low == 5


@pytest.mark.parametrize("p_value", [0, -0.1, 1.1, float("nan")])
def test_what_is_no_p_value_is_refused(p_value):
    refused(lambda: Drift(MANY).add(p_value), "p_value")


def test_a_share_outside_0_and_1_is_refused():
    refused(lambda: Drift(MANY, 1.0), "share")
