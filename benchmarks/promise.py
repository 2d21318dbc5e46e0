"""Whether a threshold keeps its promise: rejects among fresh good images of every category.

For each generated category a detector is trained once. For each seed, good images are generated
anew: some set the threshold, the others count how many of them are rejected. If the images are
exchangeable, that number is beta-binomially distributed, and lies in the middle 90 % of that
distribution in at least 90 % of the cases.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import numpy as np
from scipy.stats import betabinom

from aesc.detector import Detector, FitSettings, Picture, Preprocessing, fit, good_files, survey
from aesc.synthetic import CATEGORIES, embedded, render_image
from benchmarks.harness import arguments, write

SIZE = 64
"""Side of the images in pixels, as in the ``quick`` preset."""

CALIBRATION, NEW = 60, 150
"""Good images that set the threshold, and good images that are judged by it."""

SHARE = 0.05
"""Share of good images that may be rejected; 60 images can promise it."""

BAND = 0.9
"""Probability of the band."""

SEEDS = range(5)


@dataclass(frozen=True)
class Case:
    """Rejects of one category and seed, and the band that they were promised to lie in."""

    category: str
    seed: int
    rejected: int
    low: int
    high: int
    inside: bool


def main() -> None:
    """Measure and write."""
    options = arguments(__doc__.splitlines()[0])
    start = time.perf_counter()
    names = list(CATEGORIES)[:2] if options.quick else list(CATEGORIES)
    seeds = SEEDS[:2] if options.quick else SEEDS
    cases = [case for name in names for case in cases_of(name, seeds)]
    inside = sum(case.inside for case in cases)
    print(f"{inside} of {len(cases)} cases lie in the band of {BAND:.0%}")
    write(
        options,
        "promise",
        [],
        cases=[asdict(case) for case in cases],
        inside=inside,
        band=BAND,
        share=SHARE,
        calibration_images=CALIBRATION,
        new_images=NEW,
        rejected_share=sum(case.rejected for case in cases) / (len(cases) * NEW),
        seconds=time.perf_counter() - start,
    )


def cases_of(name: str, seeds: range) -> list[Case]:
    """Train on a category and count the rejects of every seed."""
    good = survey(good_files(embedded(SIZE, names=[name]) / name))
    settings = FitSettings(size=SIZE, false_rejects=SHARE, review=SHARE)
    detector = fit(good, settings, progress=False)
    return [case_of(name, detector, seed) for seed in seeds]


def case_of(name: str, detector: Detector, seed: int) -> Case:
    """Calibrate on fresh images and judge others."""
    pictures = fresh(name, detector.preprocessing, CALIBRATION + NEW, seed)
    calibrated = detector.calibrated_on(pictures[:CALIBRATION])
    results = calibrated.judge(pictures[CALIBRATION:])
    rejected = sum(result.verdict == "reject" for result in results)
    above = int(SHARE * (CALIBRATION + 1))  # calibration images above the threshold, and itself
    expected = betabinom(NEW, above, CALIBRATION + 1 - above)
    low, high = (int(expected.ppf(q)) for q in ((1 - BAND) / 2, (1 + BAND) / 2))
    return Case(name, seed, rejected, low, high, low <= rejected <= high)


def fresh(name: str, reading: Preprocessing, count: int, seed: int) -> list[Picture]:
    """Good images that are in no data set: their seed is not one of those of the data."""
    images = (render_image(name, "test", None, i, SIZE, seed=1000 + seed)[0] for i in range(count))
    return [reading.read(np.rint(255 * image).astype(np.uint8)) for image in images]


if __name__ == "__main__":
    main()
