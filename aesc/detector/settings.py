"""How a detector is made, and how long that will take."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from aesc._checks import channels, choice, number, quoted, whole
from aesc.data.images import Size
from aesc.detector.calibration import FALSE_REJECTS, REVIEW, check_shares
from aesc.detector.inputs import Preprocessing
from aesc.detector.region import RegionOfInterest
from aesc.device import resolve_device
from aesc.errors import InputError
from aesc.experiment import METHODS, PRESETS, method_trainer
from aesc.tiling import Tiling
from aesc.training import Checkpoint, TrainingSettings

TIMED_STEPS = 3
"""Training steps that are timed to say how long a training will take."""

MOST_SIDE = 4096
"""Largest side in pixels that the network is shown."""

MOST_EPOCHS = 1000
"""Most epochs that a number of minutes is turned into."""


@dataclass(frozen=True)
class FitSettings:
    """How a detector is made.

    Attributes:
        method: key of `aesc.experiment.METHODS`.
        preset: key of `aesc.experiment.PRESETS`: image size and schedule.
        size: width and height that images are resized to without distortion, or one number for a
            square; None for the square of the preset, or with ``tile`` for the size of each image.
        tile: side of the square tiles that images are cut into; None shows the network whole
            images.
        overlap: least overlap of neighbouring tiles; None for a quarter of the tile.
        channels: 1 (grey) or 3 (colour); None for that of the method.
        minutes: how long the training may take, about; None for the schedule of the preset.
        seed: of the weights and the training.
        false_rejects: share of good images that may be rejected.
        review: share of good images that may be rejected or set aside for a person.
        device: where to compute: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        roi: where to look; None is everywhere.
        licence: of the images, for the card; the detector is made of them.

    Raises:
        InputError: a value that is unknown or out of range, or a region of interest that vanishes
            at the size.
    """

    method: str = "aesc"
    preset: str = "quick"
    size: int | Size | None = None
    tile: int | None = None
    overlap: int | None = None
    channels: int | None = None
    minutes: float | None = None
    seed: int = 0
    false_rejects: float = FALSE_REJECTS
    review: float = REVIEW
    device: str = "auto"
    roi: RegionOfInterest | None = None
    licence: str | None = None

    def __post_init__(self) -> None:
        choice("method", self.method, METHODS)
        choice("preset", self.preset, PRESETS)
        if self.channels is not None:
            channels(self.channels)
        if isinstance(self.size, tuple) and len(self.size) != 2:
            raise InputError(f"size is {self.size}: give one number, or width and height.")
        for side in self.frame or ():
            METHODS[self.method].check_size(whole("size", side, 1, MOST_SIDE))
        if self.tile is not None:
            whole("tile", self.tile, METHODS[self.method].smallest, MOST_SIDE)
        elif self.overlap is not None:
            raise InputError("overlap is of tiles: give tile as well.")
        METHODS[self.method].check_shape(*self.reading(1.0).shape)
        if self.minutes is not None:
            number("minutes", self.minutes, 0, above=True)
        whole("seed", self.seed, 0, 2**31 - 1)
        check_shares(self.false_rejects, self.review)
        resolve_device(self.device)
        if self.licence is not None:
            _check_licence(self.licence)

    @property
    def frame(self) -> Size | None:
        """Width and height that images are resized to; None leaves them as they are."""
        if self.size is None:
            side = PRESETS[self.preset].size
            return (side, side) if self.tile is None else None
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    @property
    def tiling(self) -> Tiling | None:
        """How images are cut; None leaves them whole."""
        if self.tile is None:
            return None
        return Tiling(self.tile, self.tile // 4 if self.overlap is None else self.overlap)

    def reading(self, white_level: float) -> Preprocessing:
        """How images are read.

        Args:
            white_level: value in the files that stands for white.
        """
        return Preprocessing(self.frame, self.planes, white_level, self.roi, self.tiling)

    @property
    def planes(self) -> int:
        """Channels of the network's input."""
        return METHODS[self.method].channels if self.channels is None else self.channels

    def schedule(self, checkpoint: Path | None = None) -> tuple[TrainingSettings, float]:
        """The schedule and how many seconds all of it takes, from a few steps that are timed.

        Args:
            checkpoint: file of an interrupted training. Its number of epochs is kept: timed anew,
                ``minutes`` would give another, and so another training.
        """
        training = PRESETS[self.preset].training
        training = replace(training, decay=METHODS[self.method].decay)
        per_epoch = training.batches * _seconds_a_step(self, training.batch_size)
        if self.minutes is not None:
            epochs = _epochs_of(checkpoint) or round(60 * self.minutes / per_epoch)
            training = replace(training, epochs=min(max(1, epochs), MOST_EPOCHS))
        return training, training.epochs * per_epoch


def _check_licence(licence: str) -> None:
    """Refuse what no file can hold, such as the bytes of a shell that is not of UTF-8."""
    try:
        str.encode(licence)
    except (TypeError, UnicodeEncodeError) as error:
        raise InputError(f"licence is {quoted(licence)}: give a text in UTF-8.") from error


def _epochs_of(checkpoint: Path | None) -> int | None:
    if checkpoint is None or not checkpoint.exists():
        return None
    try:
        return Checkpoint.load(checkpoint).numbers.get("epochs")
    except InputError:  # the training itself says what is wrong with it
        return None


def _seconds_a_step(settings: FitSettings, batch_size: int) -> float:
    """Time of a training step, on images of noise."""
    method, device = METHODS[settings.method], resolve_device(settings.device)
    generator = torch.Generator().manual_seed(0)
    height, width = settings.reading(1.0).shape
    model = method.build(settings.planes, height, 0.1, generator)
    images = torch.rand(batch_size, settings.planes, height, width)
    trainer = method_trainer(method, model, images, images[:1], device=device)
    model.train()
    batch = images.to(device)
    for steps in (trainer.warm_up, TIMED_STEPS):  # the time of the last ones counts
        start = time.perf_counter()
        losses = [trainer.step(batch) for _ in range(steps)]
        losses[-1].item()  # waits for the device
    return (time.perf_counter() - start) / TIMED_STEPS
