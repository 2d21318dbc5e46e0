"""How fast maps are scored: pixel metrics against scikit-learn, AUPRO against a loop.

    python -m benchmarks.metrics [--quick]

Agreement: scikit-learn's numbers are ours to 1e-12; every point that the loop finds lies on our
curve to 1e-12. With ``--quick`` the maps are a tenth as large.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from aesc.metrics import aupro, image_metrics, pixel_metrics, pro_curve
from benchmarks.harness import arguments, compare, write
from benchmarks.reference.metrics import aupro_by_thresholds, pro_points, sklearn_metrics

IMAGES, SIDE = 83, 900
THRESHOLDS = 200
CHECKED = 12
"""Maps on which the results are compared; all of them would take as long as the measurement."""
LARGEST_PEAK = 3.0


def main() -> None:
    """Check, measure and write."""
    options = arguments(__doc__.splitlines()[0])
    images, side = (IMAGES, SIDE // 3) if options.quick else (IMAGES, SIDE)
    repeats = 1 if options.quick else 3
    maps, masks = maps_and_masks(images, side)
    check_against_sklearn(maps[:CHECKED], masks[:CHECKED])
    check_points_on_curve(maps[:CHECKED], masks[:CHECKED], THRESHOLDS)
    size = f"{images} maps of {side} x {side}"
    scores, labels = maps.max((1, 2)), np.any(masks, axis=(1, 2))
    rows = [
        compare(
            f"image and pixel AUROC, AP and F1-max (and AUPRO), {size}",
            "scikit-learn (without AUPRO)",
            lambda: (sklearn_metrics(scores, labels), sklearn_metrics(maps, masks)),
            lambda: (image_metrics(scores, labels), pixel_metrics(maps, masks)),
            goal=5,
            repeats=repeats,
        ),
        compare(
            f"AUPRO from all thresholds, {size}",
            f"loop over {THRESHOLDS} thresholds",
            lambda: aupro_by_thresholds(maps, masks, THRESHOLDS),
            lambda: aupro(maps, masks),
            goal=20,
            repeats=repeats,
        ),
    ]
    peak = peak_memory(lambda: pixel_metrics(maps, masks)) / maps.nbytes
    print(f"peak of additional memory: {peak:.2f} times the maps (at most {LARGEST_PEAK:g})")
    write(
        options, "metrics", rows, peak_memory_in_maps=peak, largest_peak_memory_in_maps=LARGEST_PEAK
    )


def maps_and_masks(images: int, side: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Anomaly maps (float32 N x H x W) that are higher on most defects; two images in three have
    up to three round ones.
    """
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    maps = np.empty((images, side, side), np.float32)
    masks = np.zeros(maps.shape, np.bool_)
    for index, (anomaly, mask) in enumerate(zip(maps, masks, strict=True)):
        coarse = rng.normal(0, 0.3, (12, 12)).astype(np.float32)
        anomaly[:] = zoom(coarse, side / 12, order=1) + 0.2 * rng.standard_normal(
            (side, side), np.float32
        )
        for _ in range(rng.integers(1, 4) if index % 3 else 0):
            row, column, radius = *rng.uniform(0, side, 2), rng.uniform(0.01, 0.08) * side
            mask |= (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
        anomaly[mask] += rng.uniform(0.2, 1.5)
    return maps, masks


def check_against_sklearn(maps: NDArray[np.floating], masks: NDArray[np.bool_]) -> None:
    """Assert that AUROC, AP and F1-max are those of scikit-learn to 1e-12."""
    ours = pixel_metrics(maps, masks)
    for name, value in sklearn_metrics(maps, masks).items():
        found = ours[name]
        assert found is not None and abs(value - found) < 1e-12, (name, value, found)


def check_points_on_curve(maps: NDArray[np.floating], masks: NDArray[np.bool_], steps: int) -> None:
    """Assert that the points of a loop over thresholds lie on our curve to 1e-12."""
    thresholds = np.linspace(maps.max(), maps.min(), steps)
    rates, overlaps = pro_points(maps, masks, thresholds)
    curve = pro_curve(maps, masks)
    # The curve's last point at or above a threshold has its overlap; up to the next it is flat.
    last = np.searchsorted(-curve.thresholds, -thresholds, side="right") - 1
    np.testing.assert_allclose(curve.overlap[last], overlaps, rtol=0, atol=1e-12)
    assert (curve.false_positive_rate[last] <= rates).all()
    assert (np.append(curve.false_positive_rate, 1)[last + 1] >= rates).all()


def peak_memory(call: Callable[[], object]) -> int:
    """Most bytes that a call had allocated at once."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


if __name__ == "__main__":
    main()
