"""The training step of the paper's preset on a CUDA card: speed, memory, share of convolutions.

python -m benchmarks.gpu [--quick]
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from aesc.device import device_name
from aesc.experiment.config import PRESETS
from aesc.model import AESc
from aesc.noise import Stain
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
        side: of the images, in pixels.
        batch: images a step.
        images_per_second: over all steps.
        peak_megabytes: of the card's memory held by tensors; None on a CPU.
        convolution_share: of the time in kernels, in [0, 1].
    """

    card: str
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
    preset = PRESETS["paper"]
    measured = measure(
        torch.device("cuda"), preset.size, preset.training.batch_size, 10 if options.quick else 100
    )
    print(measured)
    write(options, "gpu", [], training_step=asdict(measured))


def measure(device: torch.device, side: int, batch: int, steps: int) -> Measurement:
    """Train on stains: a few steps to warm up, ``steps`` timed ones, and some under the profiler.

    Args:
        device: cpu or cuda.
        side: of the images, in pixels.
        batch: images a step.
        steps: that are timed.
    """
    network = AESc(generator=torch.Generator().manual_seed(0))
    clean = images(batch, side)
    trainer = Trainer(network, clean, clean[:1], Stain(), device=device)
    clean = clean.to(device)
    network.train()

    def run(count: int) -> None:
        for _ in range(count):
            trainer.step(clean)
        _wait(device)

    run(max(1, steps // 10))
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    start = time.perf_counter()
    run(steps)
    seconds = time.perf_counter() - start
    peak = torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else None
    share = convolution_share(lambda: run(max(1, steps // 10)), device)
    return Measurement(device_name(device), side, batch, steps * batch / seconds, peak, share)


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
