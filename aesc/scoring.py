"""From a trained network to anomaly maps, and from an anomaly map to one image score.

Source: Collin & De Vleeschouwer (ICPR 2020), section III. Maps and scores stay floating point: the
authors' code cast the variance to 8 bits before scoring, where it wraps.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn
from tqdm import tqdm

from aesc._checks import choice, image_batch, map_batch, number, same_shape, whole
from aesc.errors import InputError
from aesc.model import AESc, InferenceNetwork

NORMS = ("l0", "l1", "l2", "linf", "smooth_max")
"""Ways to turn a map into a score that are compared for every method.

The paper compares the first four and reports ``l2``.
"""

SCORES = (*NORMS, "top")
"""All ways to turn a map into a score; ``top`` is for maps of probabilities.

It was chosen on good images that were held out, with dents and cracks drawn on them: without the
median, light that a network is not sure of counts as a defect.
"""

TOP = 0.005
"""Share of the pixels, those with the highest values, that ``top`` averages."""

PASSES = 30
"""Reconstructions with dropout per image (paper, section III)."""

TOLERANCE = 1 / 255
"""``l0`` counts map values above this: one grey level. A choice of ours; no float is exactly 0."""

SMOOTHING = 4 / 256
"""Standard deviation of the blur before ``smooth_max``, as a fraction of the smaller image side."""


Compared = tuple[Tensor, dict[str, Tensor]]
"""Reconstructions (B x C x H x W) of a batch, and its anomaly maps (B x H x W) by name."""


@dataclass(frozen=True)
class AnomalyMaps:
    """What a method makes of N images, on the CPU.

    Attributes:
        reconstructions: N x C x H x W in [0, 1], without dropout.
        maps: anomaly maps by the name used in records, each N x H x W; higher is more anomalous.
            Any number of them, such as ``residual`` and ``uncertainty``.
    """

    reconstructions: Tensor
    maps: dict[str, Tensor]

    @property
    def residual(self) -> Tensor:
        """N x H x W, at least 0: what the reconstruction changed."""
        return self.maps["residual"]

    @property
    def uncertainty(self) -> Tensor:
        """N x H x W, a variance in [0, 0.25 * passes / (passes - 1)], of a method with dropout."""
        return self.maps["uncertainty"]


def residual_map(images: Tensor, reconstructions: Tensor) -> Tensor:
    """Absolute difference, averaged over channels: B x C x H x W twice to B x H x W, in [0, 1].

    Raises:
        InputError: other than B x C x H x W, or shapes that differ.

    Example:
        >>> image, reconstruction = torch.zeros(1, 3, 1, 2), torch.full((1, 3, 1, 2), 0.25)
        >>> residual_map(image, reconstruction)
        tensor([[[0.2500, 0.2500]]])
    """
    image_batch(images)
    same_shape(reconstructions, images, ("reconstructions", "images"))
    return (images - reconstructions).abs().mean(1)  # B x H x W


@torch.inference_mode()
def uncertainty_map(
    model: AESc | InferenceNetwork, images: Tensor, passes: int = PASSES, seed: int = 0
) -> Tensor:
    """Variance of each pixel over reconstructions with dropout, averaged over channels.

    The passes are accumulated one by one (Welford's algorithm), so memory does not grow with them.
    Every call with a seed drops the same features, so an image's map does not depend on the images
    beside it.

    Args:
        model: the network, in evaluation mode and on the device of the images.
        images: B x C x H x W in [0, 1].
        passes: reconstructions with dropout, at least 2.
        seed: seed of the dropout.

    Returns:
        B x H x W, the unbiased variance.

    Raises:
        InputError: fewer than two passes, a negative seed, or images that do not fit the network.

    Example:
        >>> model = AESc(width=2, generator=torch.Generator().manual_seed(0)).eval()
        >>> uncertainty_map(model, torch.rand(3, 1, 64, 64), passes=4).shape
        torch.Size([3, 64, 64])
    """
    whole("passes", passes, 2)
    whole("seed", seed, 0)
    generator = torch.Generator(images.device).manual_seed(seed)
    mean = torch.zeros_like(images)  # B x C x H x W
    squares = torch.zeros_like(images)
    for count, reconstruction in enumerate(model.sample(images, passes, generator), start=1):
        difference = reconstruction - mean
        mean += difference / count
        squares += difference * (reconstruction - mean)
    return (squares / (passes - 1)).mean(1)  # B x C x H x W to B x H x W


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
    """Reconstruct images and compute both maps of the paper, batch by batch.

    Args:
        model: the network; it is put in evaluation mode and moved to ``device``.
        images: N x C x H x W in [0, 1].
        passes: dropout passes of the uncertainty map, at least 2.
        seed: seed of the dropout.
        device: where to compute.
        batch_size: images at a time; does not change the maps.
        progress: show a bar with the time left.

    Raises:
        InputError: no images, fewer than two passes, or images that do not fit the network.
    """
    network = model.to(device).eval().for_inference()
    compare = paper_maps(network, passes, seed)
    return map_batches(
        network, images, compare, device=device, batch_size=batch_size, progress=progress
    )


def paper_maps(
    network: AESc | InferenceNetwork,
    passes: int = PASSES,
    seed: int = 0,
    kinds: Collection[str] | None = None,
) -> Callable[[Tensor], Compared]:
    """Function of a batch to its reconstruction and the maps of the paper, for `map_batches`.

    Args:
        network: in evaluation mode and on the device of the batches.
        passes: dropout passes of the uncertainty map, at least 2.
        seed: seed of the dropout.
        kinds: maps that are wanted, both by default; the residual always comes. The uncertainty
            takes most of the time.
    """

    def compare(batch: Tensor) -> Compared:
        reconstruction = network(batch)  # B x C x H x W
        maps = {"residual": residual_map(batch, reconstruction)}  # B x H x W
        if kinds is None or "uncertainty" in kinds:
            maps["uncertainty"] = uncertainty_map(network, batch, passes, seed)
        return reconstruction, maps

    return compare


@torch.inference_mode()
def map_batches(
    model: nn.Module,
    images: Tensor,
    compare: Callable[[Tensor], Compared],
    *,
    device: torch.device | str = "cpu",
    batch_size: int = 16,
    progress: bool = False,
) -> AnomalyMaps:
    """Apply ``compare`` to a set of images, batch by batch.

    Args:
        model: the network that ``compare`` uses; it is put in evaluation mode and moved to
            ``device``.
        images: N x C x H x W in [0, 1].
        compare: function of a batch, B x C x H x W on ``device``, to its reconstruction and its
            anomaly maps by name, each B x H x W.
        device: where to compute.
        batch_size: images at a time.
        progress: show a bar with the time left.

    Raises:
        InputError: no images, or a batch size that is not a positive whole number.
    """
    if len(images) == 0:
        raise InputError("images is empty: give at least one.")
    whole("batch_size", batch_size)
    model.to(device).eval()
    reconstructions: list[Tensor] = []
    parts: dict[str, list[Tensor]] = {}
    with tqdm(total=len(images), unit="image", disable=not progress, mininterval=0.5) as bar:
        for batch in images.split(batch_size):
            reconstruction, maps = compare(batch.to(device))
            reconstructions.append(reconstruction.cpu())
            for kind, part in maps.items():
                parts.setdefault(kind, []).append(part.cpu())
            bar.update(len(batch))
    return AnomalyMaps(
        torch.cat(reconstructions), {kind: torch.cat(part) for kind, part in parts.items()}
    )


def smooth(maps: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of each map.

    Args:
        maps: N x H x W, on the CPU.
        sigma: standard deviation of the Gaussian in pixels, at least 0.

    Raises:
        InputError: maps of another number of axes, or a sigma that is negative or no number.
    """
    map_batch(maps)
    number("sigma", sigma, 0)
    return torch.from_numpy(gaussian_filter(maps.numpy(), (0, sigma, sigma), mode="nearest"))


def top_count(pixels: int) -> int:
    """How many of the pixels of a map ``top`` averages: `TOP` of them, at least one.

    Example:
        >>> top_count(128 * 128)
        82
    """
    return max(1, round(TOP * pixels))


def image_scores(maps: Tensor, norm: str = "l2") -> Tensor:
    """One score per image: a norm of its anomaly map.

    Args:
        maps: N x H x W, on the CPU.
        norm: ``l0`` (number of values above `TOLERANCE`), ``l1`` (sum), ``l2`` (root of the sum of
            squares), ``linf`` (maximum), ``smooth_max`` (maximum of the blurred map) or ``top``
            (how far the highest values, `TOP` of the pixels, lie above the median of the map).

    Returns:
        N scores in float64; higher is more anomalous.

    Raises:
        InputError: unknown norm, or maps of another number of axes.

    Example:
        >>> image_scores(torch.tensor([[[3.0, 4.0]], [[0.0, 1.0]]]))
        tensor([5., 1.], dtype=torch.float64)
    """
    choice("norm", norm, SCORES)
    map_batch(maps)
    if norm == "smooth_max":
        sigma = SMOOTHING * min(maps.shape[1:])
        return smooth(maps, sigma).flatten(1).amax(1).double()
    flat = maps.flatten(1).double()  # N x HW
    if norm == "top":
        highest = flat.topk(top_count(flat.shape[1]), dim=1).values  # N x K
        return highest.mean(1) - flat.median(1).values
    if norm == "l0":
        return (flat > TOLERANCE).sum(1).double()
    order = {"l1": 1.0, "l2": 2.0, "linf": np.inf}[norm]
    return torch.linalg.vector_norm(flat, ord=order, dim=1)
