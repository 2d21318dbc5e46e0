"""What every corruption shares: the call and the random draws."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from aesc._checks import image_batch

Range = tuple[float, float]
GREY: Range = (10 / 255, 220 / 255)
"""Greys of the structured corruptions, 10 to 220 of 255 in the paper's code."""

SMALLEST = 16
"""Least side in pixels of an image that can be corrupted."""


class Corruption(ABC):
    """A random change of a batch of images that a network can be trained to undo.

    Instances are small, immutable and hold parameters only. Randomness comes from the generator
    that the caller gives, so one seed gives one result. A corruption of your own is a subclass with
    `apply`. A checkpoint tells corruptions apart by their ``repr``: type and public attributes.
    """

    def __repr__(self) -> str:
        parameters = (f"{k}={v!r}" for k, v in vars(self).items() if not k.startswith("_"))
        return f"{type(self).__qualname__}({', '.join(parameters)})"

    def __call__(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Corrupt every image of a batch once.

        Args:
            images: B x C x H x W floating point, values in [0, 1], both sides at least 16 pixels,
                on any device. Not changed.
            generator: source of all randomness. On the device of the images there is no copy
                between host and device.

        Returns:
            The corrupted batch, same shape, type and device, values in [0, 1], and a boolean
            mask B x 1 x H x W. Pixels outside the mask are those of the input, bit for bit.

        Raises:
            InputError: wrong number of dimensions, integer images, or a side below 16 pixels.
        """
        image_batch(images, smallest=SMALLEST)
        if images.shape[0] == 0:
            return images.clone(), images.new_zeros((0, 1, *images.shape[2:]), dtype=torch.bool)
        return self.apply(images, generator)

    @abstractmethod
    def apply(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Corrupt a batch, checked and not empty; what it takes and gives is that of a call."""


def uniform(
    shape: tuple[int, ...], bounds: Range, generator: torch.Generator, like: Tensor
) -> Tensor:
    """Uniform draws in ``bounds``, of the type and device of ``like``.

    Args:
        shape: shape of the result.
        bounds: least and largest value.
        generator: source of the draws, on any device.
        like: tensor whose type and device the result gets.
    """
    low, high = bounds
    draws = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float32)
    return (draws * (high - low) + low).to(device=like.device, dtype=like.dtype)


def below(count: int, end: int, generator: torch.Generator, like: Tensor) -> Tensor:
    """Whole numbers from 0 to ``end - 1``, equally frequent, on the device of ``like``.

    Args:
        count: how many are drawn.
        end: the number that they lie below.
        generator: source of the draws, on any device.
        like: tensor whose device the result gets. Its type is ignored: rounded to half precision, a
            uniform draw just below 4 would become 4.

    Returns:
        ``count`` whole numbers, int64.

    Example:
        >>> below(6, 3, torch.Generator().manual_seed(0), torch.zeros(()))
        tensor([2, 0, 2, 0, 1, 0])
    """
    return torch.randint(end, (count,), generator=generator, device=generator.device).to(
        like.device
    )


def normal(shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    """Standard normal draws, of the type and device of ``like``.

    Args:
        shape: shape of the result.
        generator: source of the draws, on any device.
        like: tensor whose type and device the result gets.

    Example:
        >>> normal((2, 3), torch.Generator().manual_seed(0), torch.zeros((), dtype=torch.float64))
        tensor([[ 1.5410, -0.2934, -2.1788],
                [ 0.5684, -1.0845, -1.3986]], dtype=torch.float64)
    """
    draws = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float32)
    return draws.to(device=like.device, dtype=like.dtype)


def tensor_like(numbers: Sequence[float], like: Tensor) -> Tensor:
    """A tensor of a few numbers, of the type and device of ``like``.

    They are written there by the device itself; a copy would make the host wait.
    """
    return torch.stack([like.new_full((), number) for number in numbers])


def on_host(values: Tensor) -> bool:
    """Whether the host can count values without waiting for another device: on the CPU."""
    return values.device.type == "cpu"
