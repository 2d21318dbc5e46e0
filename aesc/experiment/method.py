"""What a method is: how its network is built, what it minimises, and how it scores images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from aesc._checks import quoted
from aesc.data import ImageStream
from aesc.errors import InputError
from aesc.noise import Corruption
from aesc.scoring import AnomalyMaps, Compared, map_batches
from aesc.tiling import Corner, Tiling, in_tiles
from aesc.training import Augment


@dataclass(frozen=True)
class ScoringOptions:
    """How a trained network is asked about images.

    Attributes:
        passes: dropout passes of the uncertainty map.
        seed: seed of the dropout.
        device: where to compute.
        progress: show a bar with the time left.
        kinds: maps that are wanted, by name; others may be left out. By default all.
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

Varied = Callable[[Tensor | ImageStream | Sequence[Tensor]], tuple[Augment, ...]]
"""Whole good images to the changes, in this order, that those of the training go through before
they are corrupted."""

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
        varied: function that makes, from good images, the changes of those of the training before
            they are corrupted.
        square: whether the network takes square images alone.
        learn: function that takes from the training images what scoring needs besides the network.

    Example:
        >>> from aesc.experiment import METHODS
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
            train: the images that it was trained on, or that its tiles were of.
            options: passes, seed, device, bar and kinds of map.

        Raises:
            InputError: no images, or images that do not fit the network.
        """
        model.to(options.device).eval()
        seen = train if options.tiling is None else cast(Tensor, _Tiles(train, options.tiling))
        learned = self.learn(model, seen, options.device)
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

    def check_size(self, size: int, name: str = "size") -> None:
        """Refuse images that are too small for the network.

        Args:
            size: side in pixels of what the network is shown.
            name: what the message calls it.

        Raises:
            InputError: a side below `smallest`.
        """
        if size < self.smallest:
            raise InputError(
                f"{name} is {size}: give at least {self.smallest} pixels for {self.title}."
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


@dataclass(frozen=True)
class _Tiles:
    """All tiles of images, which are split like a tensor of them and cut an image at a time."""

    images: Tensor | ImageStream
    tiling: Tiling

    def __len__(self) -> int:
        return len(self.images) * len(self._corners())

    def split(self, batch_size: int) -> Iterator[Tensor]:
        for image in self.images.split(1):  # 1 x C x H x W
            tiles = [self.tiling.cut(image, corner) for corner in self._corners()]
            yield from torch.cat(tiles).split(batch_size)

    def _corners(self) -> list[Corner]:
        _, _, height, width = self.images.shape
        return self.tiling.corners(height, width)


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
