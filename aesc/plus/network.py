"""AESc+: an autoencoder that repairs, and a second one that judges the repair."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from aesc.model import AESc
from aesc.plus.gradients import gms_loss, gms_map

EDGES = 0.05
"""Weight of `gms_loss` beside the squared error of the reconstruction."""

FOCUS = 2
"""Exponent of the focal loss: how little pixels count that are judged right already."""

JUDGE_WIDTH = 8
"""Feature maps of the judge's first level, half those of AESc: a third of its time."""

BLUR = 1 / 64
"""Standard deviation of the blur of the defect map, as a fraction of the smaller image side."""


class AEScPlus(nn.Module):
    """Two AESc in a row: the first repairs an image, the second marks what it had to repair.

    The second sees the image, its repair, their absolute difference and the dissimilarity of their
    edges, and gives the probability of a defect at each pixel. No gradient flows from it into the
    first, which would otherwise learn to leave traces.

    Source of the idea: DRAEM (Zavrtanik, Kristan & Skocaj, ICCV 2021), whose two networks have 97
    million weights.

    Args:
        channels: channels of the image.
        momentum: momentum of the batch norms' running statistics, in PyTorch's convention.
        generator: source of the initial weights; without one, torch's global generator.

    Raises:
        InputError: a number of channels that is not a positive whole number, or a momentum outside
            (0, 1].

    Example:
        >>> model = AEScPlus(generator=torch.Generator().manual_seed(0)).eval()
        >>> model(torch.rand(2, 3, 64, 64)).shape  # the repaired image and one channel for the mask
        torch.Size([2, 4, 64, 64])
    """

    def __init__(
        self,
        channels: int = 3,
        momentum: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.repair = AESc(channels, momentum=momentum, generator=generator)
        self.judge = AESc(
            3 * channels + 1,
            width=JUDGE_WIDTH,
            momentum=momentum,
            outputs=1,
            generator=generator,
        )
        self.config = {"channels": channels}

    def forward(self, images: Tensor) -> Tensor:
        """Repair images and mark their defects.

        Args:
            images: B x C x H x W in [0, 1], both sides at least 64.

        Returns:
            B x (C + 1) x H x W in [0, 1]: the repaired image, and the probability of a defect.

        Raises:
            InputError: another number of channels, or a side below 64.
        """
        return _repair_and_mark(self.repair, self.judge, images)

    def for_inference(self) -> nn.Module:
        """The same network as in evaluation mode, to rounding, and faster; not for training."""
        return _Prepared(self.repair.for_inference(), self.judge.for_inference())


class _Prepared(nn.Module):
    """What `AEScPlus.for_inference` returns."""

    def __init__(self, repair: nn.Module, judge: nn.Module) -> None:
        super().__init__()
        self.repair, self.judge = repair, judge

    def forward(self, images: Tensor) -> Tensor:
        return _repair_and_mark(self.repair, self.judge, images)


def _repair_and_mark(repair: nn.Module, judge: nn.Module, images: Tensor) -> Tensor:
    repaired = repair(images)  # B x C x H x W
    defect = judge(evidence(images, repaired.detach()))  # B x 1 x H x W
    return torch.cat([repaired, defect], 1)


def evidence(images: Tensor, repaired: Tensor) -> Tensor:
    """What the second network sees: B x C x H x W twice to B x (3 C + 1) x H x W, in [0, 1]."""
    repaired = repaired.to(images.dtype)
    edges = 1 - gms_map(images, repaired)  # B x H x W
    return torch.cat([images, repaired, (images - repaired).abs(), edges.unsqueeze(1)], 1)


def repair_and_mark_loss(outputs: Tensor, clean: Tensor, mask: Tensor) -> Tensor:
    """What AESc+ is trained to minimise: errors of the repair, and of the mask.

    The squared error, `EDGES` times `gms_loss` and the focal loss of the mask. As each of the two
    networks gets its own terms, and Adam does not care about their scale, the terms of one need no
    weight against those of the other.

    Args:
        outputs: what `AEScPlus` gives for corrupted images, B x (C + 1) x H x W.
        clean: the images before, B x C x H x W.
        mask: where they were corrupted, B x 1 x H x W.
    """
    repaired, defect = outputs[:, :-1], outputs[:, -1:]
    repair = functional.mse_loss(repaired, clean) + EDGES * gms_loss(repaired, clean)
    return repair + focal_loss(defect, mask)


def focal_loss(probability: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy that counts pixels less the more certainly they are judged right.

    Source: Lin, Goyal, Girshick, He & Dollar, "Focal loss for dense object detection", ICCV 2017.

    Args:
        probability: of each pixel to belong to the mask, in [0, 1].
        mask: booleans of the same shape.

    Example:
        >>> right, wrong = torch.tensor([0.9]), torch.tensor([0.1])
        >>> focal_loss(right, torch.tensor([True])), focal_loss(wrong, torch.tensor([True]))
        (tensor(0.0011), tensor(1.8651))
    """
    right = torch.where(mask, probability, 1 - probability).clamp(min=1e-6)
    return ((1 - right) ** FOCUS * -right.log()).mean()


def defect_map(probability: Tensor) -> Tensor:
    """The probability of a defect, blurred: B x 1 x H x W to B x H x W.

    A Gaussian of standard deviation `BLUR`; beyond the border the edge pixels are repeated.

    Example:
        >>> spot = torch.zeros(1, 1, 64, 64)
        >>> spot[..., 32, 32] = 1
        >>> defect_map(spot)[0, 32, 31:34].round(decimals=2)
        tensor([0.1000, 0.1600, 0.1000])
    """
    sigma = BLUR * min(probability.shape[2:])
    radius = math.ceil(3 * sigma)
    offset = torch.arange(-radius, radius + 1, device=probability.device, dtype=probability.dtype)
    kernel = torch.softmax(-0.5 * (offset / sigma) ** 2, dim=0).view(1, 1, -1, 1)
    padded = functional.pad(probability, (radius,) * 4, mode="replicate")
    return functional.conv2d(functional.conv2d(padded, kernel), kernel.mT).squeeze(1)
