"""From a trained network to anomaly maps, and from an anomaly map to one image score.

Source: Collin & De Vleeschouwer (ICPR 2020), section III. Maps and scores stay floating point: the
authors' code cast the variance to 8 bits before scoring, where it wraps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn
from tqdm import tqdm

from aesc.errors import InputError
from aesc.model import AESc

NORMS = ("l0", "l1", "l2", "linf", "smooth_max")
"""Ways to turn a map into a score. The paper compares the first four and reports ``l2``."""

PASSES = 30
"""Reconstructions with dropout per image (paper, section III)."""

TOLERANCE = 1 / 255
"""``l0`` counts map values above this: one grey level. A choice of ours; no float is exactly 0."""

SMOOTHING = 4 / 256
"""Standard deviation of the blur before ``smooth_max``, as a fraction of the smaller image side."""


@dataclass(frozen=True)
class AnomalyMaps:
    """What a network makes of N images, on the CPU.

    Attributes:
        reconstructions: N x C x H x W in [0, 1], without dropout.
        residual: N x H x W, at least 0; in [0, 1] for an absolute difference.
        uncertainty: N x H x W, a variance, in [0, 0.25 * passes / (passes - 1)]; None for a method
            without dropout.
    """

    reconstructions: Tensor
    residual: Tensor
    uncertainty: Tensor | None = None

    def by_kind(self) -> dict[str, Tensor]:
        """The anomaly maps that there are, by the name used in records."""
        kinds = {"residual": self.residual, "uncertainty": self.uncertainty}
        return {kind: maps for kind, maps in kinds.items() if maps is not None}


def residual_map(images: Tensor, reconstructions: Tensor) -> Tensor:
    """Absolute difference, averaged over channels: B x C x H x W twice to B x H x W, in [0, 1].

    Raises:
        InputError: shapes that differ.
    """
    if images.shape != reconstructions.shape:
        raise InputError(
            f"Images {tuple(images.shape)} and reconstructions {tuple(reconstructions.shape)} "
            "differ in shape: give the reconstructions of these images."
        )
    return (images - reconstructions).abs().mean(1)


@torch.inference_mode()
def uncertainty_map(model: AESc, images: Tensor, passes: int = PASSES, seed: int = 0) -> Tensor:
    """Variance of each pixel over reconstructions with dropout, averaged over channels.

    The passes are accumulated one by one (Welford's algorithm), so memory does not grow with them.
    Every call with a seed drops the same features, so an image's map does not depend on the images
    beside it.

    Args:
        model: in evaluation mode, on the device of the images.
        images: B x C x H x W in [0, 1].
        passes: at least 2.
        seed: of the dropout.

    Returns:
        B x H x W, the unbiased variance.

    Raises:
        InputError: fewer than two passes, or images that do not fit the network.
    """
    if passes < 2:
        raise InputError(
            f"passes={passes} gives no variance: use at least 2 (the paper: {PASSES})."
        )
    generator = torch.Generator(images.device).manual_seed(seed)
    mean = torch.zeros_like(images)
    squares = torch.zeros_like(images)
    for count, reconstruction in enumerate(model.sample(images, passes, generator), start=1):
        difference = reconstruction - mean
        mean += difference / count
        squares += difference * (reconstruction - mean)
    return (squares / (passes - 1)).mean(1)


def anomaly_maps(
    model: AESc,
    images: Tensor,
    *,
    passes: int = PASSES,
    seed: int = 0,
    device: torch.device | str = "cpu",
    batch_size: int = 16,
    progress: bool = False,
) -> AnomalyMaps:
    """Reconstruct images and compute both maps, batch by batch.

    Args:
        model: put in evaluation mode and moved to ``device``.
        images: N x C x H x W in [0, 1].
        passes: dropout passes of the uncertainty map.
        seed: of the dropout.
        device: that computes.
        batch_size: images at a time; does not change the maps.
        progress: show a bar with the time left.

    Raises:
        InputError: no images, fewer than two passes, or images that do not fit the network.
    """

    network = model.to(device).eval().for_inference()

    def compare(batch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        reconstruction = network(batch)
        uncertainty = uncertainty_map(network, batch, passes, seed)
        return reconstruction, residual_map(batch, reconstruction), uncertainty

    return map_batches(
        network, images, compare, device=device, batch_size=batch_size, progress=progress
    )


@torch.inference_mode()
def map_batches(
    model: nn.Module,
    images: Tensor,
    compare: Callable[[Tensor], tuple[Tensor, ...]],
    *,
    device: torch.device | str = "cpu",
    batch_size: int = 16,
    progress: bool = False,
) -> AnomalyMaps:
    """Apply ``compare`` to a set of images, batch by batch.

    Args:
        model: put in evaluation mode and moved to ``device``, for ``compare`` to use.
        images: N x C x H x W in [0, 1].
        compare: B x C x H x W on ``device`` to reconstruction, residual map and, where there is
            one, uncertainty map.
        device: that computes.
        batch_size: images at a time.
        progress: show a bar with the time left.

    Raises:
        InputError: no images.
    """
    if len(images) == 0:
        raise InputError("There are no images to score: give at least one.")
    model.to(device).eval()
    parts = []
    with tqdm(total=len(images), unit="image", disable=not progress, mininterval=0.5) as bar:
        for batch in images.split(batch_size):
            parts.append([part.cpu() for part in compare(batch.to(device))])
            bar.update(len(batch))
    return AnomalyMaps(*(torch.cat(part) for part in zip(*parts, strict=True)))


def smooth(maps: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of each map (B x H x W), with standard deviation ``sigma`` in pixels."""
    return torch.from_numpy(gaussian_filter(maps.numpy(), (0, sigma, sigma), mode="nearest"))


def image_scores(maps: Tensor, norm: str = "l2") -> Tensor:
    """One score per image: a norm of its anomaly map.

    Args:
        maps: N x H x W, on the CPU.
        norm: ``l0`` (number of values above `TOLERANCE`), ``l1`` (sum), ``l2`` (root of the sum of
            squares), ``linf`` (maximum) or ``smooth_max`` (maximum of the blurred map).

    Returns:
        N scores in float64; higher is more anomalous.

    Raises:
        InputError: unknown norm.
    """
    if norm not in NORMS:
        raise InputError(f"Unknown norm {norm!r}: choose one of {', '.join(NORMS)}.")
    if norm == "smooth_max":
        sigma = SMOOTHING * min(maps.shape[1:])
        return smooth(maps, sigma).flatten(1).amax(1).double()
    flat = maps.flatten(1).double()
    if norm == "l0":
        return (flat > TOLERANCE).sum(1).double()
    order = {"l1": 1.0, "l2": 2.0, "linf": np.inf}[norm]
    return torch.linalg.vector_norm(flat, ord=order, dim=1)
