"""From good images to a detector: train, choose the epoch, set the threshold."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from aesc._checks import choice, number, whole
from aesc.data.images import Size
from aesc.data.stream import half_of_memory
from aesc.detector.calibration import FALSE_REJECTS, REVIEW, check_shares
from aesc.detector.detector import Detector
from aesc.detector.familiar import Familiar
from aesc.detector.inputs import Picture, Preprocessing, RegionOfInterest, read_all
from aesc.detector.limit import with_limit
from aesc.detector.survey import MOST_CHOICE, Survey
from aesc.detector.tiling import Tiling
from aesc.device import resolve_device
from aesc.errors import InputError
from aesc.experiment import LOSSES, METHODS, PRESETS
from aesc.provenance import environment
from aesc.training import Trainer, TrainingSettings

TIMED_STEPS = 3
"""Training steps that are timed to say how long a training will take."""

MOST_SIDE = 4096
"""Largest side in pixels that the network is shown."""

MOST_TILES = 2000
"""Tiles that are trained on, about; of each image as many."""

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
        InputError: a value that is unknown or out of range.
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
        if isinstance(self.size, tuple) and len(self.size) != 2:
            raise InputError(f"size is {self.size}: give one number, or width and height.")
        for side in self.frame or ():
            METHODS[self.method].check_size(whole("size", side, 1, MOST_SIDE))
        if self.tiling is not None:
            METHODS[self.method].check_size(whole("tile", self.tiling.side, 1, MOST_SIDE))
        elif self.overlap is not None:
            raise InputError("overlap is of tiles: give tile as well.")
        METHODS[self.method].check_shape(*self.reading(1.0).shape)
        if self.minutes is not None:
            number("minutes", self.minutes, 0, above=True)
        whole("seed", self.seed, 0, 2**31 - 1)
        check_shares(self.false_rejects, self.review)
        resolve_device(self.device)

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

    def schedule(self) -> tuple[TrainingSettings, float]:
        """The schedule and how many seconds it will take, from a few steps that are timed."""
        training = PRESETS[self.preset].training
        training = replace(training, decay=METHODS[self.method].decay)
        per_epoch = training.batches * _seconds_a_step(self, training.batch_size)
        if self.minutes is not None:
            epochs = round(60 * self.minutes / per_epoch)
            training = replace(training, epochs=min(max(1, epochs), MOST_EPOCHS))
        return training, training.epochs * per_epoch


def fit(
    found: Survey,
    settings: FitSettings | None = None,
    schedule: TrainingSettings | None = None,
    checkpoint: Path | None = None,
    progress: bool = True,
) -> Detector:
    """Train a network on good images and calibrate it on others.

    Args:
        found: the good images, from `aesc.detector.survey`.
        settings: by default, AESc in the ``quick`` preset.
        schedule: the training; by default that of `FitSettings.schedule`.
        checkpoint: file to resume from when interrupted; it is removed at the end.
        progress: show bars with the time left.

    Returns:
        The detector, calibrated.

    Raises:
        InputError: images that cannot be read or that do not fit into memory.
        TrainingError: the loss is no longer finite.
    """
    settings = settings or FitSettings()
    started = time.perf_counter()
    method, device = METHODS[settings.method], resolve_device(settings.device)
    check_images(found, settings)
    reading = settings.reading(found.white_level)
    train, chosen, apart = (
        read_all(reading, [good.path for good in part])
        for part in (found.train, found.choice, found.calibration)
    )
    images = training_images(train, reading, MOST_TILES, settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    momentum = PRESETS[settings.preset].momentum
    model = method.build(settings.planes, reading.shape[0], momentum, generator)
    trainer = Trainer(
        model,
        images,
        training_images(chosen, reading, MOST_CHOICE, settings.seed),
        method.corruptions[method.own_corruption](),
        schedule or settings.schedule()[0],
        seed=settings.seed,
        loss=LOSSES[method.loss],
        augment=method.augment,
        device=device,
        checkpoint=checkpoint,
    )
    history = trainer.run(progress)
    model = model.to(device).eval()
    detector = Detector(
        model=model,
        method=settings.method,
        preprocessing=reading,
        learned=method.learn(model, images, device),
        familiar=Familiar.of([*train, *chosen]),
        false_rejects=settings.false_rejects,
        review=settings.review,
        device=device,
    ).calibrated_on(apart)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    card = {
        "method": f"{method.title}, {method.kind}, {method.norm}",
        "corruption": method.own_corruption,
        "size": f"{in_words(reading)}, {settings.planes} channel(s)",
        "epochs": f"{len(history.loss)}, weights of {history.best_epoch + 1}",
        "seed": settings.seed,
        "images": f"{len(found.train)} to train, {len(found.choice)} to choose the epoch, "
        f"{len(found.calibration)} to calibrate",
        "fingerprint": found.fingerprint,
        "seconds": round(time.perf_counter() - started, 1),
        **environment(device).model_dump(),
    }
    if settings.licence is not None:
        card["licence"] = settings.licence
    return with_limit(replace(detector, card=card), apart)


def least_typical(detector: Detector, found: Survey, count: int = 5) -> list[tuple[Path, float]]:
    """The good images with the highest scores, in units of the threshold; highest first."""
    paths = [good.path for good in found.all]
    results = detector.stream(paths)
    scored = [
        (path, result.score / detector.threshold)
        for path, result in zip(paths, results, strict=True)
    ]
    return sorted(scored, key=lambda item: -item[1])[:count]


def training_images(
    pictures: Sequence[Picture], reading: Preprocessing, most: int, seed: int
) -> Tensor:
    """What the network is trained on: the images, or random tiles of them.

    Args:
        pictures: good images, read.
        reading: how they were read.
        most: tiles, about; of each image as many, at most those that cover it.
        seed: of the places of the tiles.

    Returns:
        N x C x H x W in [0, 1].
    """
    tiling = reading.tiling
    if tiling is None:
        return torch.from_numpy(np.stack([picture.pixels for picture in pictures]))
    rng, found = np.random.default_rng(seed), []
    for picture in pictures:
        count = min(-(-most // len(pictures)), len(tiling.corners(*picture.valid.shape)))
        found += [picture.tile(tiling, rng).pixels for _ in range(count)]
    return torch.from_numpy(np.stack(found))


def check_images(found: Survey, settings: FitSettings) -> None:
    """Refuse good images that cannot be trained on, before any time is spent.

    Raises:
        InputError: one that is smaller than a tile, or more than fit into memory.
    """
    reading, count = settings.reading(found.white_level), len(found.all)
    if reading.tiling is not None:
        count = MOST_TILES + MOST_CHOICE
        for good in found.all if reading.size is None else ():
            reading.tiling.check(*reading.kept(good.size), str(good.path))
    height, width = reading.shape
    needed = 2 * 4 * settings.planes * height * width * count  # read, and stacked
    if needed > half_of_memory(resolve_device(settings.device)):
        raise InputError(
            f"{count} images of {width} x {height} pixels take {needed / 2**30:.1f} GiB, more than "
            "half of the memory: give fewer images or a smaller size."
        )


def in_words(reading: Preprocessing) -> str:
    """The size of images and tiles.

    Example:
        >>> in_words(Preprocessing((512, 256), 1, 255))
        '512 x 256 px'
        >>> in_words(Preprocessing(None, 1, 255, tiling=Tiling(256, 64)))
        'as they are, in tiles of 256 px that overlap by 64'
    """
    size = "as they are" if reading.size is None else "{} x {} px".format(*reading.size)
    tiling = reading.tiling
    if tiling is None:
        return size
    return f"{size}, in tiles of {tiling.side} px that overlap by {tiling.overlap}"


def _seconds_a_step(settings: FitSettings, batch_size: int) -> float:
    """Time of a training step, on images of noise."""
    method, device = METHODS[settings.method], resolve_device(settings.device)
    generator = torch.Generator().manual_seed(0)
    height, width = settings.reading(1.0).shape
    model = method.build(settings.planes, height, 0.1, generator)
    images = torch.rand(batch_size, settings.planes, height, width)
    corruption = method.corruptions[method.own_corruption]()
    trainer = Trainer(
        model,
        images,
        images[:1],
        corruption,
        loss=LOSSES[method.loss],
        augment=method.augment,
        device=device,
    )
    model.train()
    batch = images.to(device)
    trainer.step(batch)  # the first one pays for starting up
    start = time.perf_counter()
    for _ in range(TIMED_STEPS):
        last = trainer.step(batch)
    last.item()  # waits for the device
    return (time.perf_counter() - start) / TIMED_STEPS
