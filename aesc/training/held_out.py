"""Good images that a network is never trained on, by which its epochs are compared."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from aesc.metrics import psnr
from aesc.noise import Corruption
from aesc.training.settings import Looks

SHOWN = 16
"""Least number of images that are corrupted for a network that `Looks`. A corruption may leave some
of them as they are, and by those alone nothing can be told."""


class HeldOut:
    """Good images, corrupted once, so that what is measured after two epochs can be compared.

    Args:
        model: the network that is trained.
        images: M x C x H x W, on the device.
        corruption: that of the training.
        generator: source of its draws.

    Attributes:
        clean: N x C x H x W, the images; for a network that `Looks`, repeated until they are at
            least `SHOWN`.
        corrupted: of the same shape.
        mask: where they are corrupted, N x 1 x H x W.

    Example:
        >>> from aesc.noise import Gaussian
        >>> flat, generator = torch.full((2, 1, 16, 16), 0.5), torch.Generator().manual_seed(0)
        >>> held_out = HeldOut(nn.Identity(), flat, Gaussian(), generator)
        >>> held_out.corrupted.shape
        torch.Size([2, 1, 16, 16])
        >>> round(held_out.psnr(lambda images: torch.full_like(images, 0.6), batch_size=4), 3)
        20.0
    """

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        corruption: Corruption,
        generator: torch.Generator,
    ) -> None:
        self.model = model
        few = isinstance(model, Looks) and len(images) < SHOWN
        self.clean = images.repeat(-(-SHOWN // len(images)), 1, 1, 1) if few else images
        self.corrupted, self.mask = corruption(self.clean, generator)

    @torch.no_grad()
    def show(self) -> None:
        """Let the network, in evaluation mode, decide what it decides by these images."""
        if isinstance(self.model, Looks):
            self.model.look(self.corrupted, self.mask)

    @torch.inference_mode()
    def psnr(self, reconstruct: Callable[[Tensor], Tensor], batch_size: int) -> float:
        """Mean PSNR of the reconstructed images.

        Args:
            reconstruct: B x C x H x W to as many channels or more, of which the first are looked
                at.
            batch_size: images that are reconstructed at a time.

        Returns:
            Decibels; no finite number where any channel of the outputs is not finite.
        """
        values = []
        pairs = zip(self.corrupted.split(batch_size), self.clean.split(batch_size), strict=True)
        for corrupted, clean in pairs:
            outputs = reconstruct(corrupted)
            failed = ~outputs.isfinite().all()
            values.append(psnr(outputs[:, : clean.shape[1]], clean).masked_fill(failed, math.nan))
        return torch.cat(values).mean().item()
