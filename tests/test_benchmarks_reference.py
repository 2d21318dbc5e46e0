"""What the benchmarks compare with does the same as the package, on small sizes; their command."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from aesc.data import load_category
from aesc.metrics import aupro, average_precision, pixel_metrics
from aesc.noise import CORRUPTIONS, Stain, corruption
from benchmarks import __main__ as benchmarks
from benchmarks import harness, metrics, reading
from benchmarks.__main__ import NAMES
from benchmarks.reference.agreement import largest_distance, numbers
from benchmarks.reference.corruption import (
    corrupt_batch,
    ellipse_points,
    every_pixel,
    scan_lines,
)
from benchmarks.reference.metrics import aupro_by_thresholds, pro_points, sklearn_metrics
from benchmarks.reference.reading import read_folder

SAMPLE = 150
TOLERANCE = 1.95 * (2 / SAMPLE) ** 0.5  # exceeded by chance once in a thousand times


@pytest.mark.parametrize("name", [name for name in CORRUPTIONS if name != "none"])
def test_corruption_of_the_reference_has_the_distribution_of_ours(name):
    assert largest_distance(corruption(name), SAMPLE, 96) < TOLERANCE


def test_blurred_stain_of_the_reference_has_the_distribution_of_ours():
    assert largest_distance(Stain(border=0.15), SAMPLE, 96) < TOLERANCE


def test_other_distributions_are_told_apart():
    """The comparison can fail: stains half as large, darker ones, ones in another place."""
    flat = torch.full((SAMPLE, 1, 96, 96), 0.5)
    ours, mask = Stain()(flat, torch.Generator().manual_seed(0))
    theirs = [
        corrupt_batch(flat[:, 0].numpy(), other, np.random.default_rng(0))
        for other in (Stain(semi_axis=(0.005, 0.06)), Stain(grey=(0.0, 0.6)), Stain(grain=0.05))
    ]
    mine = numbers(ours[:, 0].numpy(), mask[:, 0].numpy())
    for sample, which in zip(theirs, (0, 3, 4), strict=True):
        other = numbers(*sample)[which]
        assert abs(np.median(other) - np.median(mine[which])) > 0.1 * abs(np.median(mine[which]))


@given(seed=st.integers(0, 2**31))
def test_both_fills_of_the_reference_agree(seed):
    rng = np.random.default_rng(seed)
    points = ellipse_points(rng.uniform(4, 12, 2), rng.uniform(0, 6), 20) + 20.3
    masks = [fill(points, (40, 42)) for fill in (scan_lines, every_pixel)]
    assert masks[0].any() and (masks[0] != masks[1]).mean() < 0.03  # pixels on the outline


def test_points_of_the_reference_lie_on_the_ellipse():
    points = ellipse_points(np.array([30.0, 18.0]), 0.0, 20)
    assert points.shape == (20, 2)
    np.testing.assert_allclose((points[:, 0] / 30) ** 2 + (points[:, 1] / 18) ** 2, 1, atol=0.08)


@pytest.fixture(scope="module")
def scored():
    return metrics.maps_and_masks(9, 48)


def test_metrics_of_the_reference_are_ours(scored):
    maps, masks = scored
    assert 0 < masks.mean() < 0.5
    metrics.check_against_sklearn(maps, masks)
    metrics.check_points_on_curve(maps, masks, 50)
    value = sklearn_metrics(maps, masks)["average_precision"]
    assert value == pytest.approx(average_precision(maps, masks), abs=1e-12)


def test_checks_of_the_metrics_notice_other_numbers(scored, monkeypatch):
    maps, masks = scored
    ours = pixel_metrics(maps, masks)
    monkeypatch.setattr(metrics, "pixel_metrics", lambda *_: {**ours, "f1_max": 0.1})
    with pytest.raises(AssertionError):
        metrics.check_against_sklearn(maps, masks)
    monkeypatch.setattr(metrics, "pro_points", lambda *a: pro_points(a[0] + 0.1, *a[1:]))
    with pytest.raises(AssertionError):
        metrics.check_points_on_curve(maps, masks, 50)


def test_a_threshold_per_level_gives_the_exact_aupro(scored):
    """Maps of 101 levels: a loop over them all leaves nothing out."""
    maps, masks = scored
    levels = np.rint((maps - maps.min()) / np.ptp(maps) * 100)
    loop = aupro_by_thresholds(levels, masks, 101)
    assert loop == pytest.approx(aupro(levels, masks), abs=1e-12)
    assert loop != pytest.approx(aupro_by_thresholds(levels, masks, 7), abs=1e-4)


def test_folder_read_by_the_reference_is_ours(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "SIDE", 60)
    monkeypatch.setattr(reading, "SIZE", 20)
    monkeypatch.setattr(reading, "DISTINCT", 3)
    folder = tmp_path / "images"
    size = reading.make_images(folder, 7)
    assert size == sum(path.stat().st_size for path in folder.iterdir())
    category = load_category(folder, 20)
    reading.check(folder, category)
    assert read_folder(folder, 20).shape == (7, 1, 20, 20)
    Image.new("RGB", (60, 60)).save(folder / "004.png")
    with pytest.raises(AssertionError):
        reading.check(folder, category)


def test_every_benchmark_is_run_by_the_one_command():
    folder = Path(benchmarks.__file__).parent
    scripts = {p.stem for p in folder.glob("*.py") if "arguments(__doc__" in p.read_text("utf-8")}
    assert scripts == set(NAMES)


def test_one_that_fails_does_not_stop_the_others(monkeypatch, capfd):
    monkeypatch.setattr(benchmarks, "NAMES", ("nothing_of_this_name", "gpu"))
    monkeypatch.setattr("sys.argv", ["benchmarks", "--quick", "--threads", "1"])
    assert benchmarks.main() == 1
    output, errors = capfd.readouterr()
    assert "benchmark 2/2: gpu" in output
    assert errors.endswith("Failed: nothing_of_this_name; what they print above says why.\n")


def test_row_compares_medians_and_a_quick_one_is_not_kept(monkeypatch, tmp_path, capsys):
    ticks = iter([0, 9, 9, 10, 10, 14, 14, 16, 16, 20, 20, 23])
    monkeypatch.setattr(harness.time, "perf_counter", lambda: next(ticks))
    monkeypatch.setattr(harness, "RESULTS", tmp_path)
    row = harness.compare("ours", "plain", lambda: None, lambda: None, 1.5, repeats=3)
    assert (row.reference_seconds, row.our_seconds, row.ratio) == (4, 2, 2)
    assert "2.0 times (goal 1.5)" in capsys.readouterr().out
    harness.write(argparse.Namespace(quick=True), "some", [row])
    assert list(tmp_path.iterdir()) == []
    harness.write(argparse.Namespace(quick=False), "some", [row], peak=3)
    written = json.loads((tmp_path / "some.json").read_text("utf-8"))
    assert written["rows"][0]["ratio"] == 2 and written["peak"] == 3
    assert written["environment"]["torch"] == torch.__version__
