"""The layers of the networks: convolutions down and up, a level, dropout."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from aesc._checks import number
from aesc.model._folding import convolve_folded, convolve_scattered, fold, fold_matrix, spread

SLOPE = 0.3
"""Slope of every LeakyReLU below 0, Keras's default."""

EPSILON = 1e-3
"""Added to the variance in every batch norm, Keras's default."""


class Level(nn.Module):
    """Convolution, batch norm, LeakyReLU.

    Args:
        conv: `DownConv` or `UpConv`.
        momentum: momentum of the batch norm's running statistics, in PyTorch's convention.
    """

    def __init__(self, conv: nn.Conv2d, momentum: float) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels, eps=EPSILON, momentum=momentum)

    def forward(self, x: Tensor) -> Tensor:
        """B x I x H x W to B x O x H' x W', whose sides are those of the convolution."""
        return functional.leaky_relu(self.norm(self.conv(x)), SLOPE)


class DownConv(nn.Conv2d):
    """Convolution of stride 2 with Keras's "same" padding: the odd row goes after the image.

    Args:
        inputs: number of channels before it.
        outputs: number of channels after it.
        kernel: side of the kernel.

    Example:
        >>> DownConv(1, 16, kernel=5)(torch.rand(1, 1, 64, 33)).shape
        torch.Size([1, 16, 32, 17])
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """B x inputs x H x W to B x outputs x ceil(H/2) x ceil(W/2)."""
        top, bottom = same_padding(x.shape[2], self.kernel_size[0])
        left, right = same_padding(x.shape[3], self.kernel_size[1])
        return super().forward(functional.pad(x, (left, right, top, bottom)))


class UpConv(nn.Conv2d):
    """Nearest x2 up-sampling followed by a "same" convolution, computed without the up-sampling.

    Mostly by one convolution with folded kernels to four times the channels, which are then laid
    side by side; the result is that of `plain` to rounding. The parameters stay those of the large
    kernel.

    Args:
        inputs: number of channels before it.
        outputs: number of channels after it.
        kernel: side of the kernel.

    Example:
        >>> conv, x = UpConv(16, 1, kernel=5), torch.rand(1, 16, 32, 32)
        >>> conv(x).shape, torch.allclose(conv(x), conv.plain(x), atol=1e-5)
        (torch.Size([1, 1, 64, 64]), True)
    """

    FEW_PIXELS = 16
    """On maps of at most this many pixels, folding the kernels costs a CPU more than it saves."""

    bias: Tensor
    matrix: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel)
        # A buffer moves with the weights, so that nothing is copied to the device in a forward.
        self.register_buffer("matrix", fold_matrix(kernel), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """B x inputs x H x W to B x outputs x 2H x 2W."""
        if x.device.type == "cpu" and x.shape[2] * x.shape[3] <= self.FEW_PIXELS:
            return convolve_scattered(x, self.weight, self.bias)
        return self.folded(x)

    def plain(self, x: Tensor) -> Tensor:
        """The definition: up-sample, then convolve. B x inputs x H x W to B x outputs x 2H x 2W."""
        padding = (self.kernel_size[0] - 1) // 2, self.kernel_size[0] // 2
        x = functional.interpolate(x, scale_factor=2, mode="nearest")  # B x inputs x 2H x 2W
        return functional.conv2d(functional.pad(x, padding * 2), self.weight, self.bias)

    def folded(self, x: Tensor) -> Tensor:
        """The same with folded kernels, to rounding, in channels-last layout."""
        weight, bias = fold(self.weight, self.bias, self.matrix)
        return spread(convolve_folded(x, weight, bias, self.kernel_size[0]))


def same_padding(side: int, kernel: int) -> tuple[int, int]:
    """Keras's padding before and after, at stride 2, that gives ceil(side / 2) outputs.

    Example:
        >>> same_padding(64, kernel=5), same_padding(63, kernel=5)
        ((1, 2), (2, 2))
    """
    total = max((math.ceil(side / 2) - 1) * 2 + kernel - side, 0)
    return total // 2, total - total // 2


def crop(x: Tensor, like: Tensor) -> Tensor:
    """The top left part of B x C x H x W maps that has the sides of ``like``."""
    return x[..., : like.shape[2], : like.shape[3]]


def dropout(x: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """Zero features with probability ``rate``, the same in the whole batch; scale the rest.

    Args:
        x: B x C x H x W maps.
        rate: share of the features to drop, in [0, 1).
        generator: source of the draws; without one, nothing is dropped.

    Returns:
        Maps of the same shape; features that are kept are divided by ``1 - rate``.

    Raises:
        InputError: a rate outside [0, 1).

    Example:
        >>> dropout(torch.ones(1, 1, 2, 4), 0.5, torch.Generator().manual_seed(0))
        tensor([[[[0., 2., 0., 0.],
                  [0., 2., 0., 2.]]]])
    """
    if generator is None or rate == 0:
        return x
    number("rate", rate, 0, 1, below=True)
    draws = torch.rand(x.shape[1:], generator=generator, device=generator.device)  # C x H x W
    mask = torch.empty_like(x[:1]).copy_(draws >= rate)  # 1 x C x H x W, in the layout of x
    return x * mask.div_(1 - rate)


def initialise(model: nn.Module, generator: torch.Generator | None) -> None:
    """Glorot-uniform weights and zero biases for every convolution, Keras's default."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
