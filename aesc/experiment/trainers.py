"""The training of a method."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from aesc.data import ImageStream
from aesc.experiment.losses import LOSSES
from aesc.experiment.methods import Method
from aesc.training import Trainer, TrainingSettings


def method_trainer(
    method: Method,
    model: nn.Module,
    train: Tensor | ImageStream,
    validation: Tensor,
    settings: TrainingSettings | None = None,
    *,
    corruption: str | None = None,
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
        seed: of batches, corruption and dropout.
        device: where to compute.
        checkpoint: file to resume from.

    Raises:
        InputError: as `aesc.training.Trainer`.
    """
    return Trainer(
        model,
        train,
        validation,
        method.corruptions[corruption or method.own_corruption](),
        settings,
        seed=seed,
        loss=LOSSES[method.loss],
        augment=method.augment,
        device=device,
        checkpoint=checkpoint,
    )
