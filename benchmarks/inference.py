"""Reconstruction and Monte-Carlo dropout against the plainly written network.

python -m benchmarks.inference [--quick] [--threads N]
"""

from __future__ import annotations

import torch
from torch import Tensor

from aesc.model import AESc
from aesc.scoring import PASSES, uncertainty_map
from benchmarks.harness import Row, arguments, compare, write
from benchmarks.reference.network import PlainAESc, plain_uncertainty
from benchmarks.training_step import images

SIDE = 256
BATCH = 16
FEW = 4
GOALS = {BATCH: 2.6, 1: 1.8}
DROPOUT_GOAL = 4.0
TOLERANCE = 1e-5
"""Reconstructions, in [0, 1], may differ by so much; variances by so much of the largest."""


def main() -> None:
    """Check, measure, print and write."""
    options = arguments(__doc__.splitlines()[0])
    plain, ours = networks()
    batch = images(BATCH, SIDE)
    check(plain, ours, batch[:FEW], passes=4)
    repeats = 3 if options.quick else 9
    # One image is so quick that more repeats are needed for the same certainty.
    rows = [
        reconstruction(plain, ours, batch[:n], goal, repeats * BATCH // n)
        for n, goal in GOALS.items()
    ]
    rows.append(dropout(plain, ours, batch, 1 if options.quick else 5))
    write(options, "inference", rows)


def reconstruction(plain: PlainAESc, ours: AESc, batch: Tensor, goal: float, repeats: int) -> Row:
    """Time one pass without dropout; ours is prepared once, as for an evaluation."""
    prepared = ours.for_inference()
    with torch.inference_mode():
        return compare(
            f"reconstruction, grey, {batch.shape[-1]} px, {len(batch)} at a time",
            "the same network, up-sampled and then convolved, channels first",
            lambda: plain(batch),
            lambda: prepared(batch),
            goal,
            repeats=repeats,
        )


def dropout(plain: PlainAESc, ours: AESc, batch: Tensor, repeats: int) -> Row:
    """Time the uncertainty map; ours includes the preparation."""
    return compare(
        f"uncertainty map of {len(batch)} grey images of {batch.shape[-1]} px, {PASSES} passes",
        "full passes of the plain network, one after the other",
        lambda: plain_uncertainty(plain, batch, PASSES, 0),
        lambda: uncertainty_map(ours, batch, PASSES, 0),
        DROPOUT_GOAL,
        repeats=repeats,
    )


def check(plain: PlainAESc, ours: AESc, batch: Tensor, passes: int) -> None:
    """Raise AssertionError unless both give the same, however the batch is cut."""
    with torch.inference_mode():
        difference = (plain(batch) - ours.for_inference()(batch)).abs().amax()
    assert difference < TOLERANCE, f"reconstructions differ by {difference}"
    expected = plain_uncertainty(plain, batch, passes, 0)
    for size in (len(batch), 1):
        parts = [uncertainty_map(ours, part, passes, 0) for part in batch.split(size)]
        difference = (torch.cat(parts) - expected).abs().amax() / expected.amax()
        assert difference < TOLERANCE, f"batches of {size}: variances differ by {difference}"


def networks() -> tuple[PlainAESc, AESc]:
    """Both networks with the same weights and statistics, as after some training."""
    generator = torch.Generator().manual_seed(0)
    ours = AESc(generator=generator)
    for level in [*ours.encoder, *ours.decoder]:
        level.norm.running_mean.normal_(0, 0.1, generator=generator)
        level.norm.running_var.uniform_(0.5, 2, generator=generator)
    plain = PlainAESc()
    plain.load_state_dict(ours.state_dict())
    return plain.eval(), ours.eval()


if __name__ == "__main__":
    main()
