"""The methods that a run can train: what each builds, minimises, and makes of the test images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from aesc.baselines import (
    AttributeErasing,
    ConvAE,
    RestorationNet,
    restore_and_map,
    ssim_map,
    typical_errors,
)
from aesc.baselines.convolutional import SMALLEST
from aesc.baselines.restoration import POOLINGS
from aesc.data import ImageStream
from aesc.experiment.method import Build, Comparison, Method, ScoringOptions
from aesc.model import AE, AESc
from aesc.noise import CORRUPTIONS, Corruption, Rich
from aesc.plus import AEScPlus, Lighting, defect_map, free_turns
from aesc.scoring import Compared, paper_maps, residual_map
from aesc.training import Augment


def _dropout(
    model: nn.Module, _: Mapping[str, Tensor], options: ScoringOptions
) -> Callable[[Tensor], Compared]:
    network = cast(AESc, model).for_inference()
    return paper_maps(network, options.passes, options.seed, options.kinds)


def _residual(difference: Callable[[Tensor, Tensor], Tensor]) -> Comparison:
    """A residual map alone, by a function of images and reconstructions."""

    def comparison(model: nn.Module, *_: object) -> Callable[[Tensor], Compared]:
        def compare(batch: Tensor) -> Compared:
            reconstruction = model(batch)  # B x C x H x W
            return reconstruction, {"residual": difference(batch, reconstruction)}

        return compare

    return comparison


def _dissimilarity(images: Tensor, reconstructions: Tensor) -> Tensor:
    return 1 - ssim_map(images, reconstructions)


def _typical(
    model: nn.Module, train: Tensor | ImageStream, device: torch.device
) -> dict[str, Tensor]:
    # A stream of images is split like a tensor of them.
    return {"typical": typical_errors(model, cast(Tensor, train), device=device)}


def _restoration_maps(
    model: nn.Module, learned: Mapping[str, Tensor], _: ScoringOptions
) -> Callable[[Tensor], Compared]:
    def compare(batch: Tensor) -> Compared:
        restored, errors = restore_and_map(model, batch, learned["typical"].to(batch.device))
        return restored, {"residual": errors}

    return compare


def _turned_and_lit(
    good: Tensor | ImageStream | Sequence[Tensor],
) -> tuple[Augment, ...]:
    return free_turns(good), Lighting()


def _defect(
    model: nn.Module, _: Mapping[str, Tensor], options: ScoringOptions
) -> Callable[[Tensor], Compared]:
    network = cast(AEScPlus, model).for_inference()

    def compare(batch: Tensor) -> Compared:
        channels = batch.shape[1]
        repaired, _, unlike, marked = network(batch).split([channels, channels, 1, 1], 1)
        maps = {"residual": residual_map(batch, repaired), "defect": defect_map(unlike, marked)}
        return repaired, maps  # B x C x H x W, and each B x H x W

    return compare


def _paper(kind: type[AESc]) -> Build:
    return lambda channels, _, momentum, generator: kind(
        channels, momentum=momentum, generator=generator
    )


def _bergmann(channels: int, size: int, _: float, generator: torch.Generator) -> nn.Module:
    return ConvAE(channels, size, generator=generator)


def _restoration(channels: int, _: int, momentum: float, generator: torch.Generator) -> nn.Module:
    return RestorationNet(channels, momentum=momentum, generator=generator)


def _plus(channels: int, _: int, momentum: float, generator: torch.Generator) -> nn.Module:
    return AEScPlus(channels, momentum=momentum, generator=generator)


_STAIN_FIRST: dict[str, Callable[[], Corruption]] = {
    "stain": CORRUPTIONS["stain"],
    **CORRUPTIONS,
    "rich": Rich,
}
_UNCORRUPTED = {"none": CORRUPTIONS["none"]}
_SIX_HALVINGS = 2**6

METHODS: dict[str, Method] = {
    "aesc": Method("AESc", _paper(AESc), _dropout, _STAIN_FIRST, _SIX_HALVINGS),
    "ae": Method("AE", _paper(AE), _dropout, _STAIN_FIRST, _SIX_HALVINGS),
    "ae_l2": Method(
        "AE_L2", _bergmann, _residual(residual_map), _UNCORRUPTED, SMALLEST, square=True
    ),
    "ae_ssim": Method(
        "AE_SSIM",
        _bergmann,
        _residual(_dissimilarity),
        _UNCORRUPTED,
        SMALLEST,
        loss="ssim",
        square=True,
    ),
    "itae": Method(
        "ITAE",
        _restoration,
        _restoration_maps,
        {"erasing": AttributeErasing},
        2**POOLINGS,
        loss="l1",
        channels=3,
        norm="l1",
        square=True,  # it turns images by quarters
        learn=_typical,
    ),
    "aesc_plus": Method(
        "AESc+",
        _plus,
        _defect,
        {"rich": Rich},
        _SIX_HALVINGS,
        loss="repair_and_mark",
        channels=3,
        norm="top",
        kind="defect",
        decay="cosine",
        varied=_turned_and_lit,
    ),
}
"""By the name used in configurations and records.

The first two are the paper's own (Collin & De Vleeschouwer, ICPR 2020), the next three its rivals:
AE_L2 and AE_SSIM (Bergmann et al., CVPR 2019), grey like the paper's, and ITAE (Huang et al., arXiv
1911.10676), in colour because it erases colour. AESc+ goes past the paper, see `aesc.plus`.
"""
