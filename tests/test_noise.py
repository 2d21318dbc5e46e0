"""Corruptions: what they may touch, how large they are, and the stain's outline."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Polygon
from random_images import generator
from scipy.interpolate import CubicSpline
from scipy.ndimage import label
from scipy.spatial import ConvexHull

from aesc.noise import (
    CORRUPTIONS,
    Drops,
    Gaussian,
    Mix,
    Mix1,
    NoCorruption,
    Scratch,
    Stain,
    closed_curve,
    corruption,
    ellipse_points,
    fill,
    sort_by_polar_angle,
)


def bounding_sides(mask: torch.Tensor) -> tuple[int, int]:
    rows, columns = np.nonzero(mask.numpy())
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


every_corruption = pytest.mark.parametrize("name", CORRUPTIONS)


@every_corruption
@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, 4),
    channels=st.integers(1, 5),
    height=st.integers(16, 70),
    width=st.integers(16, 70),
    seed=st.integers(0, 2**31),
)
def test_touches_only_the_mask_and_stays_in_range(name, batch, channels, height, width, seed):
    images = torch.rand(batch, channels, height, width, generator=generator(seed))
    before = images.clone()
    corrupted, mask = corruption(name)(images, generator(seed))
    assert torch.equal(images, before)
    assert corrupted.shape == images.shape and corrupted.dtype == images.dtype
    assert mask.shape == (batch, 1, height, width) and mask.dtype == torch.bool
    outside = ~mask.expand_as(images)
    assert torch.equal(corrupted[outside], images[outside])
    assert corrupted.min() >= 0 and corrupted.max() <= 1
    if name != "none":
        assert mask.flatten(1).any(1).all()
        changed = (corrupted != images).any(1, keepdim=True)
        assert changed.flatten(1).any(1).all()


@every_corruption
def test_same_seed_same_result_and_other_seed_another(name):
    images = torch.rand(8, 1, 64, 64, generator=generator())
    first, second, other = (corruption(name)(images, generator(s))[0] for s in (5, 5, 6))
    assert torch.equal(first, second)
    assert torch.equal(first, other) == (name == "none")


@every_corruption
def test_double_precision_and_empty_batches(name):
    corrupted, _ = corruption(name)(torch.rand(2, 1, 32, 32, dtype=torch.float64), generator())
    assert corrupted.dtype == torch.float64
    corrupted, mask = corruption(name)(torch.zeros(0, 3, 32, 32), generator())
    assert corrupted.shape == (0, 3, 32, 32) and mask.shape == (0, 1, 32, 32)


@pytest.mark.parametrize("name", [name for name in CORRUPTIONS if name != "none"])
def test_images_of_a_batch_are_corrupted_independently(name):
    corrupted, _ = corruption(name)(torch.full((6, 1, 64, 64), 0.5), generator())
    assert len({image.numpy().tobytes() for image in corrupted}) == 6


def test_stain_keeps_the_published_size():
    low, high = 0.01, 0.12
    masks = Stain()(torch.zeros(400, 1, 256, 256), generator(1))[1][:, 0]
    sides = [max(bounding_sides(mask)) for mask in masks]
    # A point moves by at most `irregularity` of the mean axis per direction; the cubic curve may
    # overshoot a little between points.
    assert max(sides) <= 2 * high * 256 * (1 + 0.4) * 1.1
    assert min(sides) >= 2 * low * 256 * (1 - 0.4) - 1
    # Without displacement the blot is the ellipse itself.
    masks = Stain(irregularity=(0.0, 0.0))(torch.zeros(200, 1, 256, 256), generator(2))[1][:, 0]
    assert max(max(bounding_sides(mask)) for mask in masks) <= 2 * high * 256 + 1


def test_stain_without_irregularity_has_the_area_of_its_ellipse():
    images = torch.zeros(50, 1, 256, 256)
    stain = Stain(irregularity=(0.0, 0.0))
    semi_axes, _, _ = stain.draw(images, generator(3))
    mask = stain(images, generator(3))[1]
    area = math.pi * semi_axes.prod(1)
    large = semi_axes.amin(1) > 6
    error = (mask.flatten(1).sum(1) - area).abs() / area
    assert large.sum() > 10 and error[large].max() < 0.05


def test_stain_is_one_connected_blot_of_one_grey():
    images = torch.full((60, 1, 128, 128), 0.95)
    corrupted, mask = Stain(grain=0.0)(images, generator(4))
    for image, blot in zip(corrupted[:, 0], mask[:, 0], strict=True):
        greys = image[blot].unique()
        assert len(greys) == 1 and 10 / 255 <= greys.item() <= 220 / 255
        assert label(blot.numpy(), np.ones((3, 3)))[1] <= 2  # a thin neck may be cut by the raster


def test_stains_are_irregular_not_round():
    """Area over that of the convex hull: 1 for a disc, clearly less for lobed outlines."""
    stain = Stain(semi_axis=(0.08, 0.12))
    _, _, outline = stain.draw(torch.zeros(100, 1, 256, 256), generator(5))
    solidity = []
    for curve in outline.numpy():
        y, x = curve.T
        area = 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))
        solidity.append(area / ConvexHull(curve).volume)
    assert 0.7 < np.median(solidity) < 0.95


def test_blurred_border_fades_and_keeps_the_centre():
    images = torch.ones(20, 1, 128, 128)
    sharp, sharp_mask = Stain(semi_axis=(0.1, 0.12), grain=0.0)(images, generator(6))
    soft, soft_mask = Stain(semi_axis=(0.1, 0.12), grain=0.0, border=0.15)(images, generator(6))
    assert (soft_mask.sum() > sharp_mask.sum()) and soft.unique().numel() > sharp.unique().numel()


def test_curve_is_closed_and_goes_through_its_points():
    points = torch.randn(7, 20, 2, dtype=torch.float64, generator=generator(7))
    curve = closed_curve(points, samples=10)
    assert curve.shape == (7, 200, 2)
    torch.testing.assert_close(curve[:, ::10], points)
    # Against scipy's periodic spline of one outline, its closing piece included.
    closed = np.concatenate([points[3].numpy(), points[3, :1].numpy()])
    reference = CubicSpline(np.arange(21), closed, bc_type="periodic")(np.arange(200) / 10)
    np.testing.assert_allclose(curve[3].numpy(), reference, atol=1e-12)


def test_points_lie_on_the_ellipse_and_are_sorted_by_angle():
    semi_axes = torch.tensor([[4.0, 9.0]])
    points = ellipse_points(semi_axes, torch.zeros(1), 20)[0]
    torch.testing.assert_close((points[:, 1] / 4) ** 2 + (points[:, 0] / 9) ** 2, torch.ones(20))
    shuffled = points[torch.randperm(20, generator=generator(8))].unsqueeze(0)
    angle = torch.atan2(*sort_by_polar_angle(shuffled)[0].unbind(1))
    assert (angle.diff() > 0).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), corners=st.integers(3, 12))
def test_fill_agrees_with_matplotlib(seed, corners):
    """A star-shaped polygon around the middle, so that all filling rules agree."""
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radius = rng.uniform(2, 20, corners)
    vertices = np.stack([16.3 + radius * np.sin(angle), 15.7 + radius * np.cos(angle)], axis=1)
    if np.diff(angle, append=angle[0] + 2 * np.pi).max() >= np.pi:
        return  # the middle lies outside
    mask = fill(torch.from_numpy(vertices)[None], 32, 30)[0].numpy()
    grid = np.stack(np.mgrid[:32, :30], axis=-1).reshape(-1, 2)
    reference = Polygon(vertices).contains_points(grid).reshape(32, 30)
    assert (mask != reference).mean() < 0.002  # centres exactly on an edge


def test_fill_by_hand():
    square = torch.tensor([[[0.5, 0.5], [0.5, 3.5], [2.5, 3.5], [2.5, 0.5]]])
    expected = torch.zeros(4, 5, dtype=torch.bool)
    expected[1:3, 1:4] = True
    assert torch.equal(fill(square, 4, 5)[0], expected)
    outside = fill(square + 10, 4, 5)
    assert not outside.any()


def test_scratch_is_three_pixels_thick():
    images = torch.zeros(300, 1, 256, 256)
    masks = Scratch()(images, generator(9))[1][:, 0]
    for mask in masks:
        rows, columns = np.nonzero(mask.numpy())
        points = np.stack([rows, columns], 1).astype(float)
        # A line: its extent across the main axis is the thickness.
        _, _, axes = np.linalg.svd(points - points.mean(0), full_matrices=False)
        across = np.ptp((points - points.mean(0)) @ axes[1])
        if across < 3.5:
            assert across >= 1.0
            along = np.ptp((points - points.mean(0)) @ axes[0])
            assert 0.6 * 0.05 * 256 - 1 <= along <= 0.52 * 256
    mean_width = [mask.sum().item() / max(bounding_sides(mask)) for mask in masks]
    assert 2.5 < np.median(mean_width) < 5


def test_scratch_draws_lines_and_curves():
    masks = Scratch(length=(0.4, 0.4))(torch.zeros(90, 1, 256, 256), generator(10))[1][:, 0]
    bent = 0
    for mask in masks:
        points = np.stack(np.nonzero(mask.numpy()), 1).astype(float)
        spread = np.linalg.svd(points - points.mean(0), compute_uv=False)
        bent += spread[1] / spread[0] > 0.03
    assert 40 <= bent <= 80  # two kinds of three are curves


def test_drops_are_ten_discs_of_the_published_radius():
    drops = Drops(spread=8.0)
    masks = drops(torch.zeros(100, 1, 256, 256), generator(11))[1][:, 0]
    largest = math.pi * (0.02 * 256 + 1) ** 2
    counts = []
    for mask in masks:
        _, count = label(mask.numpy(), np.ones((3, 3)))
        assert 1 <= count <= 10 and mask.sum() <= 10 * largest
        counts.append(count)
    assert np.median(counts) >= 6
    single = Drops(number=1)(torch.zeros(100, 1, 256, 256), generator(12))[1]
    assert single.flatten(1).sum(1).max() <= largest


def test_gaussian_has_its_standard_deviation():
    corrupted, mask = Gaussian(0.05)(torch.full((4, 1, 128, 128), 0.5), generator(13))
    assert mask.all()
    assert corrupted.std().item() == pytest.approx(0.05, rel=0.02)


@pytest.mark.parametrize("on_cpu", [True, False])
def test_mix_draws_by_weight(on_cpu, monkeypatch):
    """Each part is told apart by what it does to a flat image, whichever way it is computed."""
    monkeypatch.setattr("aesc.noise.mix.on_host", lambda _: on_cpu)
    count = 1500
    images = torch.full((count, 1, 32, 32), 0.5)
    mix = Mix((NoCorruption(), Gaussian(), Stain(grey=(1.0, 1.0), grain=0.0)), (0.2, 0.5, 0.3))
    corrupted, mask = mix(images, generator(14))
    assert torch.equal(corrupted[~mask], images[~mask])
    covered = mask.flatten(1).float().mean(1)
    shares = [(covered == 0), (covered == 1), (covered > 0) & (covered < 1)]
    for share, weight in zip(shares, (0.2, 0.5, 0.3), strict=True):
        assert share.float().mean().item() == pytest.approx(weight, abs=4 * math.sqrt(0.25 / count))
    assert Mix1().weights == (0.6, 0.2, 0.2) and type(Mix1().corruptions[0]) is Stain
