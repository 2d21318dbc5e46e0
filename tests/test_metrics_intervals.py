"""Uncertainty of an AUROC: against simulations and against SciPy."""

import math

import numpy as np
import pytest
from scipy import stats

from aesc.errors import InputError
from aesc.metrics import auroc, auroc_interval, standard_error, standard_error_of_difference

DEFECTIVE, GOOD = 40, 25


def sample(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Exponential scores, for which the formula is exact; the true AUROC is 3/4."""
    scores = np.concatenate([rng.exponential(3, DEFECTIVE), rng.exponential(1, GOOD)])
    return scores, np.repeat([1, 0], [DEFECTIVE, GOOD])


def test_standard_error_is_the_spread_of_many_samples():
    rng = np.random.default_rng(0)
    areas = [auroc(*sample(rng)) for _ in range(4000)]
    assert np.mean(areas) == pytest.approx(0.75, abs=0.005)
    assert standard_error(0.75, DEFECTIVE, GOOD) == pytest.approx(np.std(areas), rel=0.05)


def test_standard_error_of_a_difference_is_its_spread_between_two_test_sets():
    rng = np.random.default_rng(0)
    gaps = [auroc(*sample(rng)) - auroc(*sample(rng)) for _ in range(4000)]
    found = standard_error_of_difference(0.75, 0.75, DEFECTIVE, GOOD)
    assert found == pytest.approx(np.std(gaps), rel=0.05)


def test_more_images_of_either_class_make_it_surer():
    errors = [standard_error(0.8, *counts) for counts in [(5, 5), (50, 5), (50, 50)]]
    assert errors == sorted(errors, reverse=True)


def test_interval_is_that_of_scipy():
    scores, labels = sample(np.random.default_rng(1))
    found = auroc_interval(scores, labels, resamples=20000)
    wanted = stats.bootstrap(
        (scores[labels == 1], scores[labels == 0]),
        lambda defective, good: auroc(
            np.concatenate([defective, good]), np.repeat([1, 0], [len(defective), len(good)])
        ),
        method="percentile",
        vectorized=False,
        n_resamples=4000,
        rng=np.random.default_rng(2),
    ).confidence_interval
    assert found == pytest.approx(tuple(wanted), abs=0.01)


def test_interval_holds_the_true_value_nearly_as_often_as_it_says():
    rng = np.random.default_rng(3)
    intervals = [auroc_interval(*sample(rng), level=0.9, resamples=400) for _ in range(300)]
    inside = np.mean([low <= 0.75 <= high for low, high in intervals])
    assert 0.84 < inside < 0.96  # of 300 intervals at 0.9, a standard error is 0.017


def test_ties_and_the_ends():
    assert auroc_interval([1, 1, 1, 1], [0, 0, 1, 1]) == (0.5, 0.5)
    assert auroc_interval([0, 0, 1, 1], [0, 0, 1, 1]) == (1.0, 1.0)
    assert standard_error(1.0, 5, 5) == standard_error(0.0, 5, 5) == 0


def test_one_class_alone_has_no_interval():
    assert all(map(math.isnan, auroc_interval([1, 2], [1, 1])))


def test_the_same_seed_gives_the_same_interval():
    scores, labels = sample(np.random.default_rng(4))
    assert auroc_interval(scores, labels, seed=5) == auroc_interval(scores, labels, seed=5)
    assert auroc_interval(scores, labels, seed=5) != auroc_interval(scores, labels, seed=6)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"level": 1.0}, "level is 1.0"),
        ({"resamples": 0}, "resamples is 0"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_cannot_be_is_refused(change, named):
    with pytest.raises(InputError, match=named):
        auroc_interval([0, 1], [0, 1], **change)


@pytest.mark.parametrize("arguments", [(1.2, 5, 5), (0.5, 0, 5), (0.5, 5, 2.5), (True, 5, 5)])
def test_what_cannot_be_has_no_standard_error(arguments):
    with pytest.raises(InputError):
        standard_error(*arguments)
