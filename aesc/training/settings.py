"""What a training is asked to do, and what it reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional

from aesc._checks import choice, number, whole

DECAYS = ("plateau", "cosine")
"""How the learning rate falls."""

Augment = Callable[[Tensor, torch.Generator], Tensor]
"""Good images, B x C x H x W in [0, 1], and a source of draws to changed ones of that shape."""


@dataclass(frozen=True)
class InTurn:
    """Several changes of good images, one after another."""

    changes: tuple[Augment, ...]

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """B x C x H x W good images, as the last of the changes gives them."""
        for change in self.changes:
            images = change(images, generator)
        return images


@runtime_checkable
class Looks(Protocol):
    """A network that decides something by images that it is not trained on."""

    def look(self, corrupted: Tensor, mask: Tensor) -> None:
        """Decide, given N x C x H x W corrupted images and where they are, N x 1 x H x W; the
        network is in evaluation mode.
        """


def mse_loss(reconstructions: Tensor, clean: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error over all pixels, whatever the corruption changed."""
    return functional.mse_loss(reconstructions, clean)


@dataclass(frozen=True)
class TrainingSettings:
    """The published schedule by default (paper, section IV, and the authors' code).

    Attributes:
        epochs: number of epochs; the validation images are looked at after each (paper: 250).
        batches: training batches per epoch (paper: 125).
        batch_size: images per batch (paper: 16).
        learning_rate: step size of Adam at the start, in (0, 1]. The authors' configuration names
            0.01, but their code runs Adam at its default of 0.001.
        patience: epochs without progress that are waited for; at the next one without, the learning
            rate is multiplied by ``factor`` (authors' code: 30 and 0.5). Progress is a validation
            PSNR of more than 1.0001 times that of the last progress, which slow gains make in
            several epochs.
        factor: what the learning rate is multiplied by, in (0, 1).
        decay: ``plateau`` is the published schedule: the learning rate falls when the validation
            PSNR no longer rises, and the weights of the best epoch are kept. With ``cosine`` it
            falls to 0 along half a period of the cosine, whatever the PSNR does, and the last
            weights are kept.

    Raises:
        InputError: a count that is not a positive whole number, a learning rate or factor
            outside its range, or an unknown decay.

    Example:
        >>> settings = TrainingSettings(epochs=2)
        >>> settings.epochs * settings.batches * settings.batch_size  # images seen
        4000
    """

    epochs: int = 250
    batches: int = 125
    batch_size: int = 16
    learning_rate: float = 1e-3
    patience: int = 30
    factor: float = 0.5
    decay: str = "plateau"

    def __post_init__(self) -> None:
        for name in ("epochs", "batches", "batch_size", "patience"):
            whole(name, getattr(self, name))
        number("learning_rate", self.learning_rate, 0, 1, above=True)
        number("factor", self.factor, 0, 1, above=True, below=True)
        choice("decay", self.decay, DECAYS)


@dataclass
class History:
    """One entry per finished epoch.

    Attributes:
        loss: mean loss over the epoch's training batches.
        validation_psnr: mean PSNR of the validation images, in decibels.
        learning_rate: learning rate of the epoch's last batch; it changes within an epoch with the
            decay ``cosine`` only.
        keep_last: whether the weights of the last epoch are kept, and not those of the best.
    """

    loss: list[float] = field(default_factory=list)
    validation_psnr: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    keep_last: bool = False

    @property
    def best_epoch(self) -> int:
        """Index of the epoch whose weights are kept: the first with the best validation PSNR.

        Of a training that keeps the last weights it is the last.
        """
        if self.keep_last:
            return len(self.loss) - 1
        return max(range(len(self.loss)), key=self.validation_psnr.__getitem__)
