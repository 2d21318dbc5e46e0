"""AESc+: two autoencoders that make a good image of any, and one that judges what they changed."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from aesc._bands import gaussian_means
from aesc._checks import image_batch, same_shape
from aesc.baselines.ssim import ssim_loss, ssim_map
from aesc.errors import InputError
from aesc.metrics import auroc
from aesc.model import AE, AESc
from aesc.plus.gradients import gms_loss, similarity, squared_gradients

EDGES = 0.05
"""Weight of `gms_loss` beside the squared error of the repair."""

FOCUS = 2
"""Exponent of the focal loss: how little pixels count that are judged right already."""

WIDTH = 8
"""Feature maps of the first level of the second and third network, half those of AESc: each takes
about a third of its time."""

TELLING = 0.7
"""AUROC from which on the dissimilarity tells corrupted pixels of held-out images from others well
enough to be asked."""

OTHERWISE = 4
"""One training image of so many is judged as if the redrawing were trusted though it is not, or the
other way round, so that the judge is prepared when that changes."""

SHARE = 0.25
"""Weight of the dissimilarity beside the probability in the defect map."""

BLUR = 1 / 64
"""Standard deviation of the blur of the defect map, as a fraction of the smaller image side."""


class AEScPlus(nn.Module):
    """Three autoencoders: one repairs an image, one redraws it, one marks what is wrong with it.

    *Repair* is an AESc. Its skips keep the image sharp, and let some defects through. *Redraw* is
    an AE, without skips: what does not fit through its middle is lost, and a defect with it, but so
    is fine texture. *Judge* sees the image, both of these, and how they differ from it, and gives
    the probability of a defect at each pixel. No gradient flows from it into the other two, which
    would otherwise learn to leave traces.

    Some parts cannot be redrawn: a fine texture is lost as well, or training images are learned by
    heart and new ones fail. The dissimilarity then says nothing about defects. So `look` asks how
    well it tells where held-out good images were corrupted; unless it does, the judge is shown
    zeros instead.

    Source of the idea: DRAEM (Zavrtanik, Kristan & Skocaj, ICCV 2021), whose two networks have 97
    million weights; its first has no skips and is trained by SSIM. That both kinds of autoencoder
    are asked, and one of them only where it can be trusted, is ours.

    Args:
        channels: channels of the image.
        momentum: momentum of the batch norms' running statistics, in PyTorch's convention.
        generator: source of the initial weights; without one, torch's global generator.

    Raises:
        InputError: a number of channels that is not a positive whole number, or a momentum outside
            (0, 1].

    Example:
        >>> model = AEScPlus(generator=torch.Generator().manual_seed(0)).eval()
        >>> model(torch.rand(2, 3, 64, 64)).shape  # two versions of the image, and two maps
        torch.Size([2, 8, 64, 64])
    """

    trusted: Tensor

    def __init__(
        self,
        channels: int = 3,
        momentum: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.repair = AESc(channels, momentum=momentum, generator=generator)
        self.redraw = AE(channels, width=WIDTH, momentum=momentum, generator=generator)
        self.judge = AESc(
            5 * channels + 3, width=WIDTH, momentum=momentum, outputs=1, generator=generator
        )
        self.register_buffer("trusted", torch.zeros(()))  # 0 or 1
        self.config = {"channels": channels}

    def forward(self, images: Tensor) -> Tensor:
        """Repair and redraw images, and mark their defects.

        Args:
            images: B x C x H x W in [0, 1], both sides at least 64.

        Returns:
            B x (2 C + 2) x H x W in [0, 1]: the repaired image, the redrawn one, how unlike the
            image that is (0 where it is not trusted), and the probability of a defect.

        Raises:
            InputError: another number of channels, or a side below 64.
        """
        repaired, redrawn = self.repair(images), self.redraw(images)  # B x C x H x W
        unlike = unlikeness(images, redrawn.detach())  # B x 1 x H x W
        edges, shown = squared_gradients(images), self.shown(len(images))
        second = [*compared(images, edges, redrawn.detach()), unlike]
        second = [torch.where(shown > 0, part, 0) for part in second]  # NaN times 0 is NaN
        first = compared(images, edges, repaired.detach())
        marked = self.judge(torch.cat([images, *first, *second], 1))  # B x 1 x H x W
        unlike = torch.where(self.trusted > 0, unlike, 0)
        return torch.cat([repaired, redrawn, unlike, marked], 1)

    def shown(self, batch: int) -> Tensor:
        """For each image, B x 1 x 1 x 1, 1 where the judge is shown how it was redrawn, or 0."""
        trusted = self.trusted.expand(batch, 1, 1, 1)
        if not self.training:
            return trusted
        # The last image of every few; a smaller batch has none.
        otherwise = torch.arange(batch, device=trusted.device) % OTHERWISE == OTHERWISE - 1
        return torch.where(otherwise.view(-1, 1, 1, 1), 1 - trusted, trusted)

    @torch.no_grad()
    def look(self, corrupted: Tensor, mask: Tensor) -> None:
        """Decide whether the redrawing is to be trusted.

        Where no pixel is corrupted, or every one is, there is nothing to tell apart, and it is not
        trusted. Call it in evaluation mode.

        Args:
            corrupted: N x C x H x W images that the network is not trained on.
            mask: booleans, N x 1 x H x W, where they are corrupted.

        Raises:
            InputError: values that are not finite, of images or of a network that has diverged.
        """
        unlike = torch.cat([unlikeness(x, self.redraw(x)) for x in corrupted.split(16)])
        self.trusted.fill_(float(auroc(unlike.cpu(), mask.cpu()) >= TELLING))

    def for_inference(self) -> nn.Module:
        """A faster network for evaluation, not for training.

        Where redrawn images are not trusted it makes none and gives zeros in their place. All else
        is what this network gives in evaluation mode, to rounding.
        """
        return _Prepared(self)


class _Prepared(nn.Module):
    """What `AEScPlus.for_inference` returns."""

    def __init__(self, model: AEScPlus) -> None:
        super().__init__()
        self.repair, self.judge = model.repair.for_inference(), model.judge.for_inference()
        self.redraw = model.redraw.for_inference() if model.trusted else None

    def forward(self, images: Tensor) -> Tensor:
        batch, channels, *sides = images.shape
        repaired = self.repair(images)  # B x C x H x W
        edges = squared_gradients(images)
        second = [images.new_zeros(batch, n, *sides) for n in (channels, channels, 1, 1)]
        if self.redraw is not None:
            redrawn = self.redraw(images)
            second = [*compared(images, edges, redrawn), unlikeness(images, redrawn)]
        first = compared(images, edges, repaired)
        marked = self.judge(torch.cat([images, *first, *second], 1))  # B x 1 x H x W
        return torch.cat([repaired, second[0], second[-1], marked], 1)


def unlikeness(images: Tensor, redrawn: Tensor) -> Tensor:
    """Half of one minus `aesc.baselines.ssim_map`: B x C x H x W twice to B x 1 x H x W, 0 to 1."""
    return (1 - ssim_map(images, redrawn.to(images.dtype))).unsqueeze(1) / 2


def compared(images: Tensor, edges: list[Tensor], version: Tensor) -> list[Tensor]:
    """What the judge sees of a version of images, repaired or redrawn.

    Args:
        images: B x C x H x W in [0, 1].
        edges: their `squared_gradients`.
        version: of the shape of the images.

    Returns:
        The version, its absolute difference from the images, each B x C x H x W, and one minus
        `gms_map`, B x 1 x H x W.
    """
    version = version.to(images.dtype)  # under autocast
    alike = similarity(edges, squared_gradients(version)).unsqueeze(1)
    return [version, (images - version).abs(), 1 - alike]


def repair_and_mark_loss(outputs: Tensor, clean: Tensor, mask: Tensor) -> Tensor:
    """What AESc+ is trained to minimise: errors of the two versions, and of the mask.

    The squared error of the repaired image and `EDGES` times its `gms_loss`, the `ssim_loss` of the
    redrawn image, and the focal loss of the mask. As each of the three networks gets its own terms,
    and Adam does not care about their scale, the terms of one need no weight against the others'.

    Args:
        outputs: what `AEScPlus` gives for corrupted images, B x (2 C + 2) x H x W.
        clean: the images before, B x C x H x W.
        mask: booleans, B x 1 x H x W, where they were corrupted.

    Raises:
        InputError: images that are not B x C x H x W of floating point, outputs or a mask of
            another shape, or a mask that is not of booleans.
    """
    image_batch(clean, name="clean")
    channels = clean.shape[1]
    _check_planes("outputs", outputs, clean, 2 * channels + 2)
    repaired, redrawn, _, marked = outputs.split([channels, channels, 1, 1], 1)
    repair = functional.mse_loss(repaired, clean) + EDGES * gms_loss(repaired, clean)
    return repair + ssim_loss(redrawn, clean) + focal_loss(marked, mask)


def focal_loss(probability: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy that counts pixels less the more certainly they are judged right.

    Source: Lin, Goyal, Girshick, He & Dollar, "Focal loss for dense object detection", ICCV 2017.

    Args:
        probability: of each pixel to belong to the mask, in [0, 1].
        mask: booleans of the same shape.

    Raises:
        InputError: shapes that differ, or a mask that is not of booleans.

    Example:
        >>> right, wrong = torch.tensor([0.9]), torch.tensor([0.1])
        >>> focal_loss(right, torch.tensor([True])), focal_loss(wrong, torch.tensor([True]))
        (tensor(0.0011), tensor(1.8651))
    """
    same_shape(mask, probability, ("mask", "probability"))
    if mask.dtype != torch.bool:
        raise InputError(f"mask is of type {mask.dtype}: give booleans, for example mask > 0.")
    # Keeps the logarithm finite at 0. Below the bound the gradient is 0: so certain and so wrong
    # a pixel teaches nothing.
    right = torch.where(mask, probability, 1 - probability).clamp(min=1e-6)
    return ((1 - right) ** FOCUS * -right.log()).mean()


def defect_map(unlike: Tensor, marked: Tensor) -> Tensor:
    """The probability of a defect with `SHARE` of the dissimilarity, blurred.

    The judge has learned where artificial defects lie. What cannot be redrawn though it is none of
    those, such as a large missing piece, is seen by the dissimilarity alone. The blur is a Gaussian
    of standard deviation `BLUR`; beyond the border the edge pixels are repeated.

    Args:
        unlike: how unlike the redrawn images are, B x 1 x H x W, as `AEScPlus` gives it.
        marked: probability of a defect, of the same shape.

    Returns:
        B x H x W, at least 0.

    Raises:
        InputError: maps that are not B x 1 x H x W of floating point, or of different shapes.

    Example:
        >>> spot, nothing = torch.zeros(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
        >>> spot[..., 32, 32] = 1
        >>> defect_map(nothing, spot)[0, 32, 31:34].round(decimals=2)
        tensor([0.1000, 0.1600, 0.1000])
    """
    for name, given in {"unlike": unlike, "marked": marked}.items():
        image_batch(given, name=name)
        _check_planes(name, given, unlike, 1)
    found = (marked + SHARE * unlike).squeeze(1)
    window, sigma = blur_of(*found.shape[1:])
    return gaussian_means(found, window=window, sigma=sigma, border="repeated")[0]


def blur_of(*sides: int) -> tuple[int, float]:
    """Side of the window and standard deviation of the blur of a defect map, in pixels."""
    sigma = BLUR * min(sides)
    return 2 * math.ceil(3 * sigma) + 1, sigma


def _check_planes(name: str, given: Tensor, images: Tensor, planes: int) -> None:
    """Refuse what is not B x so many planes x H x W, of images B x C x H x W.

    Raises:
        InputError: another shape.
    """
    batch, _, height, width = images.shape
    if given.shape != (batch, planes, height, width):
        raise InputError(
            f"{name} is of shape {tuple(given.shape)}: give {batch} x {planes} x {height} x "
            f"{width}, as the images are of shape {tuple(images.shape)}."
        )
