"""The methods that a run can train: what each builds, minimises, and makes of the test images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from aesc.baselines import (
    AttributeErasing,
    ConvAE,
    RestorationNet,
    restore_and_map,
    ssim_loss,
    ssim_map,
    typical_errors,
)
from aesc.errors import InputError
from aesc.model import AE, AESc
from aesc.noise import CORRUPTIONS, Corruption
from aesc.scoring import AnomalyMaps, anomaly_maps, map_batches, residual_map

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": functional.mse_loss,
    "l1": functional.l1_loss,
    "ssim": ssim_loss,
}
"""What a training minimises, between reconstruction and clean image, by the name in records."""


@dataclass(frozen=True)
class Scoring:
    """How a trained network is asked about images.

    Attributes:
        train: N x C x H x W good images that it was trained on, for methods that calibrate on them.
        passes: dropout passes of the uncertainty map.
        seed: of the dropout.
        device: that computes.
        progress: show a bar with the time left.
    """

    train: Tensor
    passes: int
    seed: int
    device: torch.device
    progress: bool


@dataclass(frozen=True)
class Method:
    """One method of the comparison.

    Attributes:
        title: how tables and figures call it.
        build: (channels, image side, batch-norm momentum, generator) to an untrained network.
        maps: (network, N x C x H x W test images, scoring) to the anomaly maps.
        corruptions: names of the corruptions it can be trained with, its own first.
        loss: key of `LOSSES`.
        channels: of the images, unless a run says otherwise.
        norm: that turns a map into the image score.
    """

    title: str
    build: Callable[[int, int, float, torch.Generator], nn.Module]
    maps: Callable[[nn.Module, Tensor, Scoring], AnomalyMaps]
    corruptions: tuple[str, ...]
    loss: str = "mse"
    channels: int = 1
    norm: str = "l2"

    def check_corruption(self, name: str) -> None:
        """Raise InputError when the method cannot be trained with the corruption of that name."""
        if name not in self.corruptions:
            raise InputError(
                f"{self.title} cannot be trained with corruption {name!r}: choose one of "
                f"{', '.join(self.corruptions)}, or leave it out."
            )


def corruption_of(name: str) -> Corruption:
    """The corruption of a checked run configuration: one of the paper, or ITAE's erasing."""
    return AttributeErasing() if name == ERASING else CORRUPTIONS[name]()


def _dropout_maps(model: nn.Module, images: Tensor, how: Scoring) -> AnomalyMaps:
    return anomaly_maps(
        model, images, passes=how.passes, seed=how.seed, device=how.device, progress=how.progress
    )


def _compared(
    difference: Callable[[Tensor, Tensor], Tensor],
) -> Callable[[nn.Module, Tensor, Scoring], AnomalyMaps]:
    """Maps that compare an image with its reconstruction, in this order."""

    def maps(model: nn.Module, images: Tensor, how: Scoring) -> AnomalyMaps:
        def compare(batch: Tensor) -> tuple[Tensor, Tensor]:
            reconstruction = model(batch)
            return reconstruction, difference(batch, reconstruction)

        return map_batches(model, images, compare, device=how.device, progress=how.progress)

    return maps


def _dissimilarity(images: Tensor, reconstructions: Tensor) -> Tensor:
    return 1 - ssim_map(images, reconstructions)


def _restoration_maps(model: nn.Module, images: Tensor, how: Scoring) -> AnomalyMaps:
    typical = typical_errors(model, how.train, device=how.device)
    compare = partial(restore_and_map, model, typical=typical)
    return map_batches(model, images, compare, device=how.device, progress=how.progress)


def _paper(kind: type[AESc]) -> Callable[[int, int, float, torch.Generator], nn.Module]:
    return lambda channels, _, momentum, generator: kind(
        channels, momentum=momentum, generator=generator
    )


def _bergmann(channels: int, size: int, _: float, generator: torch.Generator) -> nn.Module:
    return ConvAE(channels, size, generator=generator)


def _restoration(channels: int, _: int, momentum: float, generator: torch.Generator) -> nn.Module:
    return RestorationNet(channels, momentum=momentum, generator=generator)


ERASING = "erasing"
_PAPER = ("stain", *(name for name in CORRUPTIONS if name != "stain"))

METHODS: dict[str, Method] = {
    "aesc": Method("AESc", _paper(AESc), _dropout_maps, _PAPER),
    "ae": Method("AE", _paper(AE), _dropout_maps, _PAPER),
    "ae_l2": Method("AE_L2", _bergmann, _compared(residual_map), ("none",)),
    "ae_ssim": Method("AE_SSIM", _bergmann, _compared(_dissimilarity), ("none",), loss="ssim"),
    "itae": Method(
        "ITAE", _restoration, _restoration_maps, (ERASING,), loss="l1", channels=3, norm="l1"
    ),
}
"""By the name used in configurations and records.

The first two are the paper's own (Collin & De Vleeschouwer, ICPR 2020), the others its rivals:
AE_L2 and AE_SSIM (Bergmann et al., CVPR 2019), grey like the paper's, and ITAE (Huang et al., arXiv
1911.10676), in colour because it erases colour.
"""
