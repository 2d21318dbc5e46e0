"""A trained detector: network, preprocessing, anomaly map and calibration in one object."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

from aesc._checks import whole
from aesc.detector.calibration import FALSE_REJECTS, REVIEW, Calibration, check_shares
from aesc.detector.calibration_images import calibration_images
from aesc.detector.familiar import Familiar
from aesc.detector.inputs import Picture, Preprocessing, Source
from aesc.detector.limit import with_limit
from aesc.detector.result import Result, Verdict, find_regions
from aesc.detector.scoring import BATCH, Scored, Scorer
from aesc.errors import InputError

READERS = 4
"""Threads that decode ahead of the network in `Detector.stream`."""

MOST_SAMPLED = 2**18
"""Pixels of a map that count for ``quiet``, at most: of larger ones, every k-th."""

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

    def stream(self, images: Iterable[Source], batch_size: int | None = None) -> Iterator[Result]:
        """Score images as they come, in their order, in constant memory.

        Images are decoded by threads; those of a list, or another sequence, while the network
        computes on the ones before. Anything else may be a camera, whose next image is not there
        yet: it is asked for more only when the results so far were taken. One that cannot be read
        or scored is a result with the verdict ``error``, and the others go on. The same bytes twice
        in a row, as from a camera that hangs, are set aside for review.

        Args:
            images: any number of them, see `Preprocessing.read`. What iterating over them raises is
                passed on.
            batch_size: images at a time, whose results come together: 1 gives each result of a
                camera before its next image. By default `BATCH`, or one where images are cut into
                tiles. It does not change the results.

        Raises:
            InputError: the detector was never calibrated.
        """
        self._calibrated(self.images)
        if batch_size is None:
            batch_size = BATCH if self.preprocessing.tiling is None else 1
        whole("batch_size", batch_size)
        last, pending, listed = "", iter(images), isinstance(images, Sequence)
        with ThreadPoolExecutor(READERS) as pool:
            ahead = pool.map(self._read, list(islice(pending, batch_size)))
            started = time.perf_counter()  # waiting for a camera takes no time of ours
            while batch := list(ahead):
                if listed:
                    ahead = pool.map(self._read, list(islice(pending, batch_size)))
                pictures = [picture for picture in batch if isinstance(picture, Picture)]
                judged = iter(self.judge(pictures, last))
                seconds = (time.perf_counter() - started) / len(batch)
                last = pictures[-1].digest if pictures else last
                results = [next(judged) if isinstance(i, Picture) else i for i in batch]
                del batch, pictures  # large ones shall not stay while the caller works
                for result in results:
                    yield replace(result, seconds=seconds)
                if not listed:
                    ahead = pool.map(self._read, list(islice(pending, batch_size)))
                started = time.perf_counter()  # nor does what the caller does

    def calibrate(
        self,
        good: Iterable[Source],
        false_rejects: float | None = None,
        review: float | None = None,
    ) -> Detector:
        """The same network with thresholds from other good images; nothing is trained.

        What an odd image is, too, is told by these images from then on.

        Args:
            good: good images, best from another day. What repeats another image counts once: a copy
                says nothing about the images to come.
            false_rejects: share of good images that may be rejected; by default that of this
                detector.
            review: share that may be rejected or set aside; by default that of this detector.

        Raises:
            InputError: fewer than ten different images, or one that cannot be read or differs in
                size or mode from the good images of the training.
        """
        known = self.familiar
        pictures = calibration_images(self.preprocessing, list(good), known)
        familiar = Familiar.of(pictures, known.modes if known is not None else ())
        shares = {"false_rejects": false_rejects, "review": review}
        chosen = {name: share for name, share in shares.items() if share is not None}
        card = {**self.card, "calibrated": f"anew, on {len(pictures)} good images"}
        new = self.calibrated_on(pictures, familiar=familiar, card=card, **chosen)
        return with_limit(new, pictures)

    def calibrated_on(self, pictures: Iterable[Picture], **changes: Any) -> Detector:
        """As `calibrate`, of images that were read and checked. They are gone through once.

        Args:
            pictures: good images.
            changes: other attributes of the new detector.

        Raises:
            InputError: no images, or some whose score is not finite.
        """
        scores, maxima, samples = [], [], []
        valid: deque[NDArray[np.bool_]] = deque()

        def noted() -> Iterator[Picture]:
            for picture in pictures:
                valid.append(picture.valid)
                yield picture

        for scored in self.scored(noted()):
            scores.append(scored.score)
            maxima.append(scored.map.max())
            values = scored.map[valid.popleft()]
            samples.append(values[:: -(-values.size // MOST_SAMPLED)])
        return replace(
            self,
            images=Calibration.of(scores),
            pixels=Calibration.of(maxima),
            quiet=float(np.quantile(np.concatenate(samples), 0.95)),
            **changes,
        )

    def scored(self, pictures: Iterable[Picture]) -> Iterator[Scored]:
        """Image score and blurred map of images that were read, in their order."""
        return self._scorer.scored(pictures)

    def judge(self, pictures: Sequence[Picture], last: str = "") -> list[Result]:
        """Score images that were read.

        Args:
            pictures: any number of them.
            last: digest of the image before the first, to find images that repeat it.

        Raises:
            InputError: the detector was never calibrated.
        """
        found = []
        for picture, scored in zip(pictures, self.scored(pictures), strict=True):
            found.append(self._result(picture, scored, picture.digest == last))
            last = picture.digest
        return found

    @cached_property
    def _scorer(self) -> Scorer:
        """Preparing the network takes longer than a small image."""
        return Scorer(self.model, self.method, self.learned, self.preprocessing, self.device)

    def _result(self, picture: Picture, scored: Scored, repeated: bool) -> Result:
        calibration, score = self._calibrated(self.images), scored.score
        # No comparison with NaN is true, so that it would be good.
        if not np.isfinite([score, scored.map.min(), scored.map.max()]).all():
            return Result.failed(
                picture.name,
                self.threshold,
                f"{picture.name} gets a score that is not finite: copy the detector again, or make "
                "it anew with `aesc fit`.",
            )
        relative = scored.map / np.float32(max(self.pixel_threshold, 1e-12))
        odd = list(self.familiar.oddities(picture)) if self.familiar is not None else []
        if repeated:
            odd.append("repeated: the same bytes as the image before it")
        verdict: Verdict = "good"
        if odd or calibration.rejects(score, self.review):
            verdict = "review"
        if calibration.rejects(score, self.false_rejects):
            verdict = "reject"
        regions = tuple(
            region.within(picture.size) for region in find_regions(relative, picture.box)
        )
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
            return Result.failed(name, self.threshold, str(error))

    def _calibrated(self, calibration: Calibration | None) -> Calibration:
        if calibration is None:
            raise InputError(
                "The detector has no threshold: calibrate it on good images first, on the command "
                "line with aesc calibrate."
            )
        return calibration
