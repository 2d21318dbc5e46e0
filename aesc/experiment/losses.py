"""What a training minimises."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from torch import Tensor
from torch.nn import functional

from aesc.baselines import ssim_loss
from aesc.plus import repair_and_mark_loss

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""What the network gives and clean images (B x C x H x W in [0, 1]) and the mask of the corruption
(B x 1 x H x W, True where it changed the image) to one number to minimise."""


def without_mask(loss: Callable[[Tensor, Tensor], Tensor]) -> Loss:
    """A loss of reconstructions and clean images, as a `Loss`, which is given the mask as well.

    Example:
        >>> import torch
        >>> loss = without_mask(functional.l1_loss)
        >>> loss(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2))
        tensor(1.)
    """

    @wraps(loss)  # checkpoints tell losses apart by their name
    def masked(reconstructions: Tensor, clean: Tensor, mask: Tensor) -> Tensor:
        return loss(reconstructions, clean)

    return masked


LOSSES: dict[str, Loss] = {
    "mse": without_mask(functional.mse_loss),
    "l1": without_mask(functional.l1_loss),
    "ssim": without_mask(ssim_loss),
    "repair_and_mark": repair_and_mark_loss,
}
"""What a training minimises, by the name in records."""
