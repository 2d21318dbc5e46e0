"""The networks of the paper: `AE`, a convolutional autoencoder, and `AESc`, the same with skips.

Source: Collin & De Vleeschouwer (ICPR 2020), section III, and the authors' Keras code, whose
defaults are followed (LeakyReLU slope 0.3, batch-norm epsilon 1e-3, Glorot-uniform weights, "same"
padding), so that weights moved over from there give the same output.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from aesc._folding import convolve_folded, convolve_scattered, fold, fold_matrix, spread
from aesc._inference import FixedDown, FixedUp, FoldedUp, drop
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
        check_momentum(momentum)
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

        What does not change from pass to pass is computed once: the encoder up to its first
        dropout and, in evaluation mode without gradients, what `for_inference` prepares.

        Raises:
            InputError: as `forward`.
        """
        self._check(images)
        network = self if self.training or torch.is_grad_enabled() else self.for_inference()
        certain = next((i for i, rate in enumerate(self.rates) if rate > 0), len(self.rates))
        *shared, last = network._encode([], images, None, stop=certain + 1)
        for _ in range(passes):
            first = network._drop(last, len(shared), generator)
            maps = network._encode([*shared, first], images, generator)
            yield network._decode(maps, images, generator)

    def for_inference(self) -> AESc:
        """The same network as in evaluation mode, to rounding, and faster; not for training.

        Batch norms by their running statistics are part of the convolutions, and kernels are folded
        once. It is a snapshot: weights that change later do not change it. A copy that is prepared
        already returns itself.
        """
        return _Fixed(self)

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
        for index, level in list(enumerate(self.encoder))[len(done) : stop]:
            maps.append(self._drop(level(maps[-1] if maps else images), index, generator))
        return maps

    def _decode(
        self, maps: list[Tensor], images: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        x = maps[-1]
        for level, index in zip(self.decoder, range(len(maps) - 2, -1, -1), strict=True):
            x = self._join(level(x), maps[index], index, generator)
        return torch.sigmoid(_crop(self.head(x), images))

    def _join(
        self, x: Tensor, skip: Tensor, index: int, generator: torch.Generator | None
    ) -> Tensor:
        """What a decoder level made, cropped, with dropout, and with the encoder's map of it."""
        x = self._drop(_crop(x, skip), index, generator)
        return self._add(x, skip) if self.skips else x

    def _drop(self, x: Tensor, index: int, generator: torch.Generator | None) -> Tensor:
        return _dropout(x, self.rates[index], generator)

    def _add(self, x: Tensor, skip: Tensor) -> Tensor:
        return x + skip


class AE(AESc):
    """The same autoencoder without the additions: everything passes through the deepest map."""

    skips = False
    dropout_rates = (0.0, 0.0, 0.0, 0.0, 0.1, 0.2)


class _Fixed(AESc):
    """What `AESc.for_inference` returns."""

    FEW = 4
    """Images at a time in the finest decoder level: their large maps stay in the CPU's cache."""

    def __init__(self, model: AESc) -> None:
        nn.Module.__init__(self)
        self.config, self.rates, self.skips = model.config, model.rates, model.skips
        self.encoder = nn.ModuleList(
            FixedDown(level.conv, level.norm, SLOPE) for level in model.encoder
        )
        self.decoder = nn.ModuleList(
            FixedUp(level.conv, level.norm, SLOPE) for level in model.decoder
        )
        self.head = FoldedUp(model.head.weight, model.head.bias, model.head.matrix)
        self.eval()

    def for_inference(self) -> AESc:
        return self

    def _decode(
        self, maps: list[Tensor], images: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        if len(maps) == 1 or self.rates[0] > 0:
            return super()._decode(maps, images, generator)
        x = maps[-1]
        for level, index in zip(self.decoder[:-1], range(len(maps) - 2, 0, -1), strict=True):
            x = self._join(level(x), maps[index], index, generator)
        done = []
        for few, skip in zip(x.split(self.FEW), maps[0].split(self.FEW), strict=True):
            finest = self._join(self.decoder[-1](few), skip, 0, None)
            done.append(torch.sigmoid(_crop(self.head(finest), images)))
        return torch.cat(done)

    def _drop(self, x: Tensor, index: int, generator: torch.Generator | None) -> Tensor:
        rate = self.rates[index]
        return x if generator is None or rate == 0 else drop(x, rate, generator)

    def _add(self, x: Tensor, skip: Tensor) -> Tensor:
        return x.add_(skip)  # no one else holds what a level has just computed


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

    Mostly by one convolution with folded kernels to four times the channels, which are then laid
    side by side; the result is the same to rounding. The parameters stay those of the large kernel.
    """

    FEW_PIXELS = 16
    """On maps of up to so many pixels, folding the kernels costs a CPU more than it saves."""

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
        """The definition: up-sample, then convolve."""
        padding = (self.kernel_size[0] - 1) // 2, self.kernel_size[0] // 2
        x = functional.interpolate(x, scale_factor=2, mode="nearest")
        return functional.conv2d(functional.pad(x, padding * 2), self.weight, self.bias)

    def folded(self, x: Tensor) -> Tensor:
        """The same with folded kernels, to rounding, in channels-last layout."""
        weight, bias = fold(self.weight, self.bias, self.matrix)
        return spread(convolve_folded(x, weight, bias, self.kernel_size[0]))


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


def check_momentum(momentum: float) -> None:
    """Raise InputError unless a batch norm's momentum is in (0, 1]."""
    if not 0 < momentum <= 1:
        raise InputError(f"momentum={momentum} is out of range: give a number in (0, 1].")


def _same_padding(side: int, kernel: int) -> tuple[int, int]:
    """Keras's padding before and after, at stride 2, that gives ceil(side / 2) outputs."""
    total = max((math.ceil(side / 2) - 1) * 2 + kernel - side, 0)
    return total // 2, total - total // 2


def _crop(x: Tensor, like: Tensor) -> Tensor:
    return x[..., : like.shape[2], : like.shape[3]]


def _dropout(x: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """Zero features with probability ``rate``, the same in the whole batch; scale the rest."""
    if generator is None or rate == 0:
        return x
    draws = torch.rand(x.shape[1:], generator=generator, device=generator.device)
    return x * ((draws >= rate).to(device=x.device, dtype=x.dtype) / (1 - rate))
