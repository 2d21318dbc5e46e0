"""A small window into each image of a batch, in which a corruption is drawn and painted."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from aesc.noise.base import normal, on_host, tensor_like


class Window:
    """One small window per image, always inside the image, in which a corruption is drawn.

    A stain covers at most a few per cent of an image; touching nothing else is what makes the
    corruption cheap. The window's size depends on the parameters alone, never on the draws, so
    nothing has to be read back from the device.

    Args:
        images: the images to draw into, B x C x H x W.
        centre: middle of each window, B x 2, y and x in pixels.
        half: half the side of the windows in pixels; they have at least ``2 * half + 1``.

    Example:
        >>> window = Window(torch.zeros(1, 1, 4, 4), torch.tensor([[0.0, 3.0]]), half=1)
        >>> painted, mask = window.paint(
        ...     torch.eye(3).expand(1, 3, 3), torch.tensor([0.5]), 0.0, torch.Generator()
        ... )
        >>> painted[0, 0]
        tensor([[0.0000, 0.5000, 0.0000, 0.0000],
                [0.0000, 0.0000, 0.5000, 0.0000],
                [0.0000, 0.0000, 0.0000, 0.5000],
                [0.0000, 0.0000, 0.0000, 0.0000]])
    """

    def __init__(self, images: Tensor, centre: Tensor, half: float) -> None:
        self.shape = tuple(min(2 * math.ceil(half) + 1, side) for side in images.shape[2:])  # h, w
        start = centre.round().long()  # B x 2
        shape = tensor_like(self.shape, start)
        # Moved inwards at the image's border: every index below is then valid and unique.
        start = (start - shape // 2).clamp(min=0)  # B x 2, the first row and column
        self.start = torch.minimum(start, tensor_like(images.shape[2:], start) - shape)
        self.images = images

    def local(self, positions: Tensor) -> Tensor:
        """Image coordinates (B x ... x 2, y and x) to coordinates in the window."""
        lead = (1,) * (positions.ndim - 2)
        return positions - self.start.view(-1, *lead, 2).to(positions.dtype)

    def grid(self) -> tuple[Tensor, Tensor]:
        """Rows (1 x h x 1) and columns (1 x 1 x w) of the window, in the images' type."""
        height, width = self.shape
        rows = torch.arange(height, device=self.images.device, dtype=self.images.dtype)
        columns = torch.arange(width, device=self.images.device, dtype=self.images.dtype)
        return rows.view(1, -1, 1), columns.view(1, 1, -1)

    def paint(
        self, opacity: Tensor, grey: Tensor, grain: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Blend one grey per image, with slight noise, into the images.

        Args:
            opacity: B x h x w in [0, 1] or boolean, over the window.
            grey: one grey per image in [0, 1], B.
            grain: standard deviation of the noise on the grey.
            generator: source of the noise.

        Returns:
            Painted images B x C x H x W, and the mask B x 1 x H x W where opacity is above 0.
        """
        # P is the number of pixels painted on the host, and B x h x w on another device.
        image, row, column = self._pixels(opacity)  # each P
        first_row, first_column = self.start[image].unbind(-1)  # each P
        where = image, slice(None), first_row + row, first_column + column
        alpha = opacity[image, row, column].unsqueeze(-1).to(self.images.dtype)  # P x 1
        mask = torch.zeros_like(
            self.images[:, :1], dtype=torch.bool, memory_format=torch.contiguous_format
        )
        mask[where] = alpha > 0

        shape = (*self.images.shape[:2], *self.shape)  # B x C x h x w
        noise = normal(shape, generator, self.images)[image, :, row, column]  # P x C
        colour = noise.mul_(grain).add_(grey[image].unsqueeze(-1)).clamp_(0, 1)
        painted = self.images.clone(memory_format=torch.contiguous_format)
        old = painted[where]  # P x C
        # `where` keeps untouched pixels bit for bit, which a blend with weight 0 would not promise.
        painted[where] = torch.where(alpha > 0, torch.lerp(old, colour, alpha), old)
        return painted, mask

    def _pixels(self, opacity: Tensor) -> tuple[Tensor, ...]:
        """Image, row and column of the pixels of the windows (B x h x w) that are to be painted.

        On the CPU those that are not transparent, a few in a hundred. On other devices all, as
        three axes: the host would have to wait for the number of the others.
        """
        if on_host(opacity):
            return opacity.nonzero(as_tuple=True)
        image, row, column = (torch.arange(n, device=opacity.device) for n in opacity.shape)
        return image.view(-1, 1, 1), row.view(1, -1, 1), column.view(1, 1, -1)
