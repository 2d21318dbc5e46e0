"""Anomaly detection by attribute restoration, ITAE: erase colour and orientation, learn them back.

Source: Ye, Huang, Cao, Li, Zhang & Lu, "Attribute Restoration Framework for Anomaly Detection"
(first version: "Inverse-Transform AutoEncoder for Anomaly Detection"), arXiv 1911.10676. A network
is trained on good images to restore the original from its grey and rotated version, with an L1
loss. In the test every rotation is restored; its error is divided by its mean on training images,
and the quotients are averaged.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from aesc.baselines.convolutional import initialise
from aesc.errors import InputError
from aesc.model import check_momentum, check_sizes
from aesc.noise.base import Corruption

TURNS = 4
"""Rotations of the source: by 0, 90, 180 and 270 degrees."""

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the grey of ITU-R BT.601."""

LEVELS = 4
"""Poolings of the network; sides are padded to a multiple of 2**LEVELS."""

LEAST_ERROR = 1e-8
"""Typical errors are at least this, so that one can divide by them."""


def erase(images: Tensor, turns: Tensor) -> Tensor:
    """Grey versions of square images, each turned by its own number of quarter turns.

    Nothing is read back from the device.

    Args:
        images: B x C x S x S floating point in [0, 1].
        turns: B integers on the same device, quarter turns counter-clockwise (modulo 4), as
            `torch.rot90` on the last two axes.

    Returns:
        B x C x S x S in [0, 1], all channels equal: the luma of 3 channels, else the mean of the
        channels (one channel stays as it is).

    Raises:
        InputError: images that are not square or not B x C x S x S, or turns that are not B
            integers.
    """
    _check_square(images)
    if turns.shape != images.shape[:1] or turns.is_floating_point():
        raise InputError(
            f"turns of shape {tuple(turns.shape)} and type {turns.dtype} do not fit {len(images)} "
            "images: give one integer per image."
        )
    grey = _grey(images)
    turned = torch.stack([torch.rot90(grey, turn, (2, 3)) for turn in range(TURNS)])
    turned = turned[turns.long() % TURNS, torch.arange(len(images), device=images.device)]
    return turned.repeat(1, images.shape[1], 1, 1)


@dataclass(frozen=True)
class AttributeErasing(Corruption):
    """Images without colour and turned by a random multiple of 90 degrees; the mask is all True.

    Raises:
        InputError: when called with images that are not square.
    """

    def _apply(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        turns = torch.randint(
            TURNS, (len(images),), generator=generator, device=generator.device
        ).to(images.device)
        return erase(images, turns), torch.ones_like(images[:, :1], dtype=torch.bool)


class RestorationNet(nn.Module):
    """Encoder-decoder whose encoder maps are CONCATENATED to the decoder maps of their size.

    Five encoder blocks of two 3 x 3 convolutions, each with batch norm and ReLU, with a 2 x 2
    maximum pooling between two blocks; width, 2, 4, 8 and 8 times width maps. On the way up:
    x2 up-sampling, concatenation, such a block (4, 2, 1 and 1 times width maps). A last 3 x 3
    convolution to the image's channels, then a sigmoid.

    The source has such a network and an L1 loss. Ours: the width (the unofficial public
    implementation uses 64; ours is smaller, so that a CPU can train it), the sigmoid, the bilinear
    up-sampling, and that sides which are no multiple of 16 are continued by their edge pixels and
    the result is cropped.

    Args:
        channels: of the image.
        width: maps of the first block.
        momentum: of the batch norms' running statistics, in PyTorch's convention.
        generator: source of the initial weights; without one, torch's global generator.

    Raises:
        InputError: a size that is not a positive whole number, or a momentum outside (0, 1].
    """

    def __init__(
        self,
        channels: int = 3,
        width: int = 16,
        momentum: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_sizes(channels=channels, width=width)
        check_momentum(momentum)
        self.config = {"channels": channels, "width": width}
        down = [channels, width, 2 * width, 4 * width, 8 * width, 8 * width]
        self.encoder = nn.ModuleList(
            _block(down[i], down[i + 1], momentum) for i in range(LEVELS + 1)
        )
        up = [8 * width, 4 * width, 2 * width, width, width]
        self.decoder = nn.ModuleList(
            _block(up[i] + down[LEVELS - i], up[i + 1], momentum) for i in range(LEVELS)
        )
        self.head = nn.Conv2d(width, channels, 3, padding=1)
        initialise(self, 0.0, generator)

    def forward(self, images: Tensor) -> Tensor:
        """Restore images.

        Args:
            images: erased, B x channels x H x W in [0, 1], both sides at least 16 pixels.

        Returns:
            Restored images, same shape, in [0, 1].

        Raises:
            InputError: another number of channels, or a side below 16.
        """
        self._check(images)
        height, width = images.shape[2:]
        x = _pad(images)
        skips = []
        for block in self.encoder[:-1]:
            skips.append(block(x))
            x = functional.max_pool2d(skips[-1], 2)
        x = self.encoder[-1](x)
        for block in self.decoder:
            x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = block(torch.cat([skips.pop(), x], 1))
        return torch.sigmoid(self.head(x)[..., :height, :width])

    def _check(self, images: Tensor) -> None:
        channels = self.config["channels"]
        if images.ndim != 4 or images.shape[1] != channels:
            raise InputError(
                f"This network takes B x {channels} x H x W images, not {tuple(images.shape)}: "
                f"build it with channels={images.shape[1] if images.ndim == 4 else '...'}."
            )
        if min(images.shape[2:]) < 2**LEVELS:
            height, width = images.shape[2:]
            raise InputError(
                f"Images of {height} x {width} pixels are too small for this network: "
                f"use at least {2**LEVELS} x {2**LEVELS}."
            )


@torch.inference_mode()
def restoration_errors(model: nn.Module, images: Tensor) -> Tensor:
    """Absolute difference between images and what a model restores from each rotation.

    Args:
        model: in evaluation mode, on the device of the images.
        images: B x C x S x S in [0, 1].

    Returns:
        B x 4 x S x S in [0, 1], the mean over channels, for turns 0 to 3 of `erase`.

    Raises:
        InputError: images that are not square or do not fit the model.
    """
    return _errors(images, _restore(model, images))


@torch.inference_mode()
def restoration_maps(model: nn.Module, images: Tensor, typical: Tensor) -> Tensor:
    """Anomaly map: restoration errors in units of their typical size, averaged over the rotations.

    The L1 norm of a map divided by its number of pixels is the image score of the source.

    Args:
        model: in evaluation mode, on the device of the images.
        images: B x C x S x S in [0, 1].
        typical: 4 positive values from `typical_errors`.

    Returns:
        B x S x S, at least 0, around 1 for images like those of the training.

    Raises:
        InputError: ``typical`` of another shape or with a value that is not positive, or images
            as in `restoration_errors`.
    """
    return restore_and_map(model, images, typical)[1]


@torch.inference_mode()
def restore_and_map(model: nn.Module, images: Tensor, typical: Tensor) -> tuple[Tensor, Tensor]:
    """What is restored from the unturned images, and the anomaly map of `restoration_maps`.

    Args:
        model: in evaluation mode, on the device of the images.
        images: B x C x S x S in [0, 1].
        typical: 4 positive values from `typical_errors`.

    Returns:
        B x C x S x S and B x S x S.

    Raises:
        InputError: as `restoration_maps`.
    """
    if typical.shape != (TURNS,) or not bool((typical > 0).all()):
        raise InputError(
            f"typical={typical.tolist()} is not one positive error per rotation: "
            "give what typical_errors returns."
        )
    restored = _restore(model, images)
    scale = typical.to(images).view(1, TURNS, 1, 1)
    return restored[0], (_errors(images, restored) / scale).mean(1)


@torch.inference_mode()
def typical_errors(
    model: nn.Module, images: Tensor, batch_size: int = 16, device: torch.device | str = "cpu"
) -> Tensor:
    """Mean restoration error of each rotation over training images.

    Args:
        model: put in evaluation mode and moved to ``device``.
        images: N x C x S x S in [0, 1].
        batch_size: images at a time; does not change the result.
        device: that computes.

    Returns:
        4 values on the CPU, at least 1e-8, for turns 0 to 3 of `erase`.

    Raises:
        InputError: no images, a batch size that is not a positive whole number, or images as in
            `restoration_errors`.
    """
    if len(images) == 0:
        raise InputError("There are no images to measure typical errors on: give at least one.")
    check_sizes(batch_size=batch_size)
    model = model.to(device).eval()
    parts = [
        restoration_errors(model, batch.to(device)).mean((2, 3)).cpu()
        for batch in images.split(batch_size)
    ]
    return torch.cat(parts).mean(0).clamp(min=LEAST_ERROR)


def _restore(model: nn.Module, images: Tensor) -> list[Tensor]:
    """What a model restores from turns 0 to 3 of `erase`, each B x C x S x S."""
    turns = torch.arange(TURNS, device=images.device)
    return [model(erase(images, turn.expand(len(images)))) for turn in turns]


def _errors(images: Tensor, restored: list[Tensor]) -> Tensor:
    """B x 4 x S x S: the absolute difference of each restoration, mean over channels."""
    return torch.stack([(images - each).abs().mean(1) for each in restored], 1)


def _block(inputs: int, outputs: int, momentum: float) -> nn.Sequential:
    """Twice 3 x 3 convolution, batch norm, ReLU; the norm's shift makes a bias superfluous."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs, momentum=momentum),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs, momentum=momentum),
        nn.ReLU(),
    )


def _pad(images: Tensor) -> Tensor:
    """Continue the bottom and right edge to the next multiple of 2**LEVELS."""
    bottom, right = (-side % 2**LEVELS for side in images.shape[2:])
    if bottom or right:
        images = functional.pad(images, (0, right, 0, bottom), mode="replicate")
    return images


def _grey(images: Tensor) -> Tensor:
    """B x C x H x W to B x 1 x H x W."""
    if images.shape[1] != len(LUMA):
        return images.mean(1, keepdim=True)
    # Numbers, not a tensor, which would have to be copied to the device.
    grey = sum(weight * channel for weight, channel in zip(LUMA, images.unbind(1), strict=True))
    return grey.unsqueeze(1)


def _check_square(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[2] != images.shape[3]:
        raise InputError(
            f"Quarter turns need a batch of square images, B x C x S x S, not "
            f"{tuple(images.shape)}: crop or resize to a square."
        )
