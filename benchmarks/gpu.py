"""Training on a CUDA card: speed, memory, share of convolutions, what a seed repeats.

python -m benchmarks.gpu [--quick]
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from aesc.device import device_name
from aesc.experiment.config import PRESETS
from aesc.experiment.methods import METHODS
from aesc.experiment.trainers import method_trainer
from aesc.noise import CORRUPTIONS, corruption
from aesc.training import Trainer
from benchmarks.harness import arguments, write
from benchmarks.training_step import images

CONVOLUTIONS = ("aten::convolution", "aten::convolution_backward")
"""Operations whose kernels count as convolutions, changes of layout inside them included."""


@dataclass(frozen=True)
class Measurement:
    """What was measured of a training step.

    Attributes:
        card: name of the device.
        method: that is trained.
        recorded: whether the step is replayed as one CUDA graph.
        side: of the images, in pixels.
        batch: images a step.
        images_per_second: over all steps.
        peak_megabytes: of the card's memory held by tensors; None on a CPU.
        convolution_share: of the time in kernels, in [0, 1].
    """

    card: str
    method: str
    recorded: bool
    side: int
    batch: int
    images_per_second: float
    peak_megabytes: float | None
    convolution_share: float


def main() -> None:
    """Measure on a CUDA card, print and write; without one, say so."""
    options = arguments(__doc__.splitlines()[0])
    if not torch.cuda.is_available():
        print("Nothing was measured: this machine has no CUDA card.")
        return
    device, steps = torch.device("cuda"), 20 if options.quick else 100
    side = PRESETS["paper"].size
    cases = [(batch, recorded) for batch in (16, 64) for recorded in (False, True)]
    rows = [measure(device, side, batch, steps, recorded=recorded) for batch, recorded in cases]
    side = PRESETS["standard"].size
    rows += [measure(device, side, 16, steps, method=name) for name in METHODS]
    for row in rows:
        print(row, flush=True)
    same = seeds(device, 2 * steps)
    print(same, flush=True)
    write(
        options,
        "gpu",
        [],
        training_step=[asdict(row) for row in rows],
        corruption_milliseconds=corruptions(device, PRESETS["paper"].size, 16),
        same_seed=same,
    )


def measure(
    device: torch.device,
    side: int,
    batch: int,
    steps: int,
    *,
    recorded: bool = True,
    method: str = "aesc",
) -> Measurement:
    """Train: a few steps to warm up, ``steps`` timed ones, and some under the profiler.

    Args:
        device: cpu or cuda.
        side: of the images, in pixels.
        batch: images a step.
        steps: that are timed.
        recorded: on cuda, replay a recording of the step.
        method: that is trained.
    """
    trainer, clean = training(device, side, batch, method)
    step = trainer.step if recorded else trainer._step

    def run(count: int, step: Callable[[Tensor], Tensor] = step) -> None:
        for _ in range(count):
            step(clean)
        _wait(device)

    run(trainer.warm_up)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    start = time.perf_counter()
    run(steps)
    seconds = time.perf_counter() - start
    peak = torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else None
    # The kernels of a recording are those of the step, but no longer tell what launched them.
    share = convolution_share(lambda: run(max(1, steps // 20), trainer._step), device)
    return Measurement(
        device_name(device),
        method,
        trainer.captured is not None and trainer.captured.recorded,
        side,
        batch,
        steps * batch / seconds,
        peak,
        share,
    )


def training(
    device: torch.device, side: int, batch: int, method: str = "aesc"
) -> tuple[Trainer, Tensor]:
    """A training of a method, and a batch of good images on the device."""
    chosen = METHODS[method]
    generator = torch.Generator().manual_seed(0)
    network = chosen.build(chosen.channels, side, PRESETS["paper"].momentum, generator)
    clean = images(batch, side).expand(-1, chosen.channels, -1, -1).contiguous()
    trainer = method_trainer(chosen, network, clean, clean[:1], device=device)
    network.train()
    return trainer, clean.to(device)


def corruptions(device: torch.device, side: int, batch: int) -> dict[str, float]:
    """Milliseconds that each corruption takes for a batch, kernel by kernel."""
    clean, generator = images(batch, side).to(device), torch.Generator(device).manual_seed(0)
    found = {}
    for name in CORRUPTIONS:
        corrupt = corruption(name)
        for repeats in (3, 20):  # the first ones warm up
            _wait(device)
            start = time.perf_counter()
            for _ in range(repeats):
                corrupt(clean, generator)
            _wait(device)
        found[name] = 1000 * (time.perf_counter() - start) / repeats
    return found


def seeds(device: torch.device, steps: int) -> dict[str, object]:
    """Two trainings of one seed, three times: their last losses, and the seconds of one.

    As they are; with deterministic algorithms; and with these kernel by kernel.
    """
    found: dict[str, object] = {"steps": steps}
    cases = {"usual": (False, True), "deterministic": (True, True), "by_kernel": (True, False)}
    for name, (deterministic, recorded) in cases.items():
        with _deterministic(deterministic):
            runs = [_seconds_and_loss(device, steps, recorded) for _ in range(2)]
        found[name] = {"seconds": runs[1][0], "last_losses": [loss for _, loss in runs]}
    return found


def _seconds_and_loss(device: torch.device, steps: int, recorded: bool) -> tuple[float, float]:
    trainer, clean = training(device, PRESETS["standard"].size, 16)
    step = trainer.step if recorded else trainer._step
    for _ in range(trainer.warm_up):
        step(clean)
    _wait(device)
    start = time.perf_counter()
    for _ in range(steps):
        loss = step(clean)
    last = loss.item()  # waits for the device
    return time.perf_counter() - start, last


@contextmanager
def _deterministic(wanted: bool) -> Iterator[None]:
    """Algorithms that give the same bits each time, where torch has them."""
    before = torch.backends.cudnn.deterministic
    torch.use_deterministic_algorithms(wanted, warn_only=True)
    torch.backends.cudnn.deterministic = wanted
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.deterministic = before


def convolution_share(work: Callable[[], object], device: torch.device) -> float:
    """Share of the kernels' time that is spent in convolutions, in [0, 1]."""
    cuda = device.type == "cuda"
    with profile(activities=[ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * cuda]) as profiler:
        work()
    # A kernel counts for the operation that launched it, and is listed once more by itself.
    events = [each for each in profiler.key_averages() if each.device_type == DeviceType.CPU]
    if cuda:
        whole = sum(event.self_device_time_total for event in events)
        part = sum(event.device_time_total for event in events if event.key in CONVOLUTIONS)
    else:
        whole = sum(event.self_cpu_time_total for event in events)
        part = sum(event.cpu_time_total for event in events if event.key in CONVOLUTIONS)
    return part / whole


def _wait(device: torch.device) -> None:
    """Until the card has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
