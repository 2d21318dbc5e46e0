"""The rival corruptions of the paper's ablation: Gaussian noise, scratches and drops."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from aesc._checks import interval, number, whole
from aesc.noise.base import GREY, Corruption, Range, normal, tensor_like, uniform
from aesc.noise.window import Window


@dataclass(frozen=True)
class NoCorruption(Corruption):
    """Images left as they are: the network is trained to copy its input (the paper's "None")."""

    def apply(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A copy of the images, and an empty mask."""
        return images.clone(), torch.zeros_like(images[:, :1], dtype=torch.bool)


@dataclass(frozen=True)
class Gaussian(Corruption):
    """Gaussian noise on every pixel of every channel, cut to [0, 1].

    The authors' code (``datasets/add_corruption.py``, commit df55e265) does something else: it
    passes 0.1 as a *variance*, which is a standard deviation of 0.32, and adds the noisy image to
    the image in 8 bits, where sums above 255 wrap around and bright pixels turn dark. Ours is the
    usual corruption of a denoising autoencoder, so that stains are compared with Gaussian noise and
    not with an overflow. Published results for Gaussian noise belong to the other corruption.

    Attributes:
        sigma: standard deviation, for grey levels in [0, 1].

    Raises:
        InputError: ``sigma`` outside (0, 1].

    Example:
        >>> images = torch.full((4, 1, 128, 128), 0.5)
        >>> noisy, _ = Gaussian(0.05)(images, torch.Generator().manual_seed(0))
        >>> noisy.std().round(decimals=3)
        tensor(0.0500)
    """

    sigma: float = 0.1

    def __post_init__(self) -> None:
        number("sigma", self.sigma, 0, 1, above=True)

    def apply(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The noisy images, and a full mask."""
        noise = normal(tuple(images.shape), generator, images)
        noisy = noise.mul_(self.sigma).add_(images).clamp_(0, 1)
        return noisy, torch.ones_like(images[:, :1], dtype=torch.bool)


@dataclass(frozen=True)
class Scratch(Corruption):
    """One thin curve per image: a line, a sine or a square root, at any rotation.

    In a frame turned at random, a curve is the graph of g over [0, length]: 0 for the line,
    ``amplitude * sin(2 pi t / period)`` for the sine, and for the square root its mirror image
    ``t**2 / root``, which has no infinite slope. A pixel belongs to the scratch when its distance
    to the curve, to first order ``|y - g| / sqrt(1 + g'**2)``, is at most half the thickness. In an
    image of less than 32 pixels a curve may be shorter than a pixel and lie between two: of a
    thousand images of 16 pixels, two have no scratch.

    Attributes:
        length: range of the length along the frame's axis, as a fraction of the smaller side; the
            square root, which spans as much across, gets 0.6 of it and at most 0.3.
        thickness: thickness of the curve, in pixels (authors' code: 3).
        amplitude: amplitude of the sine, as a fraction of the smaller side (authors' code: 16 of
            256 pixels).
        period: period of the sine, as a fraction of the smaller side (authors' code: 90 of 256
            pixels).
        root: coefficient of the square root, ``y = sqrt(root * x)`` in fractions of the smaller
            side (authors' code: ``10 sqrt(x)`` in pixels at 256, which is 100 / 256).
        grey: range of the grey, in [0, 1].
        grain: standard deviation of the noise on that grey (authors' code: 20 of 255).

    Raises:
        InputError: a parameter outside its range.
    """

    length: Range = (0.05, 0.5)
    thickness: float = 3.0
    amplitude: float = 16 / 256
    period: float = 90 / 256
    root: float = 100 / 256
    grey: Range = GREY
    grain: float = 20 / 255

    def __post_init__(self) -> None:
        interval("length", self.length, 0.01, 1.0)
        number("thickness", self.thickness, 1.5, 64)
        number("amplitude", self.amplitude, 0.0, 0.5)
        number("period", self.period, 0.01, 10.0)
        number("root", self.root, 0.01, 10.0)
        interval("grey", self.grey, 0.0, 1.0)
        number("grain", self.grain, 0.0, 1.0)

    def apply(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """One scratch in each image."""
        batch, _, height, width = images.shape
        side = min(height, width)
        # One value per image, B x 1 x 1: 0 is a line, 1 a sine, 2 a square root.
        kind = uniform((batch, 1, 1), (0.0, 3.0), generator, images).floor()
        length = uniform((batch, 1, 1), self.length, generator, images) * side
        length = torch.where(kind == 2, length.clamp(max=0.5 * side) * 0.6, length)
        rotation = uniform((batch, 1, 1), (0.0, 2 * math.pi), generator, images)
        centre = uniform((batch, 2), (1 / 6, 5 / 6), generator, images)
        centre = centre * tensor_like((height - 1, width - 1), centre)  # B x 2

        reach = (self.length[1] / 2 + self.amplitude) * side + self.thickness
        window = Window(images, centre, reach)
        rows, columns = window.grid()  # 1 x h x 1 and 1 x 1 x w
        row, column = (window.local(centre).view(-1, 2, 1, 1)).unbind(1)  # each B x 1 x 1
        down, right = rows - row, columns - column  # B x h x 1 and B x 1 x w
        along = (right * rotation.cos() + down * rotation.sin()).add_(length / 2)  # B x h x w
        across = down * rotation.cos() - right * rotation.sin()
        distance = self._distance(kind, along, across, length, side)
        hit = (distance <= self.thickness / 2) & (along >= 0) & (along <= length)
        grey = uniform((batch,), self.grey, generator, images)
        return window.paint(hit, grey, self.grain, generator)

    def _distance(
        self, kind: Tensor, along: Tensor, across: Tensor, length: Tensor, side: int
    ) -> Tensor:
        """First-order distance in pixels of each pixel to its image's curve.

        Every image gets all terms, those of other curves than its own with a height of nothing:
        that is cheaper than computing each curve and selecting one per pixel. Where possible in
        place: for arrays of this size, fresh memory costs as much as the arithmetic.
        """
        turn = 2 * math.pi / (self.period * side)
        flat, straight = torch.zeros_like(kind), torch.full_like(kind, math.inf)
        height = flat.masked_fill(kind == 1, self.amplitude * side)
        steepness = flat.masked_fill(kind == 1, self.amplitude * side * turn)
        root = straight.masked_fill(kind == 2, self.root * side)
        angle = turn * along
        # Centred on its middle, so that it turns about the centre of the window.
        value = (along**2).sub_(length**2 / 2).div_(root).add_(torch.sin(angle).mul_(height))
        slope = angle.cos_().mul_(steepness).add_(along / (root / 2))
        return (across - value).abs_().div_(slope.square_().add_(1).sqrt_())


@dataclass(frozen=True)
class Drops(Corruption):
    """A cluster of small discs of one grey per image.

    Attributes:
        radius: range of the discs' radius, as a fraction of the smaller side (authors' code: 1-2
            %); all the discs of an image share one.
        number: number of discs per image (authors' code: 10).
        spread: standard deviation of the discs' centres around the cluster's, in radii, cut at
            three deviations. The authors' call spreads them by a hundredth of a radius, so that
            ten discs look like one; the default here shows ten.
        grey: range of the grey, in [0, 1].
        grain: standard deviation of the noise on that grey (authors' code: variance 0.05 / 255).

    Raises:
        InputError: a parameter outside its range.
    """

    radius: Range = (0.01, 0.02)
    number: int = 10
    spread: float = 3.0
    grey: Range = GREY
    grain: float = math.sqrt(0.05 / 255)

    def __post_init__(self) -> None:
        interval("radius", self.radius, 0.001, 0.25)
        whole("number", self.number, 1, 1000)
        number("spread", self.spread, 0.0, 100.0)
        interval("grey", self.grey, 0.0, 1.0)
        number("grain", self.grain, 0.0, 1.0)

    def apply(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """One cluster of drops in each image."""
        batch, _, height, width = images.shape
        side = min(height, width)
        radius = uniform((batch, 1), self.radius, generator, images) * side
        centre = uniform((batch, 2), (0.0, 1.0), generator, images)
        centre = centre * tensor_like((height - 1, width - 1), centre)  # B x 2
        offset = normal((batch, self.number, 2), generator, images).clamp(-3, 3) * self.spread
        offset = offset * radius.unsqueeze(2)  # B x discs x 2, y and x from the centre
        # The first disc sits in the middle: no cluster falls outside the image altogether.
        offset[:, 0].zero_()

        window = Window(images, centre, self.radius[1] * side * (3 * self.spread + 1) + 1)
        discs = (window.local(centre).unsqueeze(1) + offset).view(batch, self.number, 2, 1, 1)
        rows, columns = window.grid()
        down = (rows - discs[:, :, 0]) ** 2  # B x discs x h x 1
        right = (columns - discs[:, :, 1]) ** 2  # B x discs x 1 x w
        # One disc at a time: the sums of all of them would not fit the processor's cache.
        square = down[:, 0] + right[:, 0]  # B x h x w
        for disc in range(1, self.number):
            square = torch.minimum(square, down[:, disc] + right[:, disc])
        # Half a pixel's diagonal: even the smallest disc reaches the centre of one pixel.
        reach = radius.clamp(min=math.sqrt(0.5)).view(-1, 1, 1) ** 2 + 1e-4
        grey = uniform((batch,), self.grey, generator, images)
        return window.paint(square <= reach, grey, self.grain, generator)
