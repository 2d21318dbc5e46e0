"""The training of a method."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from aesc.data import ImageStream
from aesc.experiment.losses import LOSSES
from aesc.experiment.methods import Method
from aesc.tiling import RandomCrop
from aesc.training import Augment, Trainer, TrainingSettings


@dataclass(frozen=True)
class CropFirst:
    """A crop, and then what a method itself changes about good images."""

    crop: RandomCrop
    then: Augment | None

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """B x C x H x W to B x C x S x S."""
        images = self.crop(images, generator)
        return images if self.then is None else self.then(images, generator)


def method_trainer(
    method: Method,
    model: nn.Module,
    train: Tensor | ImageStream,
    validation: Tensor,
    settings: TrainingSettings | None = None,
    *,
    corruption: str | None = None,
    tile: int = 0,
    seed: int = 0,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
) -> Trainer:
    """A trainer with the corruption, the loss and the augmentation of a method.

    Args:
        method: one of `METHODS`.
        model: what the method built.
        train: N x C x H x W in [0, 1], or a stream of them.
        validation: images of the same shape, whose reconstruction chooses the epoch.
        settings: the schedule.
        corruption: name of one that the method can be trained with; by default its own.
        tile: side of the squares that the network is trained on, at random places of the images,
            in the middle of those for validation; 0 trains on whole images.
        seed: of batches, corruption and dropout.
        device: where to compute.
        checkpoint: file to resume from.

    Raises:
        InputError: as `aesc.training.Trainer`.
    """
    augment = method.augment
    if tile:
        top, left = ((side - tile) // 2 for side in validation.shape[2:])
        validation = validation[..., top : top + tile, left : left + tile].contiguous()
        augment = CropFirst(RandomCrop(tile), method.augment)
    return Trainer(
        model,
        train,
        validation,
        method.corruptions[corruption or method.own_corruption](),
        settings,
        seed=seed,
        loss=LOSSES[method.loss],
        augment=augment,
        device=device,
        checkpoint=checkpoint,
    )
