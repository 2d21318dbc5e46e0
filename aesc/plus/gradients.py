"""Gradient-magnitude similarity of two images at every pixel, and the loss made of it.

Source: Xue, Zhang, Mou & Bovik, "Gradient magnitude similarity deviation", IEEE Transactions on
Image Processing 23(2), 2014. As an anomaly map at several scales: Zavrtanik, Kristan & Skocaj,
"Reconstruction by inpainting for visual anomaly detection", Pattern Recognition 112, 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from aesc._checks import image_batch, same_shape, whole

C = 0.0026
"""Keeps the comparison defined where neither image has an edge; for values in [0, 1]."""

SCALES = 3
"""Scales of the loss and of the map, each at half the resolution of the one before."""

TINY = 1e-12
"""Added below the root, whose slope at 0 is infinite."""


def gradient_magnitude(images: Tensor) -> Tensor:
    """Length of the gradient of each channel by Prewitt's operator, edges repeated.

    Args:
        images: B x C x H x W.

    Returns:
        The same shape, at least 0.

    Example:
        >>> step = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(1, 1, 4, 4)
        >>> gradient_magnitude(step)[0, 0, 1]
        tensor([1.0000e-06, 1.0000e+00, 1.0000e+00, 1.0000e-06])
    """
    return _squared(images).sqrt()


def _squared(images: Tensor) -> Tensor:
    """Square of `gradient_magnitude`, same shape."""
    x = functional.pad(images, (1, 1, 1, 1), mode="replicate")  # B x C x (H + 2) x (W + 2)
    rows = x[..., :-2, :] + x[..., 1:-1, :] + x[..., 2:, :]  # B x C x H x (W + 2)
    columns = x[..., :-2] + x[..., 1:-1] + x[..., 2:]  # B x C x (H + 2) x W
    right = rows[..., 2:] - rows[..., :-2]  # B x C x H x W
    down = columns[..., 2:, :] - columns[..., :-2, :]
    return (right.square() + down.square()) / 9 + TINY


def gms_map(first: Tensor, second: Tensor, scales: int = SCALES) -> Tensor:
    """Gradient-magnitude similarity of two batches, averaged over channels and scales.

    At each scale the images are averaged over squares of pixels. Differentiable.

    Args:
        first: images, B x C x H x W in [0, 1].
        second: images of the same shape.
        scales: number of scales; both sides are at least 2**(scales - 1).

    Returns:
        B x H x W in (0, 1], 1 where the edges agree.

    Raises:
        InputError: shapes that differ or are not B x C x H x W, a number of scales that is not a
            positive whole number, or images too small for it.

    Example:
        >>> flat, step = torch.zeros(1, 1, 4, 4), torch.tensor([0.0, 0.0, 1.0, 1.0])
        >>> gms_map(flat, step.expand(1, 1, 4, 4), scales=1)[0, 1].round(decimals=3)
        tensor([1.0000, 0.0030, 0.0030, 1.0000])
    """
    image_batch(first, name="first", smallest=2 ** (whole("scales", scales) - 1))
    same_shape(second, first, ("second", "first"))
    return similarity(squared_gradients(first, scales), squared_gradients(second, scales))


def squared_gradients(images: Tensor, scales: int = SCALES) -> list[Tensor]:
    """Squares of `gradient_magnitude` at each scale, B x C x H / 2**scale x W / 2**scale."""
    squares = [_squared(images)]
    for _ in range(1, scales):
        images = functional.avg_pool2d(images, 2)
        squares.append(_squared(images))
    return squares


def similarity(first: list[Tensor], second: list[Tensor]) -> Tensor:
    """As `gms_map`, from the `squared_gradients` of both: of one image and several versions, those
    of the image need not be computed again.
    """
    total = torch.zeros_like(first[0][:, 0])  # B x H x W
    for one, other in zip(first, second, strict=True):
        # The product of two lengths is the root of that of their squares: one root instead of two.
        alike = (2 * (one * other).sqrt() + C) / (one + other + C)
        alike = alike.mean(1, keepdim=True)  # B x 1 x H / 2**scale x W / 2**scale
        if alike.shape[2:] != total.shape[1:]:
            alike = functional.interpolate(alike, total.shape[1:], mode="bilinear")
        total = total + alike.squeeze(1)
    return total / len(first)


def gms_loss(first: Tensor, second: Tensor) -> Tensor:
    """One minus the similarity, averaged over pixels and images: a scalar in [0, 1).

    Raises:
        InputError: as `gms_map`.
    """
    return (1 - gms_map(first, second)).mean()
