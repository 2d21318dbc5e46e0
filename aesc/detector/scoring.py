"""From images that were read to a score and a map each, whole or in tiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aesc.detector.inputs import Picture, Preprocessing
from aesc.experiment import METHODS, ScoringOptions
from aesc.machine import usable_cores
from aesc.scoring import SMOOTHING, image_scores, smooth
from aesc.tiling import Mosaic, Tiling

BATCH = 16
"""Images or tiles that the network sees at a time; does not change the results."""


@dataclass(frozen=True, eq=False)
class Scored:
    """One image, scored.

    Attributes:
        score: image score of the valid pixels, higher is more anomalous; of an image in tiles, the
            highest of a tile.
        map: float32 H x W, blurred; 0 where the image is not valid, before the blur and after it.
    """

    score: float
    map: NDArray[np.float32]


class Scorer:
    """Applies a trained network to images.

    Args:
        model: the network, in evaluation mode.
        method: key of `aesc.experiment.METHODS`.
        learned: what scoring must know of the training images.
        reading: how the images were read.
        device: where to compute.
    """

    def __init__(
        self,
        model: nn.Module,
        method: str,
        learned: Mapping[str, Tensor],
        reading: Preprocessing,
        device: torch.device,
    ) -> None:
        entry = METHODS[method]
        options = ScoringOptions(2, 0, device, kinds=(entry.kind,))
        self.compare = entry.comparison(model, learned, options)
        self.kind, self.norm, self.device = entry.kind, entry.norm, device
        self.tiling = reading.tiling
        self.sigma = SMOOTHING * min(reading.shape)
        self._pool = ThreadPoolExecutor(usable_cores())

    def scored(self, pictures: Iterable[Picture]) -> Iterator[Scored]:
        """Score images one batch after the other, in their order."""
        pending = iter(pictures)
        if self.tiling is not None:
            yield from (self._in_tiles(picture, self.tiling) for picture in pending)
            return
        while batch := list(islice(pending, BATCH)):
            valid = [picture.valid for picture in batch]
            maps = self._maps([picture.pixels for picture in batch], valid)
            scores = self._scores(maps, valid)
            # SciPy lets other threads compute.
            yield from map(Scored, scores, list(self._pool.map(self._blurred, maps, valid)))

    def _in_tiles(self, picture: Picture, tiling: Tiling) -> Scored:
        """Tiles where nothing is valid are left out."""
        height, width = picture.valid.shape
        corners = [
            corner
            for corner in tiling.corners(height, width)
            if tiling.cut(picture.valid, corner).any()
        ]
        scores: list[float] = []
        mosaic = Mosaic(tiling, height, width)
        for start in range(0, len(corners), BATCH):
            part = corners[start : start + BATCH]
            valid = [tiling.cut(picture.valid, corner) for corner in part]
            maps = self._maps([tiling.cut(picture.pixels, corner) for corner in part], valid)
            scores += self._scores(maps, valid)
            for corner, values in zip(part, maps, strict=True):
                mosaic.add(corner, values)
        highest = float(np.max(scores)) if scores else 0.0  # unlike `max`, NaN if any is
        return Scored(highest, self._blurred(mosaic.whole(), picture.valid))

    def _scores(self, maps: Tensor, valid: Sequence[NDArray[np.bool_]]) -> list[float]:
        """Image scores of the valid pixels, 0 without any; elsewhere the maps, B x H x W, are 0."""
        scores: list[float] = image_scores(maps, self.norm).tolist()
        if self.norm == "top":  # zeros move its median; the other norms do not see them
            for index, inside in enumerate(valid):
                if inside.any() and not inside.all():
                    seen = maps[index][torch.from_numpy(inside)]
                    scores[index] = float(image_scores(seen[None, None], self.norm))
        return scores

    def _blurred(self, values: Tensor, valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """A map H x W, blurred, without what the blur spreads to where it is not valid."""
        blurred: NDArray[np.float32] = smooth(values[None], self.sigma)[0].numpy()
        blurred[~valid] = 0
        return blurred

    def _maps(
        self, pixels: Sequence[NDArray[np.float32]], valid: Sequence[NDArray[np.bool_]]
    ) -> Tensor:
        """Anomaly maps, B x H x W, on the CPU, of at most `BATCH` images or tiles of one size."""
        images = torch.from_numpy(np.stack(pixels)).to(self.device)  # B x C x H x W
        with torch.inference_mode():
            found = self.compare(images)[1][self.kind].cpu()
        return found.masked_fill(~torch.from_numpy(np.stack(valid)), 0)
