"""What a training is asked to do, and what it reports."""

from __future__ import annotations

from dataclasses import dataclass, field

from aesc._checks import number, whole


@dataclass(frozen=True)
class TrainingSettings:
    """The published schedule by default (paper, section IV, and the authors' code).

    Attributes:
        epochs: number of epochs; the validation images are looked at after each (paper: 250).
        batches: training batches per epoch (paper: 125).
        batch_size: images per batch (paper: 16).
        learning_rate: step size of Adam at the start, in (0, 1]. The authors' configuration names
            0.01, but their code runs Adam at its default of 0.001.
        patience: epochs without a better validation PSNR before the learning rate is multiplied by
            ``factor`` (authors' code: 30 and 0.5).
        factor: what the learning rate is multiplied by, in (0, 1).

    Raises:
        InputError: a count that is not a positive whole number, or a learning rate or factor
            outside its range.

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

    def __post_init__(self) -> None:
        for name in ("epochs", "batches", "batch_size", "patience"):
            whole(name, getattr(self, name))
        number("learning_rate", self.learning_rate, 0, 1, above=True)
        number("factor", self.factor, 0, 1, above=True, below=True)


@dataclass
class History:
    """One entry per finished epoch.

    Attributes:
        loss: mean loss over the epoch's training batches.
        validation_psnr: mean PSNR of the validation images, in decibels.
        learning_rate: learning rate during the epoch.
    """

    loss: list[float] = field(default_factory=list)
    validation_psnr: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """Index of the first epoch with the best validation PSNR."""
        return max(range(len(self.loss)), key=self.validation_psnr.__getitem__)
