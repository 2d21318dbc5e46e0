"""Thresholds from good images alone keep what they promise."""

import numpy as np
import pytest
from detectors import good_folder
from exports import untrained
from scipy import stats

from aesc.detector import Calibration, images_needed
from aesc.detector.calibration import TIE
from aesc.errors import InputError


@pytest.mark.parametrize(
    ("images", "share", "above"), [(99, 0.01, 1), (60, 0.05, 3), (20, 0.01, 1)]
)
def test_the_realised_rate_has_the_beta_distribution_that_is_promised(images, share, above):
    """Uniform scores: the rate of rejects is one minus the threshold, whatever the distribution."""
    rng = np.random.default_rng(images)
    rates = [1 - Calibration.of(rng.random(images)).threshold(share) for _ in range(3000)]
    expected = stats.beta(above, images + 1 - above)
    assert stats.kstest(rates, expected.cdf).pvalue > 0.01
    promise = Calibration.of(rng.random(images)).promise(share)
    assert promise.expected == pytest.approx(np.mean(rates), rel=0.05)
    assert np.mean(np.array(rates) <= promise.bound) == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(
    ("images", "expected", "bound"),
    # The table of what so many images can promise at 1 %: worked out by hand from Beta(1, n).
    [(20, 1 / 21, 0.139), (50, 1 / 51, 0.058), (99, 0.01, 0.030), (300, 3 / 301, 0.021)],
)
def test_what_so_many_images_can_promise(images, expected, bound):
    promise = Calibration.of(range(images)).promise(0.01)
    assert promise.expected == pytest.approx(expected)
    assert promise.bound == pytest.approx(bound, abs=5e-4)
    assert promise.kept == (images >= 99)


def test_p_values_of_good_images_are_uniform():
    rng = np.random.default_rng(3)
    values = []
    for _ in range(2000):
        scores = rng.normal(size=20)
        values.append(Calibration.of(scores[:19]).p_value(scores[19]))
    for alpha in (0.05, 0.2, 0.5):
        assert np.mean(np.array(values) <= alpha) == pytest.approx(alpha, abs=0.03)


def test_the_threshold_and_the_p_value_tell_the_same():
    calibration = Calibration.of(np.random.default_rng(4).normal(size=199))
    threshold = calibration.threshold(0.05)
    above, tied = threshold + 2 * TIE * abs(threshold), threshold + TIE / 2 * abs(threshold)
    assert calibration.rejects(above, 0.05) and not calibration.rejects(tied, 0.05)
    assert calibration.p_value(above) <= 0.05 < calibration.p_value(tied)


def test_a_calibration_image_scored_again_alone_keeps_its_verdict(tmp_path):
    """The last bits of a score depend on the images beside it."""
    paths = sorted(good_folder(tmp_path).iterdir())
    for seed in range(3):
        detector = untrained(paths, seed=seed, false_rejects=0.1, review=0.2)
        verdicts = [detector.predict(path).verdict for path in paths]
        assert (verdicts.count("reject"), verdicts.count("review")) == (3, 4)  # of 40


def test_images_needed_is_the_fewest_that_keep_the_promise():
    for share in (0.01, 0.02, 0.05, 0.1, 1 / 3):
        needed = images_needed(share)
        assert Calibration.of(range(needed)).promise(share).kept
        assert needed == 1 or not Calibration.of(range(needed - 1)).promise(share).kept


@pytest.mark.parametrize("scores", [[], [1.0, np.nan], [np.inf]])
def test_scores_that_say_nothing_are_refused(scores):
    with pytest.raises(InputError, match="calibration scores"):
        Calibration.of(scores)


@pytest.mark.parametrize("share", [0, 1, -0.1, np.nan, True])
def test_shares_out_of_range_are_refused(share):
    with pytest.raises(InputError, match="alpha"):
        Calibration.of([1.0]).threshold(share)
