"""Nearest x2 up-sampling followed by a "same" convolution, without the up-sampling.

Up-sampled neighbours are equal, so each of the four output pixels of an input pixel needs only a
small kernel, whose weights are sums of the large one's (`fold`): 36 instead of 100 multiplications
per input pixel for a 5 x 5 kernel. On a map of a few pixels the weights are the larger part of the
work, and `convolve_scattered` does nothing to them but one matrix product.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def fold_matrix(kernel: int) -> Tensor:
    """How the taps of a large kernel fall on those of the small one, along one axis.

    Returns:
        2 x taps x kernel of 0 and 1: output parity, tap of the small kernel, tap of the large one.
    """
    before, after = _reach(kernel)
    matrix = torch.zeros(2, before + 1 + after, kernel)
    for parity in (0, 1):
        for tap in range(kernel):
            matrix[parity, (parity + tap - (kernel - 1) // 2) // 2 + before, tap] = 1
    return matrix


def fold(weight: Tensor, bias: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The large kernels, O x I x K x K, and O biases to those of the small map.

    Args:
        weight: of the convolution after the up-sampling.
        bias: likewise.
        matrix: what `fold_matrix` gives for K, in the type and on the device of the weights.

    Returns:
        4 O x I x taps x taps and 4 O, ordered by row parity, column parity and output.
    """
    folded = torch.einsum("asy,btx,oiyx->aboist", matrix, matrix, weight)
    return folded.flatten(0, 2), bias.repeat(4)


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

    Nearest up-sampling sets each value to every second place and adds up 2 x 2 neighbours. The sum
    may as well come last: every pixel then adds its multiple of the mirrored kernel once.

    Args:
        x: maps; weights in channels-last layout are read as they lie.
        weight: O x I x K x K.
        bias: O values, in whose type the multiples are added up.
    """
    batch, inputs, height, width = x.shape
    outputs, _, kernel, _ = weight.shape
    pixels = x.permute(0, 2, 3, 1).reshape(-1, inputs)
    multiples = (pixels @ weight.permute(0, 2, 3, 1).reshape(-1, inputs).T).to(bias)
    mirrored = multiples.view(batch, height * width, outputs, kernel**2).flip(3)
    columns = mirrored.permute(0, 2, 3, 1).reshape(batch, -1, height * width)
    size = 2 * (height - 1) + kernel, 2 * (width - 1) + kernel
    added = functional.fold(columns, size, kernel, stride=2)
    # What the "same" output does not need is cut off; where a small kernel misses it, there is 0.
    before = kernel - 2 - (kernel - 1) // 2
    added = functional.pad(added, (-before, before + 3 - kernel) * 2)
    return functional.avg_pool2d(added, 2, 1, divisor_override=1) + bias.view(-1, 1, 1)


def spread(x: Tensor) -> Tensor:
    """B x 4 O x H x W, ordered as by `fold`, to B x O x 2H x 2W in channels-last layout.

    It copies runs of 2 O numbers, where `pixel_shuffle`, which wants another order, copies single
    numbers.
    """
    batch, channels, height, width = x.shape
    runs = x.permute(0, 2, 3, 1).unflatten(3, (2, channels // 2)).transpose(2, 3)
    return runs.reshape(batch, 2 * height, 2 * width, channels // 4).permute(0, 3, 1, 2)


def _reach(kernel: int) -> tuple[int, int]:
    """Pixels of the small map that a large kernel covers before and after the own one."""
    return ((kernel - 1) // 2 + 1) // 2, (kernel // 2 + 1) // 2
