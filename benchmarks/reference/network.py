"""The network of the paper, written down plainly: up-sample, then convolve, one level at a time.

It has the parameter names of `aesc.model.AESc`, so that each loads the other's state dict.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

RATES = (0.0, 0.0, 0.1, 0.2, 0.4, 0.5)


class PlainLevel(nn.Module):
    """Convolution, batch norm, LeakyReLU."""

    def __init__(self, conv: nn.Conv2d, momentum: float) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels, eps=1e-3, momentum=momentum)

    def forward(self, x: Tensor) -> Tensor:
        """B x inputs x H x W to B x outputs x H' x W'."""
        return functional.leaky_relu(self.norm(self.conv(x)), 0.3)


class PlainAESc(nn.Module):
    """Six levels of stride 2, six of up-sampling; sides must be multiples of 64.

    Args:
        channels: of the image.
        momentum: of the batch norms' running statistics.
    """

    def __init__(self, channels: int = 1, momentum: float = 0.01) -> None:
        super().__init__()
        maps = [channels, 16, 32, 64, 128, 256, 512]
        self.encoder = nn.ModuleList(
            PlainLevel(_down(maps[i], maps[i + 1]), momentum) for i in range(6)
        )
        self.decoder = nn.ModuleList(
            PlainLevel(_up(maps[i + 1], maps[i]), momentum) for i in range(5, 0, -1)
        )
        self.head = _up(maps[1], channels)

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Reconstruct images, with dropout when there is a generator.

        Args:
            images: B x C x H x W in [0, 1].
            generator: of the dropped features, the same for every image of the batch.

        Returns:
            Reconstructions, same shape, in [0, 1].
        """
        skips = []
        x = images
        for level, rate in zip(self.encoder, RATES, strict=True):
            x = drop(level(functional.pad(x, (1, 2, 1, 2))), rate, generator)
            skips.append(x)
        for i in range(5):
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
            x = drop(self.decoder[i](x), RATES[4 - i], generator)
            x = x + skips[4 - i]
        x = functional.interpolate(x, scale_factor=2, mode="nearest")
        return torch.sigmoid(self.head(x))


def drop(x: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """Set features to 0 with probability ``rate`` and divide the others by ``1 - rate``."""
    if generator is None or rate == 0:
        return x
    kept = torch.rand(x.shape[1:], generator=generator) >= rate
    return x * kept / (1 - rate)


def plain_uncertainty(model: PlainAESc, images: Tensor, passes: int, seed: int) -> Tensor:
    """Variance over full passes one after the other, averaged over channels: B x H x W."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        samples = [model(images, generator) for _ in range(passes)]
    return torch.stack(samples).var(0).mean(1)


def _down(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 5, stride=2)


def _up(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 5, padding=2)
