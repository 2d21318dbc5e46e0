"""A network whose weights stay as they are: prepared once, then only applied."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from aesc._checks import image_batch, whole
from aesc.model._folding import convolve_folded, convolve_padded, fold, fold_matrix, spread
from aesc.model.layers import SLOPE, Level, UpConv, crop, dropout

FEW = 4
"""Images at a time in the finest decoder level: their large maps stay in the CPU's cache."""

MANY_CHANNELS = 256
"""With this many input channels or more, maps are so small that a CPU is faster channels-first."""

WORTH_WEAVING = 64
"""From this many input channels, the multiplications `WovenUp` saves outweigh its additions."""


class InferenceNetwork(nn.Module):
    """What `AESc.for_inference` returns: the same network, prepared to be applied.

    Batch norms by their running statistics are part of the convolutions, and kernels are folded
    once. The weights are copies; nothing here has a gradient.

    Args:
        encoder: levels with a `DownConv`, finest first.
        decoder: levels with an `UpConv`, coarsest first; one fewer.
        head: last convolution, to the image's channels.
        rates: dropout per level, finest first.
        skips: add the encoder's maps.
    """

    def __init__(
        self,
        encoder: nn.ModuleList,
        decoder: nn.ModuleList,
        head: UpConv,
        rates: Sequence[float],
        skips: bool,
    ) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(FixedDown(each.conv, each.norm) for each in _levels(encoder))
        self.decoder = nn.ModuleList(fixed_up(each.conv, each.norm) for each in _levels(decoder))
        self.head = FoldedUp(head.weight, head.bias)
        self.channels = _levels(encoder)[0].conv.in_channels
        self.rates, self.skips = rates, skips
        self.eval()

    def for_inference(self) -> InferenceNetwork:
        """The network itself, which is prepared already."""
        return self

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Reconstruct images, B x C x H x W to the same shape, as `AESc.forward` does.

        Raises:
            InputError: as `AESc.forward`.
        """
        self._check(images)
        return self._decode(self._encode([images], generator), generator)

    def sample(self, images: Tensor, passes: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Reconstruct images ``passes`` times with dropout, one B x C x H x W batch at a time.

        The encoder up to its first dropout is computed once for all passes.

        Raises:
            InputError: as `AESc.sample`.
        """
        self._check(images)
        whole("passes", passes)
        # Without any dropout, all levels but the deepest are computed once.
        first = next((i for i, rate in enumerate(self.rates) if rate > 0), len(self.rates) - 1)
        shared = [images]  # and the maps of the levels before the first dropout
        for level in self.encoder[:first]:
            shared.append(level(shared[-1]))
        undropped = self.encoder[first](shared[-1])
        for _ in range(passes):
            dropped = dropout(undropped, self.rates[first], generator)
            yield self._decode(self._encode([*shared, dropped], generator), generator)

    def _check(self, images: Tensor) -> None:
        image_batch(images, self.channels, smallest=2 ** len(self.encoder))

    def _encode(self, maps: list[Tensor], generator: torch.Generator | None) -> list[Tensor]:
        """Images and the maps of all levels, finest first, going on after those already known."""
        maps = list(maps)
        for index in range(len(maps) - 1, len(self.encoder)):
            maps.append(dropout(self.encoder[index](maps[-1]), self.rates[index], generator))
        return maps  # B x C x H x W, B x 16 x H/2 x W/2 ... B x 512 x H/64 x W/64

    def _decode(self, maps: list[Tensor], generator: torch.Generator | None) -> Tensor:
        """Images, B x C x H x W, and the maps of all levels to B x C x H x W."""
        images, x = maps[0], maps[-1]
        if len(maps) == 2:  # a single level has no decoder but the head
            return torch.sigmoid(crop(self.head(x), images).to(images.dtype))
        for index in range(len(self.decoder) - 1, 0, -1):
            # B x 256 x H/32 x W/32 ... B x 32 x H/4 x W/4
            x = self._join(self.decoder[-1 - index](x), maps[index + 1], index, generator)
        # Dropout draws once for the whole batch, so one with dropout here stays whole.
        few = len(x) if self.rates[0] > 0 else FEW
        parts = []
        for part, skip in zip(x.split(few), maps[1].split(few), strict=True):
            finest = self._join(self.decoder[-1](part), skip, 0, generator)  # 4 x 16 x H/2 x W/2
            parts.append(torch.sigmoid(crop(self.head(finest), images).to(images.dtype)))
        return torch.cat(parts)

    def _join(
        self, x: Tensor, skip: Tensor, index: int, generator: torch.Generator | None
    ) -> Tensor:
        """What a decoder level made, cropped, with dropout, and with the encoder's map of it."""
        x = dropout(crop(x, skip), self.rates[index], generator)
        return x.add_(skip) if self.skips else x  # nothing else holds what a level just computed


class FixedDown(nn.Module):
    """Convolution, batch norm by its running statistics, and LeakyReLU, as one convolution.

    Args:
        conv: any convolution, of whatever stride and padding.
        norm: the batch norm after that convolution.
    """

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        weight, bias = absorb_norm(conv, norm)
        self.layout = fastest_layout(weight)
        self.conv = copy.deepcopy(conv).requires_grad_(False)
        self.conv.weight = nn.Parameter(weight.to(memory_format=self.layout), requires_grad=False)
        self.conv.bias = nn.Parameter(bias, requires_grad=False)

    @torch.no_grad()  # no gradients here, so the in-place activation below is safe
    def forward(self, x: Tensor) -> Tensor:
        """Give what the level it was built from gives."""
        x = self.conv(x.contiguous(memory_format=self.layout))
        return functional.leaky_relu_(x, SLOPE)


class FoldedUp(nn.Module):
    """Nearest x2 up-sampling and "same" convolution, with kernels folded once.

    Args:
        weight: kernels of the convolution after the up-sampling, O x I x K x K.
        bias: biases of the same convolution, O values.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.kernel = weight.shape[-1]
        weight, bias = fold(weight.detach(), bias.detach(), fold_matrix(self.kernel).to(weight))
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last))
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        """B x I x H x W to B x O x 2H x 2W, in channels-last layout."""
        return spread(convolve_folded(x, self.weight, self.bias, self.kernel))


class WovenUp(nn.Module):
    """Nearest x2 up-sampling and "same" convolution, with every second tap in a kernel of its own.

    Along an axis, the taps at even distances read the same pixels for both output pixels of an
    input pixel; those at odd distances read pixels that lie one further for the second. So four
    convolutions that share out the taps, 25 multiplications per input pixel for a 5 x 5 kernel
    instead of the 36 of folded kernels, and some additions give the result.

    Args:
        weight: kernels of the convolution after the up-sampling, O x I x K x K, K at least 2.
        bias: biases of the same convolution, O values.
    """

    bias: Tensor

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
        # Even and odd distances along rows and columns. An odd axis has one value more, for its
        # second outputs: B x H x W x O, B x H x W+1 x O, B x H+1 x W x O, B x H+1 x W+1 x O.
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
        woven = near.new_empty(batch, height, 2, width, 2, outputs)  # row and column parity inside
        for row in (0, 1):
            first = near + below[:, row : row + height]  # B x H x W x O: even along the columns
            second = right + far[:, row : row + height]  # B x H x W+1 x O: odd along the columns
            for column in (0, 1):
                shifted = second[:, :, column : column + width]
                torch.add(first, shifted, out=woven[:, :, row, :, column])
        return woven.view(batch, 2 * height, 2 * width, outputs).permute(0, 3, 1, 2)


def fixed_up(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Sequential:
    """A decoder level: up-sampling, convolution, batch norm by its statistics, LeakyReLU.

    Args:
        conv: the convolution of the level, an `UpConv`.
        norm: the batch norm after that convolution.
    """
    weight, bias = absorb_norm(conv, norm)
    woven = weight.shape[1] >= WORTH_WEAVING and weight.shape[-1] > 1
    up = WovenUp(weight, bias) if woven else FoldedUp(weight, bias)
    return nn.Sequential(up, nn.LeakyReLU(SLOPE, inplace=True))


@torch.no_grad()
def absorb_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does what this one and its batch norm do together.

    Example:
        >>> conv, norm = nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1, eps=0.0)
        >>> _ = nn.init.ones_(conv.weight), nn.init.zeros_(conv.bias)
        >>> norm.running_mean.fill_(3.0), norm.running_var.fill_(4.0)
        (tensor([3.]), tensor([4.]))
        >>> [part.item() for part in absorb_norm(conv, norm)]  # (x - 3) / 2
        [0.5, -1.5]
    """
    assert conv.bias is not None and norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    bias = (conv.bias - norm.running_mean) * scale + norm.bias
    return conv.weight * scale.view(-1, 1, 1, 1), bias


def fastest_layout(weight: Tensor) -> torch.memory_format:
    """The layout of weights (O x I x K x K) and maps with which a convolution is fastest."""
    many = weight.shape[1] >= MANY_CHANNELS
    return torch.contiguous_format if many else torch.channels_last


def _levels(part: nn.ModuleList) -> list[Level]:
    return [cast(Level, level) for level in part]


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
