"""The methods that a run can train: what each builds, minimises, and makes of the test images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from aesc._checks import quoted
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
from aesc.errors import InputError
from aesc.model import AE, AESc
from aesc.noise import CORRUPTIONS, Corruption, Rich
from aesc.plus import AEScPlus, Lighting, defect_map, free_turns
from aesc.scoring import (
    AnomalyMaps,
    Compared,
    map_batches,
    paper_maps,
    residual_map,
)
from aesc.tiling import Tiling, in_tiles
from aesc.training import Augment


@dataclass(frozen=True)
class ScoringOptions:
    """How a trained network is asked about images.

    Attributes:
        passes: dropout passes of the uncertainty map.
        seed: seed of the dropout.
        device: where to compute.
        progress: show a bar with the time left.
        kinds: maps that are wanted, by name; all by default.
        tiling: how images are cut for the network; None shows it whole images.
    """

    passes: int
    seed: int
    device: torch.device
    progress: bool = False
    kinds: tuple[str, ...] | None = None
    tiling: Tiling | None = None


Build = Callable[[int, int, float, torch.Generator], nn.Module]
"""Channels, image side, batch-norm momentum and source of the initial weights to a network."""

Learn = Callable[[nn.Module, Tensor | ImageStream, torch.device], dict[str, Tensor]]
"""A trained network, the images that it was trained on and a device to what scoring must know of
those images, by name; kept with the weights."""

Varied = Callable[[Tensor | ImageStream], tuple[Augment, ...]]
"""Good images, of which no two show the same, to what changes those of the training, in this order,
before they are corrupted."""

Comparison = Callable[
    [nn.Module, Mapping[str, Tensor], ScoringOptions], Callable[[Tensor], Compared]
]
"""A trained network, what was learned of its training images, and options to a function of a batch
to its reconstruction and its anomaly maps."""


def _nothing(*_: object) -> dict[str, Tensor]:
    return {}


def _unchanged(_: object) -> tuple[()]:
    return ()


@dataclass(frozen=True)
class Method:
    """One method of the comparison. This entry is all that the package has to know of it.

    Attributes:
        title: how tables and figures call it.
        build: function that makes the untrained network.
        comparison: function that makes the function from a batch to its anomaly maps.
        corruptions: corruptions that it can be trained with, by name; its own comes first.
        smallest: least image side in pixels.
        loss: key of `LOSSES`.
        channels: channels of the images, unless a run says otherwise.
        norm: how a map becomes the image score, one of `aesc.scoring.SCORES`.
        kind: name of the map that a detector scores.
        decay: how the learning rate falls, one of `aesc.training.DECAYS`.
        varied: function that makes, from good images, what changes those of the training before
            they are corrupted.
        square: whether the network takes square images alone.
        learn: function that takes from the training images what scoring needs besides the network.

    Example:
        >>> METHODS["itae"].title, METHODS["itae"].smallest, METHODS["itae"].own_corruption
        ('ITAE', 16, 'erasing')
    """

    title: str
    build: Build
    comparison: Comparison
    corruptions: Mapping[str, Callable[[], Corruption]]
    smallest: int
    loss: str = "mse"
    channels: int = 1
    norm: str = "l2"
    kind: str = "residual"
    decay: str = "plateau"
    varied: Varied = _unchanged
    square: bool = False
    learn: Learn = _nothing

    def maps(
        self,
        model: nn.Module,
        images: Tensor,
        train: Tensor | ImageStream,
        options: ScoringOptions,
    ) -> AnomalyMaps:
        """The anomaly maps of images.

        Args:
            model: the trained network; it is put in evaluation mode and moved to the device.
            images: N x C x H x W in [0, 1].
            train: the images that it was trained on.
            options: passes, seed, device, bar and kinds of map.

        Raises:
            InputError: no images, or images that do not fit the network.
        """
        model.to(options.device).eval()
        learned = self.learn(model, train, options.device)
        compare = self.comparison(model, learned, options)
        if options.tiling is not None:
            compare = _tiled(compare, options.tiling)
        return map_batches(model, images, compare, device=options.device, progress=options.progress)

    @property
    def own_corruption(self) -> str:
        """Name of the corruption that it is trained with unless a run says otherwise."""
        return next(iter(self.corruptions))

    def check_corruption(self, name: str) -> None:
        """Refuse a corruption that the method cannot be trained with.

        Raises:
            InputError: it is none of ``corruptions``.
        """
        if name not in self.corruptions:
            raise InputError(
                f"corruption is {quoted(name)}: choose one of {', '.join(self.corruptions)} for "
                f"{self.title}, or leave it out."
            )

    def check_size(self, size: int) -> None:
        """Refuse images that are too small for the network.

        Raises:
            InputError: a side below `smallest`.
        """
        if size < self.smallest:
            raise InputError(
                f"size is {size}: give at least {self.smallest} pixels for {self.title}."
            )

    def check_shape(self, height: int, width: int) -> None:
        """Refuse images that are not square, for a network that takes no others.

        Raises:
            InputError: the sides differ.
        """
        if self.square and height != width:
            raise InputError(
                f"size is {width}x{height}: give one number for {self.title}, which takes square "
                "images."
            )


def _tiled(compare: Callable[[Tensor], Compared], tiling: Tiling) -> Callable[[Tensor], Compared]:
    """The same function for images that are larger than what the network takes."""
    kinds: list[str] = []

    def pieces(tiles: Tensor) -> list[Tensor]:
        reconstructions, maps = compare(tiles)
        kinds[:] = maps
        return [reconstructions, *maps.values()]

    def whole(images: Tensor) -> Compared:
        reconstructions, *maps = in_tiles(pieces, images, tiling)
        return reconstructions, dict(zip(kinds, maps, strict=True))

    return whole


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


def _turned_and_lit(good: Tensor | ImageStream) -> tuple[Augment, ...]:
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
