"""The convolutional autoencoder of the MVTec AD paper, trained with a squared error or with SSIM.

Sources: Bergmann, Loewe, Fauser, Sattlegger & Steger, "Improving Unsupervised Defect Segmentation
by Applying Structural Similarity to Autoencoders" (VISAPP 2019, arXiv 1807.02011) for the layers;
Bergmann, Fauser, Sattlegger & Steger, "MVTec AD" (CVPR 2019) for its use on that data set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from aesc._checks import image_batch, whole
from aesc.errors import InputError

SLOPE = 0.2
SMALLEST = 32
"""Least image side in pixels: two halvings have to leave a map of 8 pixels."""


class ConvAE(nn.Module):
    """Autoencoder that squeezes a square image through ``latent`` numbers; no skips, no batch norm.

    From the source, for 128 pixels and width 32: 4 x 4 convolutions of stride 2 to 32, 32, 64 and
    128 maps; 3 x 3 convolutions in between (32 after the second, 64 after the third) and after the
    last (64, 32); an 8 x 8 convolution without padding to the latent 1 x 1 maps, linear. The
    decoder mirrors it, with transposed convolutions for those of stride 2 and for the last.
    LeakyReLU of slope 0.2 after every layer but the latent and the output.

    Ours: the sigmoid at the end, as images are in [0, 1]; weights by He et al. (ICCV 2015), without
    which, for want of batch norms, the sigmoid may saturate in the first steps and never recover;
    sizes other than 128. There the levels of ``width`` maps become more or fewer, so that the last
    map has 8 to 15 pixels a side, and the latent convolution gets its size; an odd map is
    zero-padded by one row and column on the way down and cropped on the way up. The source trains
    with Adam at 2e-4 for 200 epochs with augmentation; here the schedule of the run's preset holds.

    Args:
        channels: channels of the image.
        size: side of the image in pixels, at least 32.
        latent: length of the code (100 here).
        width: feature maps of the first levels (source: 32); the others scale with it.
        generator: source of the initial weights; without one, torch's global generator.

    Raises:
        InputError: a value that is not a positive whole number, or a size below 32.

    Example:
        >>> model = ConvAE(size=64, generator=torch.Generator().manual_seed(0))
        >>> model.encoder(torch.zeros(2, 1, 64, 64)).shape
        torch.Size([2, 100, 1, 1])
    """

    def __init__(
        self,
        channels: int = 1,
        size: int = 128,
        latent: int = 100,
        width: int = 32,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        sizes = {"channels": channels, "latent": latent, "width": width}
        self.config = {name: whole(name, value) for name, value in sizes.items()}
        self.config["size"] = size = whole("size", size, SMALLEST)
        sides = _sides(size)
        plan = _plan(channels, width, len(sides) - 1)
        self.encoder = _activated(
            [
                *(_Halving(i, o) if halving else _plain(i, o) for i, o, halving in plan),
                nn.Conv2d(width, latent, sides[-1]),
            ]
        )
        targets = iter(sides[-2::-1])
        self.decoder = _activated(
            [
                nn.ConvTranspose2d(latent, width, sides[-1]),
                *(
                    _Doubling(o, i, next(targets)) if halving else _plain(o, i)
                    for i, o, halving in reversed(plan)
                ),
            ]
        )
        initialise(self, SLOPE, generator)

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruct images: B x channels x size x size in [0, 1], to the same shape and range.

        Raises:
            InputError: images of another shape.
        """
        image_batch(images, self.config["channels"])
        size = self.config["size"]
        if images.shape[2:] != (size, size):
            raise InputError(
                f"images is of shape {tuple(images.shape)}: resize to {size} x {size} pixels, or "
                "build the network with their size."
            )
        code = self.encoder(images)  # B x latent x 1 x 1
        return torch.sigmoid(self.decoder(code).to(images.dtype))  # B x channels x size x size


class _Halving(nn.Conv2d):
    """4 x 4 convolution of stride 2: side n to ceil(n / 2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] % 2:
            x = functional.pad(x, (0, 1, 0, 1))
        return super().forward(x)


class _Doubling(nn.ConvTranspose2d):
    """4 x 4 transposed convolution of stride 2, cropped to ``side`` pixels."""

    def __init__(self, inputs: int, outputs: int, side: int) -> None:
        super().__init__(inputs, outputs, 4, stride=2, padding=1)
        self.side = side

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        return super().forward(input, output_size)[..., : self.side, : self.side]


def initialise(model: nn.Module, slope: float, generator: torch.Generator | None) -> None:
    """Normal weights that keep the variance through LeakyReLUs (slope 0: ReLUs), and zero biases.

    Source: He, Zhang, Ren & Sun, "Delving Deep into Rectifiers", ICCV 2015.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            deviation = math.sqrt(2 / (1 + slope**2) / _taps(module))
            nn.init.normal_(module.weight, 0, deviation, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _taps(module: nn.Conv2d | nn.ConvTranspose2d) -> int:
    """Number of products that an output value is the sum of, away from the border."""
    area = module.kernel_size[0] * module.kernel_size[1]
    if isinstance(module, _Doubling):
        return module.in_channels * area // 4
    if isinstance(module, nn.ConvTranspose2d):  # grows a map out of a single pixel
        return module.in_channels
    return module.in_channels * area


def _sides(size: int) -> list[int]:
    """Side of the image and after every halving, down to 8..15 pixels."""
    sides = [size]
    while sides[-1] >= 16:
        sides.append(math.ceil(sides[-1] / 2))
    return sides


def _plan(channels: int, width: int, halvings: int) -> list[tuple[int, int, bool]]:
    """Maps in, maps out and whether it halves, for every encoder layer before the latent one."""
    layers = [(width, True)] * (halvings - 2) + [
        (width, False),
        (2 * width, True),
        (2 * width, False),
        (4 * width, True),
        (2 * width, False),
        (width, False),
    ]
    inputs = [channels, *(maps for maps, _ in layers[:-1])]
    return [(before, maps, halves) for before, (maps, halves) in zip(inputs, layers, strict=True)]


def _plain(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _activated(layers: Sequence[nn.Module]) -> nn.Sequential:
    """The layers in a row with a LeakyReLU between each two, so none after the last."""
    modules: list[nn.Module] = [layers[0]]
    for layer in layers[1:]:
        modules += [nn.LeakyReLU(SLOPE), layer]
    return nn.Sequential(*modules)
