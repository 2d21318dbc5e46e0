"""The networks of the paper: `AE`, a convolutional autoencoder, and `AESc`, the same with skips.

Source: Collin & De Vleeschouwer (ICPR 2020), section III, and the authors' Keras code, whose
defaults are followed (LeakyReLU slope 0.3, batch-norm epsilon 1e-3, Glorot-uniform weights, "same"
padding), so that weights moved over from there give the same output.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from aesc.errors import InputError

SLOPE = 0.3
EPSILON = 1e-3


class AESc(nn.Module):
    """Autoencoder with skip connections: encoder maps are ADDED to the decoder maps of their size.

    Encoder level: convolution of stride 2, batch norm, LeakyReLU; feature maps double per level.
    Decoder level: nearest up-sampling, convolution, batch norm, LeakyReLU, then the addition. A
    last up-sampling and convolution to the image's channels, then a sigmoid. Sides that are not a
    multiple of 2**depth are cropped to fit on the way up.

    Args:
        channels: of the image, 1 (grey, as published) or more.
        depth: number of encoder levels (paper: 6).
        width: feature maps of the first level (paper: 16).
        kernel: side of every convolution kernel (paper: 5).
        momentum: of the batch norms' running statistics, in PyTorch's convention. Keras's default
            is 0.01; short trainings want more, or the statistics lag behind the weights.
        generator: source of the initial weights; without one, torch's global generator.

    Raises:
        InputError: a size that is not a positive whole number, or a momentum outside (0, 1].
    """

    skips = True
    dropout_rates: Sequence[float] = (0.0, 0.0, 0.1, 0.2, 0.4, 0.5)
    """Monte-Carlo dropout per level, finest first (authors' code); same in encoder and decoder."""

    def __init__(
        self,
        channels: int = 1,
        depth: int = 6,
        width: int = 16,
        kernel: int = 5,
        momentum: float = 0.01,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_sizes(channels=channels, depth=depth, width=width, kernel=kernel)
        if not 0 < momentum <= 1:
            raise InputError(f"momentum={momentum} is out of range: give a number in (0, 1].")
        self.config = {"channels": channels, "depth": depth, "width": width, "kernel": kernel}
        maps = [channels] + [width * 2**level for level in range(depth)]
        self.encoder = nn.ModuleList(
            _Level(DownConv(maps[i], maps[i + 1], kernel), momentum) for i in range(depth)
        )
        self.decoder = nn.ModuleList(
            _Level(UpConv(maps[i + 1], maps[i], kernel), momentum) for i in range(depth - 1, 0, -1)
        )
        self.head = UpConv(maps[1], channels, kernel)
        padding = (0.0,) * max(0, depth - len(self.dropout_rates))
        self.rates = (*padding, *self.dropout_rates[-depth:])
        self._initialise(generator)

    def _initialise(self, generator: torch.Generator | None) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight, generator=generator)
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Reconstruct images.

        Args:
            images: B x C x H x W in [0, 1], both sides at least 2**depth.
            generator: when given, dropout is active at `rates` and draws from it; the dropped
                features are the same for every image of the batch, so that the result for an image
                does not depend on how a set is cut into batches.

        Returns:
            Reconstructions, same shape, in [0, 1].

        Raises:
            InputError: another number of channels, or a side below 2**depth.
        """
        self._check(images)
        return self._decode(self._encode([], images, generator), images, generator)

    def sample(self, images: Tensor, passes: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Reconstruct images ``passes`` times with dropout, one B x C x H x W batch at a time.

        The encoder levels before the first with dropout do not change from pass to pass and are
        computed once.

        Raises:
            InputError: as `forward`.
        """
        self._check(images)
        certain = next((i for i, rate in enumerate(self.rates) if rate > 0), len(self.rates))
        shared = self._encode([], images, None, stop=certain)
        for _ in range(passes):
            yield self._decode(self._encode(shared, images, generator), images, generator)

    @property
    def receptive_field(self) -> int:
        """Side in pixels of the input region that one value of the deepest map sees."""
        kernel, depth = self.config["kernel"], self.config["depth"]
        return 1 + (kernel - 1) * (2**depth - 1)

    def _check(self, images: Tensor) -> None:
        channels, depth = self.config["channels"], self.config["depth"]
        if images.ndim != 4 or images.shape[1] != channels:
            raise InputError(
                f"This network takes B x {channels} x H x W images, not {tuple(images.shape)}: "
                f"build it with channels={images.shape[1] if images.ndim == 4 else '...'}."
            )
        check_image_size(min(images.shape[2:]), depth)

    def _encode(
        self,
        done: list[Tensor],
        images: Tensor,
        generator: torch.Generator | None,
        stop: int | None = None,
    ) -> list[Tensor]:
        """Maps of the encoder levels, finest first, going on after the levels already ``done``."""
        maps = list(done)
        for index in range(len(done), len(self.encoder) if stop is None else stop):
            level = self.encoder[index](maps[-1] if maps else images)
            maps.append(_dropout(level, self.rates[index], generator))
        return maps

    def _decode(
        self, maps: list[Tensor], images: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        x = maps[-1]
        for level, index in zip(self.decoder, range(len(maps) - 2, -1, -1), strict=True):
            skip = maps[index]
            x = _crop(level(x), skip)
            x = _dropout(x, self.rates[index], generator)
            if self.skips:
                x = x + skip
        return torch.sigmoid(_crop(self.head(x), images))


class AE(AESc):
    """The same autoencoder without the additions: everything passes through the deepest map."""

    skips = False
    dropout_rates = (0.0, 0.0, 0.0, 0.0, 0.1, 0.2)


class DownConv(nn.Conv2d):
    """Convolution of stride 2 with Keras's "same" padding: the odd row goes after the image."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """B x inputs x H x W to B x outputs x ceil(H/2) x ceil(W/2)."""
        top, bottom = _same_padding(x.shape[2], self.kernel_size[0])
        left, right = _same_padding(x.shape[3], self.kernel_size[1])
        return super().forward(functional.pad(x, (left, right, top, bottom)))


class UpConv(nn.Conv2d):
    """Nearest x2 up-sampling followed by a "same" convolution, computed without the up-sampling.

    Up-sampled neighbours are equal, so each of the four output pixels of an input pixel needs only
    a small kernel, whose weights are sums of the large one's. One convolution to four times the
    channels and a pixel shuffle give the same result (to rounding) with 36 instead of 100
    multiplications per input pixel for a 5 x 5 kernel. The parameters stay those of the large one.
    On a map of a few pixels the kernels are the larger part of the work, and folding them does not
    pay.
    """

    WORTH_FOLDING = 8
    """Least number of input pixels for which the folded form is faster (measured on a CPU)."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """B x inputs x H x W to B x outputs x 2H x 2W."""
        if x.shape[2] * x.shape[3] < self.WORTH_FOLDING:
            return self.plain(x)
        return self.folded(x)

    def plain(self, x: Tensor) -> Tensor:
        """The definition: up-sample, then convolve."""
        padding = (self.kernel_size[0] - 1) // 2, self.kernel_size[0] // 2
        x = functional.interpolate(x, scale_factor=2, mode="nearest")
        return functional.conv2d(functional.pad(x, padding * 2), self.weight, self.bias)

    def folded(self, x: Tensor) -> Tensor:
        """The same with folded kernels, to rounding."""
        fold, before, after = _fold_matrix(self.kernel_size[0])
        fold = fold.to(self.weight)
        weight = torch.einsum("asy,btx,oiyx->oabist", fold, fold, self.weight)
        weight = weight.reshape(4 * self.out_channels, self.in_channels, *fold.shape[1:2] * 2)
        bias = self.bias.repeat_interleave(4)
        if before == after:
            folded = functional.conv2d(x, weight, bias, padding=before)
        else:
            folded = functional.conv2d(functional.pad(x, (before, after) * 2), weight, bias)
        return functional.pixel_shuffle(folded, 2)


class _Level(nn.Module):
    """Convolution, batch norm, LeakyReLU."""

    def __init__(self, conv: nn.Conv2d, momentum: float) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels, eps=EPSILON, momentum=momentum)

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(self.norm(self.conv(x)), SLOPE)


def check_image_size(side: int, depth: int) -> None:
    """Raise InputError when a side is below 2**depth, the least that ``depth`` levels can halve."""
    if side < 2**depth:
        raise InputError(
            f"Images of {side} pixels are too small for a network of depth {depth}: "
            f"use at least {2**depth} pixels or a depth of at most {max(0, int(math.log2(side)))}."
        )


def check_sizes(**sizes: int) -> None:
    """Raise InputError unless every value, given by its name, is a positive whole number."""
    for name, value in sizes.items():
        if not isinstance(value, int) or value < 1:
            raise InputError(f"{name}={value} is not a size: give a positive whole number.")


def _same_padding(side: int, kernel: int) -> tuple[int, int]:
    """Keras's padding before and after, at stride 2, that gives ceil(side / 2) outputs."""
    total = max((math.ceil(side / 2) - 1) * 2 + kernel - side, 0)
    return total // 2, total - total // 2


@lru_cache(maxsize=8)
def _fold_matrix(kernel: int) -> tuple[Tensor, int, int]:
    """How the taps of a kernel after up-sampling fall on input pixels, along one axis.

    Returns:
        2 x taps x kernel of 0 and 1 (output parity, input tap, kernel tap), and the zero padding
        before and after.
    """
    offsets = range(-((kernel - 1) // 2), kernel // 2 + 1)
    first, last = offsets[0] // 2, (1 + offsets[-1]) // 2
    fold = torch.zeros(2, last - first + 1, kernel)
    for parity in (0, 1):
        for tap, offset in enumerate(offsets):
            fold[parity, (parity + offset) // 2 - first, tap] = 1
    return fold, -first, last


def _crop(x: Tensor, like: Tensor) -> Tensor:
    return x[..., : like.shape[2], : like.shape[3]]


def _dropout(x: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """Zero features with probability ``rate``, the same in the whole batch; scale the rest."""
    if generator is None or rate == 0:
        return x
    draws = torch.rand(x.shape[1:], generator=generator, device=generator.device)
    return x * ((draws >= rate).to(device=x.device, dtype=x.dtype) / (1 - rate))
