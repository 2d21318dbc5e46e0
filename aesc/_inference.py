"""Levels of a network whose weights stay as they are: prepared once, then only applied."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from aesc._folding import convolve_folded, convolve_padded, fold, spread

MANY_CHANNELS = 256
"""From so many input channels on, maps are so small that a CPU is faster with channels first."""

WORTH_WEAVING = 64
"""From so many input channels on, `WovenUp` multiplies so much less that its additions pay."""


class FixedDown(nn.Module):
    """Convolution, batch norm by its running statistics, and LeakyReLU, as one convolution.

    Args:
        conv: any convolution, of whatever stride and padding.
        norm: that follows it.
        slope: of the LeakyReLU.
    """

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, slope: float) -> None:
        super().__init__()
        weight, bias = absorb_norm(conv, norm)
        self.layout = fastest_layout(weight)
        self.conv = copy.deepcopy(conv).requires_grad_(False)
        self.conv.weight.data = weight.to(memory_format=self.layout)
        self.conv.bias.data = bias
        self.slope = slope

    @torch.no_grad()  # and so there are none in what follows either, which works in place
    def forward(self, x: Tensor) -> Tensor:
        """As the level that it was made of."""
        x = self.conv(x.contiguous(memory_format=self.layout))
        return functional.leaky_relu_(x, self.slope)


class FoldedUp(nn.Module):
    """Nearest x2 up-sampling and "same" convolution, with kernels folded once.

    Args:
        weight: of the convolution after the up-sampling, O x I x K x K.
        bias: likewise, O values.
        matrix: as for `aesc._folding.fold`.
    """

    def __init__(self, weight: Tensor, bias: Tensor, matrix: Tensor) -> None:
        super().__init__()
        self.kernel = weight.shape[-1]
        weight, bias = fold(weight.detach(), bias.detach(), matrix)
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last))
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        """B x I x H x W to B x O x 2H x 2W, in channels-last layout."""
        return spread(convolve_folded(x, self.weight, self.bias, self.kernel))


class WovenUp(nn.Module):
    """Nearest x2 up-sampling and "same" convolution, with every second tap in a kernel of its own.

    Along an axis, the taps at even distances read the same pixels for both output pixels of an
    input pixel, those at odd distances pixels that lie one further for the second. So four
    convolutions that share out the taps, 25 multiplications per input pixel for a 5 x 5 kernel
    instead of the 36 of folded kernels, and some additions give the result.

    Args:
        weight: of the convolution after the up-sampling, O x I x K x K, K at least 2.
        bias: likewise, O values.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.taps = [_taps(weight.shape[-1], odd) for odd in (0, 1)]
        (even, _), (odd, _) = self.taps
        parts = [weight[:, :, i::2, j::2] for i in (even, odd) for j in (even, odd)]
        self.weights = nn.ParameterList(
            nn.Parameter(part.detach().clone(memory_format=torch.channels_last), False)
            for part in parts
        )
        self.register_buffer("bias", bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        """B x I x H x W to B x O x 2H x 2W, in channels-last layout."""
        (_, even), (_, odd) = self.taps
        near, right, below, far = (
            convolve_padded(x, weight, bias, *padding).permute(0, 2, 3, 1)
            for weight, bias, padding in zip(
                self.weights,
                (self.bias, None, None, None),
                ((even, even), (even, odd), (odd, even), (odd, odd)),
                strict=True,
            )
        )
        batch, height, width, outputs = near.shape
        woven = near.new_empty(batch, height, 2, width, 2, outputs)
        for row in (0, 1):
            first = near + below[:, row : row + height]
            second = right + far[:, row : row + height]
            for column in (0, 1):
                shifted = second[:, :, column : column + width]
                torch.add(first, shifted, out=woven[:, :, row, :, column])
        return woven.view(batch, 2 * height, 2 * width, outputs).permute(0, 3, 1, 2)


class FixedUp(nn.Sequential):
    """A decoder level: up-sampling, convolution, batch norm by its statistics, LeakyReLU.

    Args:
        conv: the convolution, with its `matrix` for `FoldedUp`.
        norm: that follows it.
        slope: of the LeakyReLU.
    """

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, slope: float) -> None:
        weight, bias = absorb_norm(conv, norm)
        woven = weight.shape[1] >= WORTH_WEAVING and weight.shape[-1] > 1
        up = WovenUp(weight, bias) if woven else FoldedUp(weight, bias, conv.matrix)
        super().__init__(up, nn.LeakyReLU(slope, inplace=True))


@torch.no_grad()
def absorb_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does what this one and its batch norm do together."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    bias = (conv.bias - norm.running_mean) * scale + norm.bias
    return conv.weight * scale.view(-1, 1, 1, 1), bias


def fastest_layout(weight: Tensor) -> torch.memory_format:
    """The layout of weights (O x I x K x K) and maps with which a convolution is fastest."""
    many = weight.shape[1] >= MANY_CHANNELS
    return torch.contiguous_format if many else torch.channels_last


def drop(x: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """What `aesc.model` does for dropout, with the mask in the layout of ``x``."""
    draws = torch.rand(x.shape[1:], generator=generator, device=generator.device)
    mask = torch.empty_like(x[:1]).copy_(draws >= rate)
    return x * mask.div_(1 - rate)


def _taps(kernel: int, odd: int) -> tuple[int, tuple[int, int]]:
    """Along one axis, the taps at even (0) or odd (1) distances from the one in the middle.

    Returns:
        The first of them, of which every second follows, and the zeros that they need before the
        input and after it; at odd distances, for one output more than there are inputs.
    """
    middle = (kernel - 1) // 2
    first = (middle + odd) % 2
    before = (middle + odd - first) // 2
    return first, (before, len(range(first, kernel, 2)) - 1 - before + odd)
