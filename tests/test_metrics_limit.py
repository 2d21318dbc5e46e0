"""AUPRO sorts only the scores that its limit needs: the same number as from the whole curve."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aesc.metrics import _ranking, aupro, pixel_metrics, pro_curve


def area_of_whole_curve(maps: np.ndarray, masks: np.ndarray, limit: float) -> float:
    curve = pro_curve(maps, masks)
    x, y = curve.false_positive_rate, curve.overlap
    inside = x < limit
    after = int(inside.sum())
    slope = (y[after] - y[after - 1]) / (x[after] - x[after - 1])
    end = y[after - 1] + slope * (limit - x[after - 1])
    x, y = np.append(x[inside], limit), np.append(y[inside], end)
    return float(((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2).sum() / limit)


@given(
    seed=st.integers(0, 2**31),
    levels=st.sampled_from([2, 5, 40, 10**6]),
    limit=st.one_of(st.floats(0.001, 1.0), st.sampled_from([0.1, 0.25, 0.3, 0.5, 1.0])),
    sample=st.sampled_from([1, 7, 50, 2**16]),
    margin=st.sampled_from([0.0, 2.0, 30.0]),
)
def test_limit_changes_nothing(seed, levels, limit, sample, margin):
    """Also with ties across the limit, and with guesses that leave too few scores or too many."""
    rng = np.random.default_rng(seed)
    masks = rng.random((3, 12, 11)) < 0.1
    masks[0, 0, :2] = True, False
    maps = rng.integers(0, levels, masks.shape) + masks * rng.integers(0, 2) * levels // 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_ranking, "_SAMPLE", sample)
        patch.setattr(_ranking, "_MARGIN", margin)
        value = aupro(maps, masks, limit)
    assert value == pytest.approx(area_of_whole_curve(maps, masks, limit), abs=1e-12)
    assert value == pixel_metrics(maps, masks, limit)["aupro"]


def test_few_scores_are_sorted():
    """A third of the good scores and not all of them, where a third is what the limit needs."""
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((3, 100_000), np.float32)
    good = rng.random(scores.shape) < 0.9
    expected = np.sort(scores[good])
    kept = _ranking._highest(scores, good, 90_000)
    assert 90_000 <= kept.size < 96_000
    assert np.array_equal(np.sort(kept), expected[-kept.size :])
    whole = _ranking._highest(scores, good, expected.size)
    assert np.array_equal(np.sort(whole), expected)
