"""Anomaly detection by attribute restoration, ITAE: erase colour and orientation, learn them back.

Source: Ye, Huang, Cao, Li, Zhang & Lu, "Attribute Restoration Framework for Anomaly Detection"
(first version: "Inverse-Transform AutoEncoder for Anomaly Detection"), arXiv 1911.10676. A network
is trained on good images to restore the original from its grey and rotated version, with an L1
loss. In the test every rotation is restored; its error is divided by its mean on training images,
and the quotients are averaged.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from aesc._checks import image_batch, number, quoted, whole
from aesc.baselines.convolutional import initialise
from aesc.baselines.erasing import TURNS, erase
from aesc.errors import InputError

POOLINGS = 4
"""How often the network halves its maps; sides are padded to a multiple of 2**POOLINGS."""

LEAST_ERROR = 1e-8
"""Typical errors are at least this, so that one can divide by them."""


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
        channels: channels of the image.
        width: feature maps of the first block.
        momentum: momentum of the batch norms' running statistics, in PyTorch's convention.
        generator: source of the initial weights; without one, torch's global generator.

    Raises:
        InputError: a size that is not a positive whole number, or a momentum outside (0, 1].

    Example:
        >>> model = RestorationNet(width=4, generator=torch.Generator().manual_seed(0)).eval()
        >>> model(torch.rand(2, 3, 16, 20)).shape
        torch.Size([2, 3, 16, 20])
    """

    def __init__(
        self,
        channels: int = 3,
        width: int = 16,
        momentum: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.config = {"channels": whole("channels", channels), "width": whole("width", width)}
        number("momentum", momentum, 0, 1, above=True)
        down = [channels, width, 2 * width, 4 * width, 8 * width, 8 * width]
        self.encoder = nn.ModuleList(
            _block(down[i], down[i + 1], momentum) for i in range(POOLINGS + 1)
        )
        up = [8 * width, 4 * width, 2 * width, width, width]
        self.decoder = nn.ModuleList(
            _block(up[i] + down[POOLINGS - i], up[i + 1], momentum) for i in range(POOLINGS)
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
        image_batch(images, self.config["channels"], smallest=2**POOLINGS)
        height, width = images.shape[2:]
        x = _pad(images)  # B x C x H' x W', multiples of 16
        skips = []
        for block in self.encoder[:-1]:
            skips.append(block(x))  # B x width x H' x W', then 2, 4 and 8 width at half the side
            x = functional.max_pool2d(skips[-1], 2)
        x = self.encoder[-1](x)  # B x 8 width x H'/16 x W'/16
        for block in self.decoder:
            x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = block(torch.cat([skips.pop(), x], 1))  # B x 4 width x H'/8 x W'/8, then 2, 1 and 1
        return torch.sigmoid(self.head(x)[..., :height, :width].to(images.dtype))  # B x C x H x W


@torch.inference_mode()
def restoration_errors(model: nn.Module, images: Tensor) -> Tensor:
    """Absolute difference between images and what a model restores from each rotation.

    Args:
        model: the network, in evaluation mode and on the device of the images.
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
        model: the network, in evaluation mode and on the device of the images.
        images: B x C x S x S in [0, 1].
        typical: 4 positive values from `typical_errors`.

    Returns:
        Maps, B x S x S, at least 0, around 1 for images like those of the training.

    Raises:
        InputError: ``typical`` of another shape or with a value that is not positive, or images
            as in `restoration_errors`.
    """
    return restore_and_map(model, images, typical)[1]


@torch.inference_mode()
def restore_and_map(model: nn.Module, images: Tensor, typical: Tensor) -> tuple[Tensor, Tensor]:
    """What is restored from the unturned images, and the anomaly map of `restoration_maps`.

    Args:
        model: the network, in evaluation mode and on the device of the images.
        images: B x C x S x S in [0, 1].
        typical: 4 positive values from `typical_errors`.

    Returns:
        Restored images, B x C x S x S, and maps, B x S x S.

    Raises:
        InputError: as `restoration_maps`.
    """
    if typical.shape != (TURNS,) or not bool((typical > 0).all()):
        raise InputError(
            f"typical is {quoted(typical.tolist())}: give one positive error per rotation, as "
            "typical_errors returns them."
        )
    restored = _restore(model, images)  # 4 times B x C x S x S
    scale = typical.to(images).view(1, TURNS, 1, 1)
    return restored[0], (_errors(images, restored) / scale).mean(1)


@torch.inference_mode()
def typical_errors(
    model: nn.Module, images: Tensor, batch_size: int = 16, device: torch.device | str = "cpu"
) -> Tensor:
    """Mean restoration error of each rotation over training images.

    Args:
        model: the network; it is put in evaluation mode and moved to ``device``.
        images: N x C x S x S in [0, 1].
        batch_size: images at a time; does not change the result.
        device: where to compute.

    Returns:
        4 values on the CPU, at least 1e-8, for turns 0 to 3 of `erase`.

    Raises:
        InputError: no images, a batch size that is not a positive whole number, or images as in
            `restoration_errors`.
    """
    if len(images) == 0:
        raise InputError("images is empty: give at least one.")
    whole("batch_size", batch_size)
    model = model.to(device).eval()
    parts = [
        restoration_errors(model, batch.to(device)).mean((2, 3)).cpu()  # B x 4
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
    """Continue the bottom and right edge to the next multiple of 2**POOLINGS."""
    bottom, right = (-side % 2**POOLINGS for side in images.shape[2:])
    if bottom or right:
        images = functional.pad(images, (0, right, 0, bottom), mode="replicate")
    return images
