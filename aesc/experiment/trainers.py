"""The training of a method."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from aesc.data import ImageStream
from aesc.experiment.losses import LOSSES
from aesc.experiment.method import Method
from aesc.tiling import RandomCrop
from aesc.training import InTurn, Trainer, TrainingSettings


def method_trainer(
    method: Method,
    model: nn.Module,
    train: Tensor | ImageStream,
    validation: Tensor,
    settings: TrainingSettings | None = None,
    *,
    whole: Sequence[Tensor] | None = None,
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
        whole: the images, C x H x W each, that ``train`` holds tiles of. They tell what may be
            changed in training, which tiles that overlap do not.
        corruption: name of one that the method can be trained with; by default its own.
        tile: side of the squares that the network is trained on, at random places of the images,
            in the middle of those for validation; 0 trains on whole images.
        seed: of batches, corruption and dropout.
        device: where to compute.
        checkpoint: file to resume from.

    Raises:
        InputError: as `aesc.training.Trainer`.
    """
    changes = method.varied(train if whole is None else whole)
    if tile:
        top, left = ((side - tile) // 2 for side in validation.shape[2:])
        validation = validation[..., top : top + tile, left : left + tile].contiguous()
        changes = (RandomCrop(tile), *changes)
    return Trainer(
        model,
        train,
        validation,
        method.corruptions[corruption or method.own_corruption](),
        settings,
        seed=seed,
        loss=LOSSES[method.loss],
        augment=InTurn(changes) if changes else None,
        device=device,
        checkpoint=checkpoint,
    )
