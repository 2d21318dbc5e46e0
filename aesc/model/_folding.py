"""Nearest x2 up-sampling followed by a "same" convolution, without the up-sampling.

Up-sampled neighbours are equal, so each of the four output pixels of an input pixel needs only a
small kernel, whose weights are sums of the large one's (`fold`): 36 instead of 100 multiplications
per input pixel for a 5 x 5 kernel. On a map of a few pixels the weights are the larger part of the
work, and `convolve_scattered` does nothing to them but one matrix product.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def fold_matrix(kernel: int) -> Tensor:
    """How the taps of a large kernel fall on those of the four small ones.

    Returns:
        4 taps**2 x kernel**2 of 0 and 1. Rows: row parity and column parity of the output, row and
        column of the small kernel; columns: row and column of the large one.

    Example:
        >>> fold_matrix(1)  # each of the four outputs sees the pixel that it was copied from
        tensor([[1.],
                [1.],
                [1.],
                [1.]])
    """
    axis = _fold_axis(kernel)
    both = torch.einsum("asy,btx->abstyx", axis, axis)  # 2 x 2 x taps x taps x kernel x kernel
    return both.flatten(4).flatten(0, 3)


def _fold_axis(kernel: int) -> Tensor:
    """The same along one axis: output parity x tap of the small kernel x tap of the large one.

    Example:
        >>> _fold_axis(3)  # even outputs see taps 0 | 1 + 2, odd ones 0 + 1 | 2
        tensor([[[1., 0., 0.],
                 [0., 1., 1.],
                 [0., 0., 0.]],
        <BLANKLINE>
                [[0., 0., 0.],
                 [1., 1., 0.],
                 [0., 0., 1.]]])
    """
    before, after = _reach(kernel)
    matrix = torch.zeros(2, before + 1 + after, kernel)
    for parity in (0, 1):
        for tap in range(kernel):
            matrix[parity, (parity + tap - (kernel - 1) // 2) // 2 + before, tap] = 1
    return matrix


def fold(weight: Tensor, bias: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Kernels and biases that give on the small map what the large ones give after up-sampling.

    Args:
        weight: kernels of the convolution after the up-sampling, O x I x K x K; in channels-last
            layout they are read without a copy.
        bias: biases of the same convolution, O values.
        matrix: what `fold_matrix` gives for K, in the type and on the device of the weights.

    Returns:
        4 O x I x taps x taps in channels-last layout, and 4 O, ordered by row parity, column parity
        and output.
    """
    outputs, inputs = weight.shape[:2]
    taps = math.isqrt(len(matrix) // 4)
    large = weight.permute(0, 2, 3, 1).reshape(outputs, -1, inputs)  # O x KK x I
    small = torch.matmul(matrix, large)  # O x 4 taps taps x I
    small = small.view(outputs, 4, taps, taps, inputs).transpose(0, 1)  # 4 x O x taps x taps x I
    return small.flatten(0, 1).permute(0, 3, 1, 2), bias.repeat(4)


def convolve_folded(x: Tensor, weight: Tensor, bias: Tensor, kernel: int) -> Tensor:
    """B x I x H x W to B x 4 O x H x W with what `fold` made of kernels of side ``kernel``."""
    reach = _reach(kernel)
    return convolve_padded(x, weight, bias, reach, reach)


def convolve_padded(
    x: Tensor, weight: Tensor, bias: Tensor | None, rows: tuple[int, int], columns: tuple[int, int]
) -> Tensor:
    """Convolution with zeros before and after the rows and the columns."""
    if rows[0] == rows[1] and columns[0] == columns[1]:
        return functional.conv2d(x, weight, bias, padding=(rows[0], columns[0]))
    return functional.conv2d(functional.pad(x, (*columns, *rows)), weight, bias)


def convolve_scattered(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The whole operation with the large kernels: B x I x H x W to B x O x 2H x 2W.

    Nearest up-sampling spreads the values over every second pixel, then sums 2 x 2 neighbours. Both
    steps are linear, so the sum can come last: every pixel then adds its multiple of the mirrored
    kernel once.

    Args:
        x: maps, B x I x H x W.
        weight: kernels, O x I x K x K; in channels-last layout they are read without a copy.
        bias: O values, in whose type the multiples are added up.
    """
    batch, inputs, height, width = x.shape
    outputs, _, kernel, _ = weight.shape
    pixels = x.permute(0, 2, 3, 1).reshape(-1, inputs)  # BHW x I
    kernels = weight.permute(0, 2, 3, 1).reshape(-1, inputs)  # OKK x I
    multiples = (pixels @ kernels.T).to(bias)  # BHW x OKK
    mirrored = multiples.view(batch, height * width, outputs, kernel**2).flip(3)
    columns = mirrored.permute(0, 2, 3, 1).reshape(batch, -1, height * width)  # B x OKK x HW
    size = 2 * (height - 1) + kernel, 2 * (width - 1) + kernel
    added = functional.fold(columns, size, kernel, stride=2)  # B x O x 2H-2+K x 2W-2+K
    # Crop to the "same" output, and pad with 0 where a small kernel does not reach its edge.
    before = kernel - 2 - (kernel - 1) // 2
    added = functional.pad(added, (-before, before + 3 - kernel) * 2)  # B x O x 2H+1 x 2W+1
    return functional.avg_pool2d(added, 2, 1, divisor_override=1) + bias.view(-1, 1, 1)


def spread(x: Tensor) -> Tensor:
    """B x 4 O x H x W, ordered as by `fold`, to B x O x 2H x 2W in channels-last layout.

    It copies runs of 2 O numbers, where `pixel_shuffle`, which wants another order, copies single
    numbers.
    """
    batch, channels, height, width = x.shape
    runs = x.permute(0, 2, 3, 1).unflatten(3, (2, channels // 2))  # B x H x W x 2 x 2O
    runs = runs.transpose(2, 3)  # B x H x 2 x W x 2O: a row of outputs is one stretch of memory
    return runs.reshape(batch, 2 * height, 2 * width, channels // 4).permute(0, 3, 1, 2)


def _reach(kernel: int) -> tuple[int, int]:
    """Pixels of the small map that a large kernel covers before and after its own pixel."""
    return ((kernel - 1) // 2 + 1) // 2, (kernel // 2 + 1) // 2
