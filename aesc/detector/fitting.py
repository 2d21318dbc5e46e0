"""From good images to a detector: train, choose the epoch, set the threshold."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from aesc._checks import choice, number, whole
from aesc.data.stream import half_of_memory
from aesc.detector.calibration import FALSE_REJECTS, REVIEW, check_shares
from aesc.detector.detector import Detector
from aesc.detector.familiar import Familiar
from aesc.detector.inputs import Picture, Preprocessing, RegionOfInterest
from aesc.detector.limit import with_limit
from aesc.detector.survey import Good, Survey
from aesc.device import resolve_device
from aesc.errors import InputError
from aesc.experiment import LOSSES, METHODS, PRESETS
from aesc.provenance import environment
from aesc.training import Trainer, TrainingSettings

TIMED_STEPS = 3
"""Training steps that are timed to say how long a training will take."""

MOST_EPOCHS = 1000
"""Most epochs that a number of minutes is turned into."""


@dataclass(frozen=True)
class FitSettings:
    """How a detector is made.

    Attributes:
        method: key of `aesc.experiment.METHODS`.
        preset: key of `aesc.experiment.PRESETS`: image size and schedule.
        size: side of the network's input in pixels; None for that of the preset.
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
    size: int | None = None
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
        METHODS[self.method].check_size(whole("size", self.side, 1, 4096))
        if self.minutes is not None:
            number("minutes", self.minutes, 0, above=True)
        whole("seed", self.seed, 0, 2**31 - 1)
        check_shares(self.false_rejects, self.review)
        resolve_device(self.device)

    @property
    def side(self) -> int:
        """Side of the network's input in pixels."""
        return PRESETS[self.preset].size if self.size is None else self.size

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
    reading = Preprocessing(settings.side, settings.planes, found.white_level, settings.roi)
    _check_memory(found, settings, device)
    train, chosen = (_read_all(reading, part) for part in (found.train, found.choice))
    generator = torch.Generator().manual_seed(settings.seed)
    momentum = PRESETS[settings.preset].momentum
    model = method.build(settings.planes, settings.side, momentum, generator)
    trainer = Trainer(
        model,
        _tensor(train),
        _tensor(chosen),
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
    apart = _read_all(reading, found.calibration)
    detector = Detector(
        model=model,
        method=settings.method,
        preprocessing=reading,
        learned=method.learn(model, _tensor(train), device),
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
        "size": f"{settings.side} px, {settings.planes} channel(s)",
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
    scored = []
    for start in range(0, len(found.all), 64):
        part = found.all[start : start + 64]
        results = detector.judge(_read_all(detector.preprocessing, part))
        scored += [
            (good.path, result.score / detector.threshold)
            for good, result in zip(part, results, strict=True)
        ]
    return sorted(scored, key=lambda item: -item[1])[:count]


def _read_all(reading: Preprocessing, images: Sequence[Good]) -> list[Picture]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda good: reading.read(good.path), images))


def _tensor(pictures: Sequence[Picture]) -> Tensor:
    return torch.from_numpy(np.stack([picture.pixels for picture in pictures]))  # N x C x S x S


def _check_memory(found: Survey, settings: FitSettings, device: torch.device) -> None:
    needed = 2 * 4 * settings.planes * settings.side**2 * len(found.all)  # read, and stacked
    if needed > half_of_memory(device):
        raise InputError(
            f"{len(found.all)} images of {settings.side} pixels take {needed / 2**30:.1f} GiB, "
            "more than half of the memory: give fewer images or a smaller size."
        )


def _seconds_a_step(settings: FitSettings, batch_size: int) -> float:
    """Time of a training step, on images of noise."""
    method, device = METHODS[settings.method], resolve_device(settings.device)
    generator = torch.Generator().manual_seed(0)
    model = method.build(settings.planes, settings.side, 0.1, generator)
    images = torch.rand(batch_size, settings.planes, settings.side, settings.side)
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
