"""The learning rate, as it falls during a training."""

from __future__ import annotations

import math
from typing import Any

import torch

from aesc.training.settings import TrainingSettings


class LearningRate:
    """Sets an optimizer's learning rate: on a plateau of the validation PSNR, or along a cosine.

    A plateau is what `torch.optim.lr_scheduler.ReduceLROnPlateau` calls one: one epoch more than
    the patience in which the PSNR was not above the best by more than a ten-thousandth of it.

    Args:
        optimizer: with one group of parameters.
        settings: how the rate falls.
        device: on cuda the optimizer is given the rate as a tensor, which a recorded step reads
            anew each time.

    Example:
        >>> optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)])
        >>> settings = TrainingSettings(epochs=2, batches=1, decay="cosine")
        >>> rate = LearningRate(optimizer, settings, torch.device("cpu"))
        >>> rate.before_batch(1)
        >>> rate.value
        0.0005
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, settings: TrainingSettings, device: torch.device
    ) -> None:
        self._optimizer = optimizer
        self.settings = settings
        self.cosine = settings.decay == "cosine"
        self.value = settings.learning_rate
        self._scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, "max", settings.factor, settings.patience
        )
        self._tensor = torch.zeros((), device=device) if device.type == "cuda" else None
        self._set(self.value)

    def before_batch(self, batch: int) -> None:
        """Follow the cosine; batches are counted from the first of the training."""
        if self.cosine:
            share = batch / (self.settings.epochs * self.settings.batches)
            self._set(self.settings.learning_rate * (1 + math.cos(math.pi * share)) / 2)

    def after_epoch(self, decibels: float) -> None:
        """Look for a plateau of the validation PSNR."""
        if not self.cosine:
            (group,) = self._optimizer.param_groups
            group["lr"] = self.value  # the scheduler multiplies the host's number
            self._scheduler.step(decibels)
            self._set(group["lr"])

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as JSON can hold it."""
        return {"learning_rate": self.value, "scheduler": self._scheduler.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave, after the optimizer got back its own."""
        self._scheduler.load_state_dict(state["scheduler"])
        self._set(state["learning_rate"])

    def _set(self, value: float) -> None:
        self.value = value
        (group,) = self._optimizer.param_groups
        group["lr"] = value if self._tensor is None else self._tensor.fill_(value)
