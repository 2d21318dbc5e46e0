"""Metrics against scikit-learn, against a slow direct version, and against cases done by hand."""

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
from aesc.errors import InputError

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
    assert threshold == thresholds[f1[:-1] > f1.max() - 1e-12].max()


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
    assert after.pop("f1_threshold") == transform(np.array(before.pop("f1_threshold")))
    assert after == before


@given(pixels(), st.integers(0, 2**32 - 1))
def test_order_of_the_images_does_not_matter(sample: Pixels, seed: int) -> None:
    maps, masks = sample
    order = np.random.default_rng(seed).permutation(len(maps))
    before, after = (metrics.pixel_metrics(maps[o], masks[o]) for o in (slice(None), order))
    assert after == pytest.approx(before, abs=1e-12)


def test_values_worked_out_by_hand() -> None:
    scores, labels = [0.9, 0.8, 0.8, 0.3, 0.1], [1, 1, 0, 1, 0]
    # Pairs: 0.9 beats both; 0.8 ties once and wins once; 0.3 loses once and wins once.
    assert metrics.auroc(scores, labels) == 4.5 / 6
    assert metrics.average_precision(scores, labels) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert metrics.f1_max(scores, labels) == (6 / 7, 0.3)
    curve = metrics.roc_curve(scores, labels)
    assert curve.false_positive_rate.tolist() == [0, 0, 0.5, 0.5, 1]
    assert curve.true_positive_rate.tolist() == [0, 1 / 3, 2 / 3, 1, 1]
    assert curve.thresholds.tolist() == [math.inf, 0.9, 0.8, 0.3, 0.1]


def test_f1_takes_the_highest_of_equally_good_thresholds() -> None:
    # At 3: precision 1, recall 1/2. At 1: precision 1/2, recall 1. Both F1 = 2/3.
    assert metrics.f1_max([3, 2, 2, 1], [1, 0, 0, 1]) == (2 / 3, 3.0)


def test_pro_curve_with_ties_by_hand() -> None:
    maps = np.array([[[4, 2, 3, 2, 1, 1]]])
    masks = np.array([[[1, 1, 0, 1, 0, 0]]])
    # Regions {4, 2} and {2}; good pixels 3, 1, 1.
    curve = metrics.pro_curve(maps, masks)
    assert curve.thresholds.tolist() == [math.inf, 4, 3, 2, 1]
    assert curve.false_positive_rate == pytest.approx([0, 0, 1 / 3, 1 / 3, 1])
    assert curve.overlap == pytest.approx([0, 1 / 4, 1 / 4, 1, 1])
    assert metrics.aupro(maps, masks, 0.3) == pytest.approx(1 / 4)
    assert metrics.aupro(maps, masks, 2 / 3) == pytest.approx((1 / 4 + 1) / 2)


def test_constant_maps_are_chance() -> None:
    masks = np.zeros((2, 4, 5), dtype=bool)
    masks[0, 1:3, 1:3] = masks[1, 0, 0] = True
    result = metrics.pixel_metrics(np.full(masks.shape, 0.25), masks)
    # The only segment is the diagonal from (0, 0) to (1, 1).
    assert result["auroc"] == 0.5
    assert result["aupro"] == pytest.approx(0.15, abs=1e-15)
    assert result["average_precision"] == masks.mean()
    assert result["f1_threshold"] == 0.25


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_perfect_maps_give_exactly_one_and_inverted_maps_zero(limit: float, seed: int) -> None:
    masks = np.random.default_rng(seed).random((3, 40, 30)) < 0.1
    assert metrics.aupro(masks.astype(float), masks, limit) == 1.0
    assert metrics.aupro(1.0 - masks, masks, limit) == 0.0
    assert metrics.auroc(masks, masks) == 1.0
    assert metrics.auroc(~masks, masks) == 0.0


def test_diagonal_pixels_are_one_region_and_images_do_not_touch() -> None:
    masks = np.zeros((2, 4, 4), dtype=bool)
    masks[0, 0, 0] = masks[0, 1, 1] = True
    masks[1, 0, 0] = True
    maps = np.zeros(masks.shape)
    maps[0, 0, 0] = 1.0
    # Two regions: half of the first is found, nothing of the second.
    assert metrics.pro_curve(maps, masks).overlap[1] == 0.25


def test_a_small_region_counts_as_much_as_a_large_one() -> None:
    masks = np.zeros((1, 20, 20), dtype=bool)
    masks[0, :10] = masks[0, 15, 15] = True
    maps = np.zeros(masks.shape)
    maps[0, 15, 15] = 1.0
    assert metrics.pro_curve(maps, masks).overlap[1] == pytest.approx(0.5, abs=1e-12)
    assert metrics.roc_curve(maps, masks).true_positive_rate[1] == 1 / 201


@pytest.mark.parametrize("value", [0, 1])
def test_one_class_alone_is_undefined(value: int) -> None:
    maps, masks = np.arange(8.0).reshape(2, 2, 2), np.full((2, 2, 2), value)
    assert math.isnan(metrics.auroc(maps, masks))
    assert math.isnan(metrics.average_precision(maps, masks))
    assert all(math.isnan(part) for part in metrics.f1_max(maps, masks))
    assert math.isnan(metrics.aupro(maps, masks))
    result = metrics.pixel_metrics(maps, masks)
    assert set(result) == {"auroc", "average_precision", "f1_max", "f1_threshold", "aupro"}
    assert set(result.values()) == {None}
    assert set(metrics.image_metrics([1.0, 2.0], [value, value]).values()) == {None}


def test_curves_of_one_class_have_nan_for_the_missing_rate() -> None:
    maps = np.arange(4.0).reshape(1, 2, 2)
    good, bad = np.zeros((1, 2, 2)), np.ones((1, 2, 2))
    assert np.isnan(metrics.roc_curve(maps, good).true_positive_rate).all()
    assert np.isnan(metrics.pro_curve(maps, good).overlap).all()
    assert metrics.pro_curve(maps, good).false_positive_rate.tolist() == [0.0, 1.0]
    assert np.isnan(metrics.roc_curve(maps, bad).false_positive_rate).all()
    assert metrics.pro_curve(maps, bad).overlap.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_float32_and_tensors_give_the_same_as_float64() -> None:
    rng = np.random.default_rng(3)
    masks = rng.random((2, 16, 16)) < 0.2
    maps = rng.random((2, 16, 16)).astype(np.float32)
    expected = metrics.pixel_metrics(maps.astype(np.float64), masks)
    assert metrics.pixel_metrics(maps, masks) == expected
    assert metrics.pixel_metrics(torch.from_numpy(maps), torch.from_numpy(masks)) == expected
    assert metrics.pixel_metrics(maps.tolist(), masks.astype(float)) == expected


def test_inputs_are_not_changed() -> None:
    maps = np.random.default_rng(1).random((1, 8, 8))
    masks, copy = maps > 0.6, maps.copy()
    metrics.pixel_metrics(maps, masks)
    assert np.array_equal(maps, copy)


@pytest.mark.parametrize(
    ("scores", "labels", "words"),
    [
        ([0.1, math.nan], [0, 1], "finite"),
        ([0.1, math.inf], [0, 1], "finite"),
        ([0.1, 0.2, 0.3], [0, 1], "one label for each"),
        ([0.1, 0.2], [0, 255], "255"),
        ([0.1, 0.2], [0, -1], "-1"),
        ([0.1, 0.2], [0.0, math.nan], "nan"),
        ([], [], "empty"),
        (["a", "b"], [0, 1], "real numbers"),
        ([[0.1], [0.2, 0.3]], [0, 1], "rectangular"),
        (torch.ones(2, requires_grad=True), [0, 1], "detach"),
    ],
)
def test_unusable_scores_and_labels_are_refused(scores: object, labels: object, words: str) -> None:
    functions = [
        metrics.auroc,
        metrics.average_precision,
        metrics.f1_max,
        metrics.roc_curve,
        metrics.image_metrics,
    ]
    for function in functions:
        with pytest.raises(InputError, match=words):
            function(scores, labels)


@pytest.mark.parametrize("function", [metrics.aupro, metrics.pro_curve, metrics.pixel_metrics])
def test_maps_need_three_axes(function: Callable[..., object]) -> None:
    for shape in [(4, 4), (1, 1, 4, 4)]:
        with pytest.raises(InputError, match="N x H x W"):
            function(np.zeros(shape), np.zeros(shape))


@pytest.mark.parametrize("function", [metrics.aupro, metrics.pixel_metrics])
@pytest.mark.parametrize("limit", [0.0, -0.1, 1.01, math.nan])
def test_limits_outside_zero_to_one_are_refused(
    function: Callable[..., object], limit: float
) -> None:
    with pytest.raises(InputError, match="limit"):
        function(np.zeros((1, 2, 2)), np.zeros((1, 2, 2)), limit)
