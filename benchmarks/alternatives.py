"""What else was weighed for the network's speed, each against the package as it is.

A ratio above 1 is a gain. ``torch.compile`` needs a C++ compiler.

    python -m benchmarks.alternatives [--quick] [--threads N]
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.nn import functional

from aesc.model import AESc
from benchmarks.harness import Row, arguments, compare, write
from benchmarks.training_step import images

BATCH, SIDE = 16, 128

Forward = Callable[[Tensor], Tensor]


def main() -> None:
    """Measure and write."""
    options = arguments(__doc__.splitlines()[0])
    repeats = 3 if options.quick else 9
    batch = images(BATCH, SIDE)
    rows = [*training_rows(batch, repeats), *inference_rows(batch, repeats)]
    write(options, "alternatives", rows)


def training_rows(batch: Tensor, repeats: int) -> list[Row]:
    """A training step done otherwise."""
    first = _network(torch.contiguous_format)
    compiled, half, single = _network(), _network(), _network()
    other_ways = {
        "torch.compile": _step(compiled, torch.compile(compiled), batch),
        "bfloat16 by autocast": _step(half, _with_autocast(half), batch),
        "channels first": _step(first, first, batch.contiguous()),
        "one thread": _on_one_thread(_step(single, single, batch)),
    }
    ours = _network()
    as_it_is = _step(ours, ours, batch)
    return [_row("training step", way, as_it_is, call, repeats) for way, call in other_ways.items()]


def inference_rows(batch: Tensor, repeats: int) -> list[Row]:
    """A reconstruction done otherwise."""
    prepared = _network().eval().for_inference()
    compiled = torch.compile(prepared)
    as_it_is = _applied(prepared, batch, torch.inference_mode)
    other_ways = {
        "torch.compile": _applied(compiled, batch, torch.inference_mode),
        "bfloat16 by autocast": _applied(_with_autocast(prepared), batch, torch.inference_mode),
        "no_grad instead of inference_mode": _applied(prepared, batch, torch.no_grad),
    }
    return [
        _row("reconstruction", way, as_it_is, call, repeats) for way, call in other_ways.items()
    ]


def _row(
    what: str,
    way: str,
    as_it_is: Callable[[], object],
    call: Callable[[], object],
    repeats: int,
) -> Row:
    size = f"{BATCH} grey images of {SIDE} px"
    return compare(f"{what} with {way}, {size}", "as it is", as_it_is, call, 1, repeats=repeats)


def _network(layout: torch.memory_format = torch.channels_last) -> AESc:
    start = AESc(generator=torch.Generator().manual_seed(0))
    # torch's types leave this form of `to` out.
    return start.to(memory_format=layout)  # type: ignore[call-overload]


def _step(network: nn.Module, forward: Forward, batch: Tensor) -> Callable[[], None]:
    adam = torch.optim.Adam(network.parameters(), fused=True)

    def step() -> None:
        adam.zero_grad()
        functional.mse_loss(forward(batch), batch).backward()
        adam.step()

    return step


def _applied(
    forward: Forward, batch: Tensor, mode: Callable[[], AbstractContextManager[object]]
) -> Callable[[], Tensor]:
    def apply() -> Tensor:
        with mode():
            return forward(batch)

    return apply


def _with_autocast(forward: Forward) -> Forward:
    def in_half(batch: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return forward(batch)

    return in_half


def _on_one_thread(call: Callable[[], None]) -> Callable[[], None]:
    def alone() -> None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            call()
        finally:
            torch.set_num_threads(threads)

    return alone


if __name__ == "__main__":
    main()
