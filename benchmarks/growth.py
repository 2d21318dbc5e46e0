"""How time and memory grow: with image size, with training images, with dropout passes.

Every point is measured in a process of its own, so that the peak memory is its own. For each curve
the exponent of processor time against work (slope of the straight line through the logarithms) is
fitted. 1 is in proportion to the work, and nothing may grow faster; an epoch, whose number of
batches is fixed, may not grow with the number of images at all. Processor time, that of reading
processes included, is what a machine that does something else as well leaves almost unchanged.

    python -m benchmarks.growth [--quick] [--threads 1]
"""

from __future__ import annotations

import itertools
import math
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from aesc.data import MAX_VALIDATION, Category, ImageStream, ReadOptions, load_category
from aesc.model import AESc
from aesc.noise import Stain
from aesc.scoring import uncertainty_map
from aesc.training import Trainer, TrainingSettings
from benchmarks.harness import arguments, write

Seconds = tuple[float, float]
"""By the clock, and of the processor."""

PROPORTIONAL, CONSTANT = 1.1, 0.1
"""Largest exponents that still count as in proportion to the work and as not growing."""

REPEATS = 3
SIDE = 32
DISTINCT = 300
"""Different files in a folder; the rest are further names of these, which are quick to make."""


@dataclass(frozen=True)
class Point:
    """Medians of a call: seconds by the clock and of the processor; peak memory of its process."""

    work: int
    seconds: float
    processor_seconds: float
    megabytes: float


@dataclass(frozen=True)
class Curve:
    """Points by growing work; ``exponent`` over all, ``last_exponent`` of the last two."""

    what: str
    work: str
    points: Sequence[Point]
    exponent: float
    last_exponent: float
    limit: float


def main() -> None:
    """Measure, print, write and check."""
    options = arguments(__doc__.splitlines()[0])
    many = 2 if options.quick else 4
    step = "three training steps, batch 4, 128 to 1024 px"
    sides = {side**2: side for side in (128, 256, 512, 1024)[:many]}
    curves = [_curve(step, "pixels of an image", training_steps, sides)]
    with tempfile.TemporaryDirectory() as scratch:
        counts = (100, 1000, 10_000, 100_000)[:many]
        folders = {count: _folder(Path(scratch, str(count)), count) for count in counts}
        reading = f"load_category, {SIDE} px, training images left on disk"
        curves.append(_curve(reading, "good images", prepare, folders))
        epoch = f"epoch of 125 batches of 16, {SIDE} px, nothing kept in memory"
        curves.append(_curve(epoch, "good images", streamed_epoch, folders, CONSTANT))
    passes = {count: count for count in (5, 10, 30, 100)[:many]}
    curves.append(_curve("uncertainty_map, 4 images, 128 px", "passes", uncertainty, passes))
    write(options, "growth", [], curves=[asdict(curve) for curve in curves])
    too_fast = [curve.what for curve in curves if curve.exponent > curve.limit]
    assert not too_fast, f"grows too fast: {'; '.join(too_fast)}"


def training_steps(side: int) -> Seconds:
    """A training of three batches of 4 images, its start and end included."""
    images = torch.rand(4, 1, side, side, generator=torch.Generator().manual_seed(0))
    settings = TrainingSettings(epochs=1, batches=3, batch_size=4)
    return _median(lambda: _train(AESc(), images, images[:1], settings))


def prepare(folder: Path) -> Seconds:
    """Reading a category whose training images stay on disk."""
    return _median(lambda: _streamed(folder))


def streamed_epoch(folder: Path) -> Seconds:
    """An epoch from disk with the smallest network, the processes' start included."""
    category = _streamed(folder)
    settings = TrainingSettings(epochs=1)
    chosen = category.validation[:1]
    return _median(lambda: _train(AESc(depth=1, width=1), category.train, chosen, settings))


def _streamed(folder: Path) -> Category:
    """Read a folder with just enough memory for its validation images, a fifth of all."""
    validation = min(sum(1 for _ in folder.iterdir()) // 5, MAX_VALIDATION)
    return load_category(folder, SIDE, options=ReadOptions(memory=4 * SIDE**2 * validation))


def uncertainty(passes: int) -> Seconds:
    """The uncertainty maps of 4 images."""
    images = torch.rand(4, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    model = AESc().eval()
    return _median(lambda: uncertainty_map(model, images, passes))


def _train(
    model: AESc, images: Tensor | ImageStream, validation: Tensor, settings: TrainingSettings
) -> None:
    Trainer(model, images, validation, Stain(), settings).run(progress=False)


def _median(call: Callable[[], object]) -> Seconds:
    """Medians over a few calls, after one that is not counted."""
    call()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter(), _processor_seconds()
        call()
        seconds.append((time.perf_counter() - start[0], _processor_seconds() - start[1]))
    clock, processor = map(statistics.median, zip(*seconds, strict=True))
    return clock, processor


def _processor_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def _curve(
    what: str,
    work: str,
    measure: Callable[[Any], Seconds],
    arguments_by_work: dict[int, Any],
    limit: float = PROPORTIONAL,
) -> Curve:
    points = [_point(amount, measure, given) for amount, given in arguments_by_work.items()]
    logarithms = [(math.log(point.work), math.log(point.processor_seconds)) for point in points]
    slope, last = (_slope(chosen) for chosen in (logarithms, logarithms[-2:]))
    print(f"{what}: exponent {slope:.2f} (at most {limit}), of the last two {last:.2f}")
    for point in points:
        print(
            f"  {point.work:8} {work}: {point.seconds:.4g} s, "
            f"processor {point.processor_seconds:.4g} s, {point.megabytes:.0f} MB"
        )
    sys.stdout.flush()
    return Curve(what, work, points, slope, last, limit)


def _slope(points: Sequence[tuple[float, float]]) -> float:
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def _point(work: int, measure: Callable[[Any], Seconds], given: Any) -> Point:
    """Measure in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        measured = pool.submit(_measured, measure, given, torch.get_num_threads())
        seconds, megabytes = measured.result()
    return Point(work, *seconds, megabytes)


def _measured(measure: Callable[[Any], Seconds], given: Any, threads: int) -> tuple[Seconds, float]:
    """Seconds, and the peak memory of this process in megabytes."""
    torch.set_num_threads(threads)
    # Reading processes start as they usually do, not afresh as this one did.
    multiprocessing.set_start_method(None, force=True)
    seconds = measure(given)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return seconds, peak / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def _folder(folder: Path, count: int) -> Path:
    """A folder of that many good images."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    paths = [folder / f"{index:06}.png" for index in range(count)]
    for path in paths[:DISTINCT]:
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE), np.uint8)).save(path)
    for path, source in zip(paths[DISTINCT:], itertools.cycle(paths[:DISTINCT]), strict=False):
        os.link(source, path)
    return folder


if __name__ == "__main__":
    main()
