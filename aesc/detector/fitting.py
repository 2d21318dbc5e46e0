"""From good images to a detector: train, choose the epoch, set the threshold."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np
import torch
from torch import Tensor

from aesc._checks import counted
from aesc.data.stream import half_of_memory
from aesc.detector.detector import Detector
from aesc.detector.familiar import Familiar
from aesc.detector.inputs import Picture, Preprocessing, read_all
from aesc.detector.limit import with_limit
from aesc.detector.settings import FitSettings
from aesc.detector.survey import MOST_CHOICE, Good, Survey
from aesc.device import resolve_device
from aesc.errors import InputError
from aesc.experiment import METHODS, PRESETS, method_trainer
from aesc.provenance import environment
from aesc.training import TrainingSettings

MOST_TILES = 2000
"""Tiles that are trained on, about; of each image as many."""


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
        checkpoint: file to resume from when interrupted. It stays: whoever saves the detector
            removes it then, so that what fails in between does not train again.
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
    seen, apart = (
        read_all(reading, [good.path for good in part])
        for part in ((*found.train, *found.choice), found.calibration)
    )
    train, chosen = seen[: len(found.train)], seen[len(found.train) :]
    images = training_images(train, reading, MOST_TILES, settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    momentum = PRESETS[settings.preset].momentum
    model = method.build(settings.planes, reading.shape[0], momentum, generator)
    trainer = method_trainer(
        method,
        model,
        images,
        training_images(chosen, reading, MOST_CHOICE, settings.seed),
        schedule or settings.schedule(checkpoint)[0],
        whole=None if reading.tiling is None else Whole(train),
        seed=settings.seed,
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
        familiar=Familiar.of(seen),
        false_rejects=settings.false_rejects,
        review=settings.review,
        device=device,
    ).calibrated_on(apart)
    card = {
        "method": f"{method.title}, {method.kind}, {method.norm}",
        "corruption": method.own_corruption,
        "size": f"{in_words(reading)}, {counted(settings.planes, 'channel')}",
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
        if result.verdict != "error"  # NaN has no place in an order
    ]
    return sorted(scored, key=lambda item: -item[1])[:count]


class Whole(Sequence[Tensor]):
    """The images that tiles are cut from, C x H x W each, read when they are asked for.

    Args:
        pictures: good images, which may be read one by one.
    """

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self._pictures = pictures

    def __len__(self) -> int:
        return len(self._pictures)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...
    @overload
    def __getitem__(self, index: slice) -> Whole: ...
    def __getitem__(self, index: int | slice) -> Tensor | Whole:
        if isinstance(index, slice):
            return Whole(self._pictures[index])
        return torch.from_numpy(self._pictures[index].pixels)


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
    tiling = reading.tiling
    if tiling is not None:
        sizes = [reading.size or reading.kept(good.size) for good in found.all]
        for size, good in zip(sizes, found.all, strict=True):
            tiling.check(*size, _part(good, reading))
        covering = sum(len(tiling.corners(height, width)) for width, height in sizes)
        count = min(covering, MOST_TILES + MOST_CHOICE)
    height, width = reading.shape
    needed = 2 * 4 * settings.planes * height * width * count  # read, and stacked
    if needed > half_of_memory(resolve_device(settings.device)):
        what, remedy = ("images", "size") if tiling is None else ("tiles", "tile")
        raise InputError(
            f"{count} {what} of {width} x {height} pixels take {needed / 2**30:.1f} GiB, more than "
            f"half of the memory: give fewer images or a smaller {remedy}."
        )


def _part(good: Good, reading: Preprocessing) -> str:
    """What is cut into tiles: the image, or the region of interest in it."""
    return str(good.path) if reading.roi is None else f"The region of interest of {good.path}"


def in_words(reading: Preprocessing) -> str:
    """The size of images and tiles.

    Example:
        >>> from aesc.detector import Tiling
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
