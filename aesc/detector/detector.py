"""A trained detector: network, preprocessing, anomaly map and calibration in one object."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aesc.detector.calibration import FALSE_REJECTS, REVIEW, Calibration, check_shares
from aesc.detector.familiar import Familiar
from aesc.detector.inputs import Picture, Preprocessing, Source
from aesc.detector.limit import with_limit
from aesc.detector.result import Result, Verdict, find_regions
from aesc.errors import InputError
from aesc.experiment import METHODS, ScoringOptions
from aesc.scoring import SMOOTHING, Compared, image_scores, smooth

BATCH = 16
"""Images that are scored at a time; does not change the results."""

READERS = 4
"""Threads that decode ahead of the network in `Detector.stream`."""

MIN_CALIBRATION = 10
"""Fewest good images that a threshold is taken from."""

_CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Detector:
    """Says of an image whether it looks like the good ones.

    Made by `aesc.detector.fit` or `aesc.detector.load`; nothing of it changes afterwards.

    Attributes:
        model: the trained network, in evaluation mode.
        method: key of `aesc.experiment.METHODS`.
        learned: what scoring must know of the training images (``Method.learn``).
        preprocessing: how images are read.
        familiar: what the good images have in common; None of weights that ``aesc run`` wrote.
        images: calibration of the image score; None before any.
        pixels: calibration of the largest value of the blurred map; None before any.
        quiet: value of the blurred map below which 95 % of the pixels of good images lie.
        false_rejects: share of good images that may be rejected.
        review: share of good images that may be rejected or set aside for a person.
        card: where it comes from, as JSON can hold it.
        device: where to compute.

    Raises:
        InputError: shares that do not fit each other.
    """

    model: nn.Module = field(repr=False)
    method: str
    preprocessing: Preprocessing
    learned: Mapping[str, Tensor] = field(default_factory=dict, repr=False)
    familiar: Familiar | None = field(default=None, repr=False)
    images: Calibration | None = field(default=None, repr=False)
    pixels: Calibration | None = field(default=None, repr=False)
    quiet: float = 0.0
    false_rejects: float = FALSE_REJECTS
    review: float = REVIEW
    card: dict[str, Any] = field(default_factory=dict, repr=False)
    device: torch.device = field(default=_CPU)

    def __post_init__(self) -> None:
        check_shares(self.false_rejects, self.review)

    @property
    def threshold(self) -> float:
        """The image score above which an image is rejected.

        Raises:
            InputError: the detector was never calibrated.
        """
        return self._calibrated(self.images).threshold(self.false_rejects)

    @property
    def pixel_threshold(self) -> float:
        """The value of the blurred map above which a pixel belongs to a region.

        With the promise of the image score: at most a share ``false_rejects`` of good images shows
        any region.

        Raises:
            InputError: the detector was never calibrated.
        """
        return self._calibrated(self.pixels).threshold(self.false_rejects)

    def predict(self, image: Source, name: str | None = None) -> Result:
        """Score one image.

        Args:
            image: see `Preprocessing.read`.
            name: for the result; by default the path.

        Raises:
            InputError: the image cannot be read, or the detector was never calibrated.
        """
        started = time.perf_counter()
        picture = self.preprocessing.read(image, name)
        (result,) = self.judge([picture])
        return replace(result, seconds=time.perf_counter() - started)

    def stream(self, images: Iterable[Source], batch_size: int = BATCH) -> Iterator[Result]:
        """Score images as they come, in their order, in constant memory.

        Images are decoded by threads while the network computes. One that cannot be read is a
        result with the verdict ``error``, and the others go on. The same bytes twice in a row, as
        from a camera that hangs, are set aside for review.

        Args:
            images: any number of them, see `Preprocessing.read`.
            batch_size: images at a time.

        Raises:
            InputError: the detector was never calibrated.
        """
        self._calibrated(self.images)
        last = ""
        pending = iter(images)
        with ThreadPoolExecutor(READERS) as pool:
            ahead = pool.map(self._read, list(islice(pending, batch_size)))
            while batch := list(ahead):
                started = time.perf_counter()
                ahead = pool.map(self._read, list(islice(pending, batch_size)))
                pictures = [picture for picture in batch if isinstance(picture, Picture)]
                judged = iter(self.judge(pictures, last))
                seconds = (time.perf_counter() - started) / len(batch)
                last = pictures[-1].digest if pictures else last
                for item in batch:
                    result = next(judged) if isinstance(item, Picture) else item
                    yield replace(result, seconds=seconds)

    def calibrate(
        self,
        good: Sequence[Source],
        false_rejects: float | None = None,
        review: float | None = None,
    ) -> Detector:
        """The same network with thresholds from other good images; nothing is trained.

        What an odd image is, too, is told by these images from then on.

        Args:
            good: good images, best from another day.
            false_rejects: share of good images that may be rejected; by default that of this
                detector.
            review: share that may be rejected or set aside; by default that of this detector.

        Raises:
            InputError: fewer than `MIN_CALIBRATION` images, or one that cannot be read or differs
                in size or mode from the good images of the training.
        """
        check_count(len(good))
        pictures = [self.preprocessing.read(source) for source in good]
        for picture in pictures:
            self._check_like_training(picture)
        shares = {"false_rejects": false_rejects, "review": review}
        chosen = {name: share for name, share in shares.items() if share is not None}
        new = self.calibrated_on(pictures, familiar=Familiar.of(pictures), **chosen)
        return with_limit(new, pictures)

    def calibrated_on(self, pictures: Sequence[Picture], **changes: Any) -> Detector:
        """As `calibrate`, of images that were read and checked.

        Args:
            pictures: good images.
            changes: other attributes of the new detector.
        """
        maps = self.maps(pictures)
        blurred = self._blurred(maps)
        return replace(
            self,
            images=Calibration.of(image_scores(maps, METHODS[self.method].norm)),
            pixels=Calibration.of(blurred.max((1, 2))),
            quiet=float(np.quantile(blurred, 0.95)),
            **changes,
        )

    def maps(self, pictures: Sequence[Picture]) -> Tensor:
        """Anomaly maps of images that were read: float32 N x S x S, on the CPU, 0 where invalid."""
        parts, kind = [], METHODS[self.method].kind
        for start in range(0, len(pictures), BATCH):
            batch = pictures[start : start + BATCH]
            images = torch.from_numpy(np.stack([p.pixels for p in batch])).to(self.device)
            valid = torch.from_numpy(np.stack([p.valid for p in batch]))  # B x S x S
            with torch.inference_mode():
                found = self._compare(images)[1][kind].cpu()  # B x C x S x S to B x S x S
            parts.append(found * valid)
        return torch.cat(parts)

    def judge(self, pictures: Sequence[Picture], last: str = "") -> list[Result]:
        """Score images that were read.

        Args:
            pictures: any number of them.
            last: digest of the image before the first, to find images that repeat it.

        Raises:
            InputError: the detector was never calibrated.
        """
        if not pictures:
            return []
        maps = self.maps(pictures)
        scores = image_scores(maps, METHODS[self.method].norm).tolist()
        relative = self._blurred(maps) / np.float32(max(self.pixel_threshold, 1e-12))
        before = [last, *(picture.digest for picture in pictures)]
        each = zip(pictures, scores, relative, before, strict=False)
        return [self._result(one, score, map_, one.digest == b) for one, score, map_, b in each]

    @cached_property
    def _compare(self) -> Callable[[Tensor], Compared]:
        """From a batch to its maps. Preparing the network takes longer than a small image."""
        method = METHODS[self.method]
        options = ScoringOptions(2, 0, self.device, kinds=(method.kind,))
        return method.comparison(self.model, self.learned, options)

    def _result(
        self, picture: Picture, score: float, relative: NDArray[np.float32], repeated: bool
    ) -> Result:
        calibration = self._calibrated(self.images)
        odd = list(self.familiar.oddities(picture)) if self.familiar is not None else []
        if repeated:
            odd.append("repeated: the same bytes as the image before it")
        verdict: Verdict = "good"
        if odd or calibration.rejects(score, self.review):
            verdict = "review"
        if calibration.rejects(score, self.false_rejects):
            verdict = "reject"
        regions = find_regions(relative, picture.box)
        if verdict == "reject" and not regions:
            odd.append("diffuse: rejected as a whole, without a region that stands out")
        return Result(
            image=picture.name,
            verdict=verdict,
            score=score,
            threshold=self.threshold,
            p_value=calibration.p_value(score),
            regions=regions,
            notes=tuple(odd),
            size=picture.size,
            box=picture.box,
            map=relative,
        )

    def _read(self, source: Source) -> Picture | Result:
        try:
            return self.preprocessing.read(source)
        except InputError as error:
            name = str(source) if isinstance(source, (str, Path)) else "image"
            nothing = float("nan")
            return Result(name, "error", nothing, self.threshold, nothing, notes=(str(error),))

    def _blurred(self, maps: Tensor) -> NDArray[np.float32]:
        blurred: NDArray[np.float32] = smooth(maps, SMOOTHING * maps.shape[-1]).numpy()
        return blurred

    def _check_like_training(self, picture: Picture) -> None:
        known = self.familiar
        if known is None or (picture.size in known.sizes and picture.mode in known.modes):
            return
        width, height = picture.size
        raise InputError(
            f"{picture.name} is {width} x {height} of mode {picture.mode}: give good images like "
            f"those of the training, {known.known_sizes()} of mode {' or '.join(known.modes)}."
        )

    def _calibrated(self, calibration: Calibration | None) -> Calibration:
        if calibration is None:
            raise InputError(
                "The detector has no threshold: calibrate it on good images first, on the command "
                "line with aesc calibrate."
            )
        return calibration


def check_count(images: int) -> None:
    """Refuse too few calibration images.

    Raises:
        InputError: fewer than `MIN_CALIBRATION`.
    """
    if images < MIN_CALIBRATION:
        raise InputError(
            f"The calibration images are {images}: give at least {MIN_CALIBRATION} good ones."
        )
