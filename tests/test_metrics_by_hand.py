"""Metrics in cases worked out by hand, at the edges, and the input that they refuse."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from aesc import metrics
from aesc.errors import InputError


def test_threshold_of_neighbouring_floats_is_the_higher() -> None:
    low = 0.3
    high = np.nextafter(low, 1)
    assert metrics.f1_max([low, high], [0, 1]) == (1.0, high)


def test_values_worked_out_by_hand() -> None:
    scores, labels = [0.9, 0.8, 0.8, 0.3, 0.1], [1, 1, 0, 1, 0]
    # Pairs: 0.9 beats both; 0.8 ties once and wins once; 0.3 loses once and wins once.
    assert metrics.auroc(scores, labels) == 4.5 / 6
    assert metrics.average_precision(scores, labels) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert metrics.f1_max(scores, labels) == (6 / 7, (0.3 + 0.1) / 2)
    curve = metrics.roc_curve(scores, labels)
    assert curve.false_positive_rate.tolist() == [0, 0, 0.5, 0.5, 1]
    assert curve.true_positive_rate.tolist() == [0, 1 / 3, 2 / 3, 1, 1]
    assert curve.thresholds.tolist() == [math.inf, 0.9, 0.8, 0.3, 0.1]


def test_f1_takes_the_highest_of_equally_good_thresholds() -> None:
    # At 3: precision 1, recall 1/2. At 1: precision 1/2, recall 1. Both F1 = 2/3.
    assert metrics.f1_max([3, 2, 2, 1], [1, 0, 0, 1]) == (2 / 3, 2.5)


def test_threshold_that_calls_everything_defective_lies_below_the_lowest_score() -> None:
    assert metrics.f1_max([1, 2, 4], [1, 1, 0]) == (4 / 5, 0.5)
    assert metrics.f1_max([1, 3, 2], [1, 1, 0]) == (4 / 5, 0.5)


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


def test_psnr_is_that_of_scikit_image() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.random((2, 3, 3, 8, 9))
    ours = metrics.psnr(torch.from_numpy(one), torch.from_numpy(other))
    theirs = [peak_signal_noise_ratio(b, a, data_range=1) for a, b in zip(one, other, strict=True)]
    assert ours.tolist() == pytest.approx(theirs)
    assert metrics.psnr(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2)).tolist() == [100]


@pytest.mark.parametrize(
    ("reconstructions", "words"),
    [
        (torch.rand(3, 8, 8), "give a batch"),
        (torch.ones(1, 3, 8, 8, dtype=torch.uint8), "divide by 255"),
        (torch.rand(1, 3, 8, 9), "the shape of the images"),
    ],
)
def test_psnr_refuses_other_images(reconstructions: torch.Tensor, words: str) -> None:
    with pytest.raises(InputError, match=words):
        metrics.psnr(reconstructions, torch.rand(1, 3, 8, 8))


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
