"""Gaussian means of images, as products of band matrices."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

STRIP = 32
"""Rows of a band matrix that are multiplied at a time, on a CPU."""


def gaussian_means(*images: Tensor, window: int, sigma: float, border: str) -> tuple[Tensor, ...]:
    """Means around each pixel of the last two axes, weighted by a Gaussian; differentiable.

    By products of matrices, not by convolutions of one channel: several times faster on a CPU, and
    on a GPU not rounded to TensorFloat-32, which cuDNN does to convolutions by default.

    Args:
        images: images or maps, ... x H x W each, of one type and device and the same last two axes.
        window: side of the Gaussian window in pixels, odd.
        sigma: standard deviation of the Gaussian, in pixels.
        border: what lies beyond the border, as `band_matrix` has it.

    Returns:
        The means of each, in its shape.
    """
    x = images[0]
    columns, rows = (
        _strips(side, window, sigma, border, x.device, x.dtype) for side in x.shape[-2:]
    )

    def means(x: Tensor) -> Tensor:
        x = torch.cat([weights @ x[..., near, :] for near, weights in columns], -2)
        return torch.cat([x[..., near] @ weights.T for near, weights in rows], -1)

    # One by one: together they are slower, being too large for the cache.
    return tuple(means(x) for x in images)


def band_matrix(
    side: int, window: int, sigma: float, border: str, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Matrix, side x side, that takes Gaussian means along an axis; on the CPU.

    A GPU would add the weights of pixels that are mirrored onto each other in any order.

    Args:
        side: length of the axis, in pixels, at least half the window.
        window: side of the Gaussian window in pixels, odd.
        sigma: standard deviation of the Gaussian, in pixels.
        border: ``mirrored``, edge pixel included, or ``repeated``, the edge pixel alone.
        dtype: type of the matrix.
    """
    offsets = torch.arange(window) - window // 2
    weights = torch.softmax(-0.5 * (offsets.to(dtype) / sigma) ** 2, 0)
    pixels = torch.arange(side)
    sources = pixels.unsqueeze(1) + offsets  # side x window, beyond the ends as well
    if border == "mirrored":
        sources = torch.where(sources < 0, -1 - sources, sources)
        sources = torch.where(sources >= side, 2 * side - 1 - sources, sources)
    sources = sources.clamp(0, side - 1)
    return torch.zeros(side, side, dtype=dtype).scatter_add_(1, sources, weights.expand(side, -1))


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # kept from a scoring, it may be asked for in a training
def _strips(
    side: int, window: int, sigma: float, border: str, device: torch.device, dtype: torch.dtype
) -> list[tuple[slice, Tensor]]:
    """A `band_matrix` in strips of rows, without the zeros left and right of the band.

    It is kept, and stays on the device: a training asks for the same one in every step, and a copy
    to a GPU for every batch would make the host wait.

    A CPU is spared most of the multiplications of a large image. A GPU would rather have one
    product than many small ones, and gets the whole matrix.

    Returns:
        The columns that each strip is taken from, and its weights.
    """
    matrix = band_matrix(side, window, sigma, border, dtype)
    if device.type != "cpu":
        return [(slice(None), matrix.to(device))]
    strips = []
    for rows in matrix.split(STRIP):
        used = rows.any(0).nonzero()
        near = slice(int(used[0]), int(used[-1]) + 1)
        strips.append((near, rows[:, near]))
    return strips
