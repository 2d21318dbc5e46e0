"""Structural similarity of two images at every pixel, and the loss made of it.

Source: Wang, Bovik, Sheikh & Simoncelli, "Image quality assessment: from error visibility to
structural similarity", IEEE Transactions on Image Processing 13(4), 2004.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from aesc._bands import gaussian_means
from aesc._checks import image_batch, number, same_shape, whole
from aesc.errors import InputError

C1 = 0.01**2
"""Keeps the comparison of means defined in black areas: (k1 * data range)**2."""

C2 = 0.03**2
"""Keeps the comparison of variances defined in flat areas: (k2 * data range)**2."""

WINDOW, SIGMA = 11, 1.5
"""Side of the Gaussian window and its standard deviation, in pixels."""


def ssim_map(first: Tensor, second: Tensor, window: int = WINDOW, sigma: float = SIGMA) -> Tensor:
    """Structural similarity of two batches, averaged over channels.

    Means, variances and the covariance are weighted by a Gaussian around each pixel. Beyond the
    border the image is mirrored, edge pixel included, so that the map is as large as the image.
    Differentiable. Under autocast too it computes in single precision (in double for doubles),
    because the variances are small differences of large numbers; in single precision the result is
    exact to 2e-4 in flat black or white areas, where they are smallest, and better elsewhere.

    Args:
        first: images, B x C x H x W in [0, 1].
        second: images of the same shape.
        window: side of the Gaussian window in pixels, odd, at most H and W.
        sigma: standard deviation of the Gaussian, in pixels.

    Returns:
        B x H x W in [-1, 1], 1 where the images agree.

    Raises:
        InputError: shapes that differ or are not B x C x H x W, a window that is not an odd
            positive number or exceeds the image, or a sigma outside [0.01, 1000].

    Example:
        >>> flat = torch.full((1, 1, 11, 11), 0.2)
        >>> ssim_map(flat, flat + 0.4).mean().round(decimals=3)  # 2 * 0.2 * 0.6 / (0.2**2 + 0.6**2)
        tensor(0.6000)
    """
    _check(first, second, window)
    number("sigma", sigma, 0.01, 1000.0)
    dtype = torch.promote_types(torch.promote_types(first.dtype, second.dtype), torch.float32)
    with _without_autocast(first.device.type):
        # Moved around 0: covariances stay, and lose less to rounding.
        x, y = first.to(dtype) - 0.5, second.to(dtype) - 0.5
        mean_x, mean_y, squares, product = gaussian_means(  # each B x C x H x W
            x, y, x * x + y * y, x * y, window=window, sigma=sigma, border="mirrored"
        )
        products, squares_of_means = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
        covariance, variances = product - products, squares - squares_of_means
        # (x + 1/2) (y + 1/2) = x y + (x + y + 1/2) / 2, moved back
        back = mean_x + mean_y + 0.5
        luminance = (2 * products + back + C1) / (squares_of_means + back + C1)
        return (luminance * (2 * covariance + C2) / (variances + C2)).mean(1)  # B x H x W


def ssim_loss(first: Tensor, second: Tensor) -> Tensor:
    """One minus the structural similarity, averaged over pixels and images: a scalar in [0, 2].

    Raises:
        InputError: as `ssim_map`.
    """
    return (1 - ssim_map(first, second)).mean()


def _without_autocast(device_type: str) -> AbstractContextManager[object]:
    """Nothing is cast within; torch 2.4 has no autocast to be switched off on some devices."""
    if torch.amp.is_autocast_available(device_type):
        return torch.autocast(device_type, enabled=False)
    return nullcontext()


def _check(first: Tensor, second: Tensor, window: int) -> None:
    if whole("window", window) % 2 == 0:
        raise InputError(
            f"window is {window}: give an odd whole number, for a pixel in the middle."
        )
    image_batch(first, name="first", smallest=window)
    same_shape(second, first, ("second", "first"))
