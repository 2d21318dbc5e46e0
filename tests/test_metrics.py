"""Metrics against scikit-learn and against a slow direct version, on random samples."""

import itertools
import json
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from sklearn import metrics as reference

from aesc import metrics

Labelled = tuple[NDArray[np.float64], NDArray[np.int64]]
Pixels = tuple[NDArray[np.float64], NDArray[np.bool_]]


@st.composite
def labelled(draw: st.DrawFn) -> Labelled:
    """Scores with many ties (few levels) or hardly any, with at least one sample of each class."""
    size = draw(st.integers(2, 60))
    levels = draw(st.sampled_from([1, 2, 3, 10, 1000]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = (rng.random(size) < rng.random()).astype(np.int64)
    labels[:2] = rng.permutation([0, 1])
    return rng.integers(-levels, levels, size) / 7, labels


@st.composite
def pixels(draw: st.DrawFn) -> Pixels:
    """A few small maps with ties, and masks with blobs, one-pixel regions and diagonal contacts."""
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 9)), draw(st.integers(2, 9)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    masks = rng.random(shape) < rng.uniform(0.02, 0.6)
    masks[0, 0, :2] = [True, False]
    levels = draw(st.sampled_from([1, 2, 5, 10000]))
    return rng.integers(0, levels, shape) / 3 + masks * rng.integers(0, 2), masks


def slow_pro(maps: NDArray[np.float64], masks: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Threshold everything again for every distinct score; keep all the points."""
    regions = []
    for index, mask in enumerate(masks):
        numbered, count = ndimage.label(mask, structure=np.ones((3, 3)))
        regions += [maps[index][numbered == number + 1] for number in range(count)]
    good = maps[~masks]
    points = [(0.0, 0.0)]
    for threshold in sorted(set(maps.ravel()), reverse=True):
        overlap = sum((region >= threshold).mean() for region in regions) / len(regions)
        points.append(((good >= threshold).mean(), overlap))
    return points


def slow_aupro(points: list[tuple[float, float]], limit: float) -> float:
    """Add the trapezoids up to the limit one by one."""
    area = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x0 >= limit:
            break
        if x1 > limit:
            x1, y1 = limit, y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
        area += (x1 - x0) * (y0 + y1) / 2
    return area / limit


def on_polyline(x: float, y: float, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> bool:
    """Say whether (x, y) lies on one of the segments of a rising curve."""
    for x0, x1, y0, y1 in zip(xs, xs[1:], ys, ys[1:], strict=False):
        inside = x0 - 1e-12 <= x <= x1 + 1e-12 and y0 - 1e-12 <= y <= y1 + 1e-12
        if inside and abs((x - x0) * (y1 - y0) - (y - y0) * (x1 - x0)) < 1e-12:
            return True
    return False


@given(labelled())
def test_areas_equal_scikit_learn(sample: Labelled) -> None:
    scores, labels = sample
    assert metrics.auroc(scores, labels) == pytest.approx(
        reference.roc_auc_score(labels, scores), abs=1e-12
    )
    assert metrics.average_precision(scores, labels) == pytest.approx(
        reference.average_precision_score(labels, scores), abs=1e-12
    )


@given(labelled())
def test_f1_equals_scikit_learn(sample: Labelled) -> None:
    scores, labels = sample
    precision, recall, thresholds = reference.precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    best, threshold = metrics.f1_max(scores, labels)
    assert best == pytest.approx(f1.max(), abs=1e-12)
    assert best == pytest.approx(reference.f1_score(labels, scores >= threshold), abs=1e-12)
    reached = thresholds[f1[:-1] > f1.max() - 1e-12].max()
    distinct = np.unique(scores)
    place = np.searchsorted(distinct, reached)
    if place > 0:
        assert threshold == pytest.approx((reached + distinct[place - 1]) / 2)
    elif distinct.size > 1:
        assert threshold == pytest.approx(reached - (distinct[1] - reached) / 2)
    else:
        assert threshold == reached


@given(labelled(), st.integers(0, 2**32 - 1))
def test_verdicts_stand_when_scores_change_in_their_last_digits(sample: Labelled, seed: int):
    scores, labels = sample
    if np.unique(scores).size == 1:
        return  # no number lies between two scores
    _, threshold = metrics.f1_max(scores, labels)
    noise = np.random.default_rng(seed).uniform(-1e-7, 1e-7, scores.shape)
    np.testing.assert_array_equal(scores + noise >= threshold, scores >= threshold)


def best_f1(scores: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Every score as a threshold, all counted again."""
    found = [(scores >= threshold, labels == 1) for threshold in scores]
    return max(2 * (said & true).sum() / (said.sum() + true.sum()) for said, true in found)


@given(st.integers(2, 9), st.sampled_from([np.float32, np.float64]), st.integers(0, 2**32 - 1))
def test_threshold_parts_scores_that_are_neighbours_among_the_numbers_of_their_type(
    size: int, kind: type, seed: int
) -> None:
    """Compared in their own type, as NumPy and torch do with a Python number, and as doubles."""
    rng = np.random.default_rng(seed)
    scores = np.full(size, rng.random(), kind)
    for _ in range(3):
        scores = np.where(rng.random(size) < 0.5, np.nextafter(scores, kind(2)), scores)
    labels = np.append([0, 1], rng.integers(0, 2, size - 2))
    best, threshold = metrics.f1_max(scores, labels)
    assert best == pytest.approx(best_f1(scores, labels), abs=1e-12)
    for said in (scores >= kind(threshold), scores >= threshold, scores.astype(float) >= threshold):
        assert best == pytest.approx(reference.f1_score(labels, said), abs=1e-12)
    told = torch.from_numpy(scores) >= threshold
    assert best == pytest.approx(reference.f1_score(labels, told.numpy()), abs=1e-12)


@pytest.mark.parametrize(
    ("scores", "labels", "threshold"),
    [
        ([1e308, 1.7e308], [1, 0], 0.65e308),
        ([-1e308, -1.7e308], [1, 0], -1.35e308),
        ([-1e308, 1.7e308], [1, 0], -1e308),  # half the distance lower is no number
        ([1.7e308, -1.7e308], [1, 0], 0.0),
    ],
)
def test_threshold_of_the_largest_numbers(scores, labels, threshold) -> None:
    best, found = metrics.f1_max(scores, labels)
    assert found == pytest.approx(threshold)
    assert best == best_f1(np.array(scores), np.array(labels))


@given(labelled())
def test_roc_curve_is_the_curve_of_scikit_learn(sample: Labelled) -> None:
    scores, labels = sample
    every = reference.roc_curve(labels, scores, drop_intermediate=False)
    curve = metrics.roc_curve(scores, labels)
    ours = (curve.false_positive_rate, curve.true_positive_rate, curve.thresholds)
    assert set(zip(*ours, strict=True)) <= set(zip(*every, strict=True))
    assert all(on_polyline(x, y, ours[0], ours[1]) for x, y in zip(*every[:2], strict=True))
    assert np.all(np.diff(curve.thresholds) < 0)
    assert (ours[0][-1], ours[1][-1]) == (1.0, 1.0)


@settings(deadline=None)
@given(pixels(), st.sampled_from([0.01, 0.05, 0.3, 0.7, 1.0]))
def test_aupro_equals_the_slow_version(sample: Pixels, limit: float) -> None:
    maps, masks = sample
    points = slow_pro(maps, masks)
    assert metrics.aupro(maps, masks, limit) == pytest.approx(slow_aupro(points, limit), abs=1e-12)
    curve = metrics.pro_curve(maps, masks)
    assert all(on_polyline(x, y, curve.false_positive_rate, curve.overlap) for x, y in points)


@given(pixels())
def test_every_point_of_the_pro_curve_is_reached_at_its_threshold(sample: Pixels) -> None:
    maps, masks = sample
    curve = metrics.pro_curve(maps, masks)
    points = zip(curve.thresholds, curve.false_positive_rate, curve.overlap, strict=True)
    slow = dict(
        zip(sorted(set(maps.ravel()), reverse=True), slow_pro(maps, masks)[1:], strict=True)
    )
    slow[math.inf] = (0.0, 0.0)
    for threshold, rate, overlap in points:
        assert (rate, overlap) == pytest.approx(slow[threshold], abs=1e-12)
    assert (rate, overlap) == (1.0, 1.0)


@given(pixels(), st.sampled_from([0.1, 0.3, 1.0]))
def test_dictionaries_equal_the_single_functions(sample: Pixels, limit: float) -> None:
    maps, masks = sample
    best, threshold = metrics.f1_max(maps, masks)
    expected = {
        "auroc": metrics.auroc(maps, masks),
        "average_precision": metrics.average_precision(maps, masks),
        "f1_max": best,
        "f1_threshold": threshold,
    }
    assert metrics.image_metrics(maps.ravel(), masks.ravel()) == expected
    expected["aupro"] = metrics.aupro(maps, masks, limit)
    result = metrics.pixel_metrics(maps, masks, limit)
    assert result == expected
    assert json.loads(json.dumps(result, allow_nan=False)) == expected


@given(pixels(), st.sampled_from([np.log1p, np.arctan, lambda x: 3 * x - 5, lambda x: x**3]))
def test_monotone_transforms_change_only_the_threshold(
    sample: Pixels, transform: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> None:
    maps, masks = sample
    before, after = (metrics.pixel_metrics(m, masks) for m in (maps, transform(maps)))
    thresholds = before.pop("f1_threshold"), after.pop("f1_threshold")
    assert after == before
    np.testing.assert_array_equal(maps >= thresholds[0], transform(maps) >= thresholds[1])


@given(pixels(), st.integers(0, 2**32 - 1))
def test_order_of_the_images_does_not_matter(sample: Pixels, seed: int) -> None:
    maps, masks = sample
    order = np.random.default_rng(seed).permutation(len(maps))
    before, after = (metrics.pixel_metrics(maps[o], masks[o]) for o in (slice(None), order))
    assert after == pytest.approx(before, abs=1e-12)
