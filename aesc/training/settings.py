"""What a training is asked to do, and what it reports."""

from __future__ import annotations

from dataclasses import dataclass, field

from aesc.errors import InputError


@dataclass(frozen=True)
class TrainingSettings:
    """The published schedule by default (paper, section IV, and the authors' code).

    Attributes:
        epochs: how often the validation images are looked at (paper: 250).
        batches: training batches an epoch (paper: 125).
        batch_size: images a batch (paper: 16).
        learning_rate: of Adam at the start. The authors' configuration names 0.01, but their code
            runs Adam at its default of 0.001.
        patience: epochs without a better validation PSNR before the learning rate is multiplied by
            ``factor`` (authors' code: 30 and 0.5).
        factor: see ``patience``.

    Raises:
        InputError: a count below 1, or a rate or factor that is not above 0 (factor: below 1 too).
    """

    epochs: int = 250
    batches: int = 125
    batch_size: int = 16
    learning_rate: float = 1e-3
    patience: int = 30
    factor: float = 0.5

    def __post_init__(self) -> None:
        for name in ("epochs", "batches", "batch_size", "patience"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise InputError(f"{name}={value} is not possible: give a whole number from 1.")
        if not 0 < self.learning_rate <= 1:
            raise InputError(
                f"learning_rate={self.learning_rate} is not possible: give a number above 0, "
                "at most 1 (0.001 is a good start)."
            )
        if not 0 < self.factor < 1:
            raise InputError(
                f"factor={self.factor} is not possible: give a number between 0 and 1."
            )


@dataclass
class History:
    """One entry per finished epoch.

    Attributes:
        loss: mean over the epoch's training batches.
        validation_psnr: of the validation images, in decibels.
        learning_rate: that the epoch was trained with.
    """

    loss: list[float] = field(default_factory=list)
    validation_psnr: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """Index of the first epoch with the best validation PSNR."""
        return max(range(len(self.loss)), key=self.validation_psnr.__getitem__)
