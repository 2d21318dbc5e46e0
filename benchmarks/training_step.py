"""The training step of the package against one of the plainly written network.

python -m benchmarks.training_step [--quick] [--threads N]
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from aesc.model import AESc
from aesc.noise import NoCorruption
from aesc.training import Trainer
from benchmarks.harness import Row, arguments, compare, write
from benchmarks.reference.network import PlainAESc

BATCH = 16
GOALS = {256: 2.3, 128: 1.6}
STEPS = 20
TOLERANCE = 1e-4
"""Two trainings may differ by so much in the loss of each of `STEPS` steps."""

Step = Callable[[Tensor], Tensor]


def main() -> None:
    """Check, measure, print and write."""
    options = arguments(__doc__.splitlines()[0])
    check(images(BATCH, 64 if options.quick else 128))
    rows = [row(side, goal, 3 if options.quick else 9) for side, goal in GOALS.items()]
    write(options, "training_step", rows)


def row(side: int, goal: float, repeats: int) -> Row:
    """Time one step on 16 images of a side."""
    batch = images(BATCH, side)
    (_, plain), (_, ours) = plain_training(), our_training(batch)
    return compare(
        f"training step, {BATCH} grey images of {side} px",
        "the same network, up-sampled and then convolved, channels first, plain Adam",
        lambda: plain(batch),
        lambda: ours(batch),
        goal,
        repeats=repeats,
    )


def check(batch: Tensor, steps: int = STEPS) -> None:
    """Raise AssertionError unless both have the same parameters and the same course of the loss."""
    (reference, plain), (network, ours) = plain_training(), our_training(batch)
    shapes = [{k: v.shape for k, v in m.state_dict().items()} for m in (reference, network)]
    assert shapes[0] == shapes[1]
    for step in range(steps):
        slow, fast = plain(batch).item(), ours(batch).item()
        assert abs(slow - fast) < TOLERANCE, f"step {step}: {slow} against {fast}"


def plain_training() -> tuple[PlainAESc, Step]:
    """The plain network with the weights of `our_training`, and what trains it on a batch."""
    network = PlainAESc()
    network.load_state_dict(_start().state_dict())
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def step(batch: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = functional.mse_loss(network(batch), batch)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return network, step


def our_training(batch: Tensor) -> tuple[AESc, Step]:
    """The network of the package, and the step of its `Trainer` without a corruption."""
    network = _start()
    trainer = Trainer(network, batch, batch[:1], NoCorruption())
    network.train()
    return network, trainer.step


def images(count: int, side: int) -> Tensor:
    """Grey noise, count x 1 x side x side in [0, 1]."""
    return torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(1))


def _start() -> AESc:
    return AESc(generator=torch.Generator().manual_seed(0))


if __name__ == "__main__":
    main()
