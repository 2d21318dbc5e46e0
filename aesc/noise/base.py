"""What every corruption shares: the call, the checks, random draws, and painting into a window."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from aesc.errors import InputError

Range = tuple[float, float]
GREY: Range = (10 / 255, 220 / 255)
"""Greys of the structured corruptions, 10 to 220 of 255 in the paper's code."""


class Corruption(ABC):
    """A random change of a batch of images that a network can be trained to undo.

    Instances are small, immutable and hold parameters only. Randomness comes from the generator
    that the caller gives, so one seed gives one result.
    """

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
        check_images(images)
        if images.shape[0] == 0:
            return images.clone(), images.new_zeros((0, 1, *images.shape[2:]), dtype=torch.bool)
        return self._apply(images, generator)

    @abstractmethod
    def _apply(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]: ...


def check_images(images: Tensor) -> None:
    """Raise InputError unless ``images`` is a floating-point B x C x H x W batch, sides >= 16."""
    if images.ndim != 4:
        raise InputError(
            f"A batch of images has 4 dimensions (B x C x H x W), not {images.ndim}: "
            "add a leading dimension for a single image."
        )
    if not images.is_floating_point():
        raise InputError(
            f"Images must be floating point in [0, 1], not {images.dtype}: divide by 255."
        )
    if min(images.shape[2:]) < 16:
        height, width = images.shape[2:]
        raise InputError(
            f"Images of {height} x {width} pixels are too small: use at least 16 x 16."
        )


def check_range(name: str, value: Range, lowest: float, highest: float) -> None:
    """Raise InputError unless ``value`` is a pair lowest <= low <= high <= highest."""
    low, high = value
    if not lowest <= low <= high <= highest:
        raise InputError(
            f"{name}={value} is not a range inside [{lowest:g}, {highest:g}]: "
            "give (low, high) with low <= high."
        )


def check_number(name: str, value: float, lowest: float, highest: float = math.inf) -> None:
    """Raise InputError unless lowest <= value <= highest (and value is a finite number)."""
    if not (math.isfinite(value) and lowest <= value <= highest):
        raise InputError(
            f"{name}={value} is out of range: give a number from {lowest:g} to {highest:g}."
        )


def uniform(
    shape: tuple[int, ...], bounds: Range, generator: torch.Generator, like: Tensor
) -> Tensor:
    """Uniform draws in ``bounds``, of the type and device of ``like``."""
    low, high = bounds
    draws = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float32)
    return (draws * (high - low) + low).to(device=like.device, dtype=like.dtype)


def normal(shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    """Standard normal draws, of the type and device of ``like``."""
    draws = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float32)
    return draws.to(device=like.device, dtype=like.dtype)


def few(numbers: Sequence[float], like: Tensor) -> Tensor:
    """A tensor of a few numbers, of the type and device of ``like``.

    They are written there by the device itself; a copy would make the host wait.
    """
    return torch.stack([like.new_full((), number) for number in numbers])


def count_is_free(values: Tensor) -> bool:
    """Whether the host can count values without waiting for another device: on the CPU."""
    return values.device.type == "cpu"


class Window:
    """One small window per image, always inside the image, in which a corruption is drawn.

    A stain covers at most a few per cent of an image; touching nothing else is what makes the
    corruption cheap. The window's size depends on the parameters alone, never on the draws, so
    nothing has to be read back from the device.
    """

    def __init__(self, images: Tensor, centre: Tensor, half: float) -> None:
        """Place windows of at least ``2 * half + 1`` pixels around ``centre`` (B x 2, y and x)."""
        self.shape = tuple(min(2 * math.ceil(half) + 1, side) for side in images.shape[2:])
        start = centre.round().long()
        shape = few(self.shape, start)
        # Moved inwards at the image's border: every index below is then valid and unique.
        start = (start - shape // 2).clamp(min=0)
        self.start = torch.minimum(start, few(images.shape[2:], start) - shape)
        self.images = images

    def local(self, positions: Tensor) -> Tensor:
        """Image coordinates (B x ... x 2, y and x) to coordinates in the window."""
        lead = (1,) * (positions.ndim - 2)
        return positions - self.start.view(-1, *lead, 2).to(positions.dtype)

    def grid(self) -> tuple[Tensor, Tensor]:
        """Rows (1 x h x 1) and columns (1 x 1 x w) of the window, in the images' type."""
        height, width = self.shape
        options = {"device": self.images.device, "dtype": self.images.dtype}
        return torch.arange(height, **options).view(1, -1, 1), torch.arange(width, **options).view(
            1, 1, -1
        )

    def paint(
        self, opacity: Tensor, grey: Tensor, grain: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Blend one grey per image, with slight noise, into the images.

        Args:
            opacity: B x h x w in [0, 1] or boolean, over the window.
            grey: B values in [0, 1].
            grain: standard deviation of the noise on the grey.
            generator: source of the noise.

        Returns:
            Painted images B x C x H x W, and the mask B x 1 x H x W where opacity is above 0.
        """
        image, row, column = self._pixels(opacity)
        first_row, first_column = self.start[image].unbind(-1)
        place = image, slice(None), first_row + row, first_column + column
        alpha = opacity[image, row, column].unsqueeze(-1).to(self.images.dtype)
        mask = torch.zeros_like(
            self.images[:, :1], dtype=torch.bool, memory_format=torch.contiguous_format
        )
        mask[place] = alpha > 0

        shape = (*self.images.shape[:2], *self.shape)
        noise = normal(shape, generator, self.images)[image, :, row, column]
        colour = noise.mul_(grain).add_(grey[image].unsqueeze(-1)).clamp_(0, 1)
        painted = self.images.clone(memory_format=torch.contiguous_format)
        old = painted[place]
        # `where` keeps untouched pixels bit for bit, which a blend with weight 0 would not promise.
        painted[place] = torch.where(alpha > 0, torch.lerp(old, colour, alpha), old)
        return painted, mask

    def _pixels(self, opacity: Tensor) -> tuple[Tensor, ...]:
        """Image, row and column of the pixels of the windows (B x h x w) that are to be painted.

        On the CPU those that are not transparent, a few in a hundred. On other devices all, as
        three axes: the host would have to wait for the number of the others.
        """
        if count_is_free(opacity):
            return opacity.nonzero(as_tuple=True)
        image, row, column = (torch.arange(n, device=opacity.device) for n in opacity.shape)
        return image.view(-1, 1, 1), row.view(1, -1, 1), column.view(1, 1, -1)
