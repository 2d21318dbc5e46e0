"""How fast a batch is corrupted, against the paper's way of one image at a time, on one core.

The corruptions are random, so what agrees is their distribution: the Kolmogorov-Smirnov distance
between hundreds of images of both stays below what chance alone exceeds once in a thousand times.

    python -m benchmarks.corruption [--quick]
"""

from __future__ import annotations

import numpy as np
import torch

from aesc.noise import Corruption, Stain, corruption
from benchmarks.harness import Row, arguments, compare, write
from benchmarks.reference.agreement import largest_distance
from benchmarks.reference.corruption import Fill, corrupt_batch, every_pixel, scan_lines
from benchmarks.training_step import images, our_training

SIDE, BATCH = 256, 16
SAMPLE = 400
TOLERANCE = 1.95 * (2 / SAMPLE) ** 0.5
LARGEST_SHARE = 0.03
STAINS: list[tuple[str, Corruption, Fill, str]] = [
    ("stain", Stain(), every_pixel, "outline filled by matplotlib's contains_points"),
    ("stain", Stain(), scan_lines, "outline filled by skimage.draw.polygon"),
    ("stain with a blurred border", Stain(border=0.15), scan_lines, "whole image blurred"),
]
OTHERS = ("gaussian", "scratch", "drops", "mix1", "mix2")


def main() -> None:
    """Check, measure and write."""
    options = arguments(__doc__.splitlines()[0])
    torch.set_num_threads(options.threads or 1)
    repeats = 3 if options.quick else 15
    rows = [_row(*stain, goal=60, repeats=repeats) for stain in STAINS]
    for name in OTHERS:
        rows.append(_row(name, corruption(name), scan_lines, "in numpy", goal=20, repeats=repeats))
    step = _training_step(repeats=3 if options.quick else 7)
    write(options, "corruption", [*rows, step], share_of_training_step=1 / step.ratio)


def _row(name: str, ours: Corruption, fill: Fill, how: str, *, goal: float, repeats: int) -> Row:
    """Time the corruption of a batch, after the check that both give the same distribution."""
    distance = largest_distance(ours, SAMPLE, SIDE, fill)
    assert distance < TOLERANCE, f"{name}: the distributions are {distance:.3f} apart"
    batch = images(BATCH, SIDE)
    plain, rng = batch[:, 0].numpy(), np.random.default_rng(0)
    generator = torch.Generator().manual_seed(0)
    return compare(
        f"{name}, {BATCH} grey images of {SIDE} px, {torch.get_num_threads()} core",
        f"one image at a time, {how}",
        lambda: corrupt_batch(plain, ours, rng, fill),
        lambda: ours(batch, generator),
        goal,
        repeats=repeats,
        inner=10,
    )


def _training_step(repeats: int) -> Row:
    """The stain against forward pass, backward pass and Adam of the network it is made for."""
    batch = images(BATCH, SIDE)
    generator = torch.Generator().manual_seed(0)
    _, step = our_training(batch)
    return compare(
        f"stain, {BATCH} grey images of {SIDE} px, {torch.get_num_threads()} core",
        "a training step of AESc",
        lambda: step(batch),
        lambda: Stain()(batch, generator),
        1 / LARGEST_SHARE,
        repeats=repeats,
        inner=10,
    )


if __name__ == "__main__":
    main()
