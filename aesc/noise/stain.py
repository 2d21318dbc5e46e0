"""Stain-shaped noise, the corruption that the paper proposes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from aesc._checks import interval, number, whole
from aesc.noise.base import GREY, Corruption, Range, tensor_like, uniform
from aesc.noise.outline import closed_curve, ellipse_points, fill, sort_by_polar_angle
from aesc.noise.window import Window


@dataclass(frozen=True)
class Stain(Corruption):
    """One irregular blot of a single grey per image (paper, section III and figure 2).

    Points are set around an ellipse of random size, eccentricity, rotation and place; each is moved
    at random; they are sorted by polar angle and joined by a closed cubic curve, which is filled.

    Attributes:
        semi_axis: range of both semi-axes, as a fraction of the smaller image side (paper: 1-12 %).
        irregularity: range of the largest move of a point in each direction, as a fraction of the
            mean semi-axis. The authors' code uses one value a run, 0.1 in its mixes; the range here
            reaches from such nearly smooth blots to jagged ones.
        points: number of points around the ellipse (paper: 20).
        grey: range of the blot's grey, in [0, 1] (authors' code: 10 to 220 of 255).
        grain: standard deviation of the noise on that grey (authors' code: variance 0.05 / 255).
        border: width of the blurred border, as a fraction of the larger semi-axis (standard
            deviation of the blur); 0 gives a sharp one. The authors' mixes use 0.15.

    Raises:
        InputError: a parameter outside its range.

    Example:
        >>> images = torch.ones(1, 1, 32, 32)
        >>> stain = Stain(semi_axis=(0.1, 0.1), irregularity=(0.0, 0.0))  # a disc
        >>> _, mask = stain(images, torch.Generator().manual_seed(0))
        >>> int(mask.sum()), round(math.pi * 3.2**2, 1)  # its pixels and its area
        (32, 32.2)
    """

    semi_axis: Range = (0.01, 0.12)
    irregularity: Range = (0.1, 0.4)
    points: int = 20
    grey: Range = GREY
    grain: float = math.sqrt(0.05 / 255)
    border: float = 0.0

    def __post_init__(self) -> None:
        interval("semi_axis", self.semi_axis, 0.001, 0.5)
        interval("irregularity", self.irregularity, 0.0, 1.0)
        whole("points", self.points, 3, 1000)
        interval("grey", self.grey, 0.0, 1.0)
        number("grain", self.grain, 0.0, 1.0)
        number("border", self.border, 0.0, 1.0)

    def apply(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """One stain in each image."""
        semi_axes, centre, outline = self.draw(images, generator)
        window = Window(images, centre, self._reach(min(images.shape[2:])))
        local_centre = window.local(centre)
        inside = fill(outline + local_centre.unsqueeze(1), *window.shape)  # B x h x w
        # The pixel of the centre is always marked: a stain smaller than a pixel is not lost.
        rows, columns = window.grid()
        nearest = local_centre.round().view(-1, 2, 1, 1)  # B x 2 x 1 x 1
        opacity = inside | ((rows == nearest[:, 0]) & (columns == nearest[:, 1]))  # B x h x w
        if self.border > 0:
            opacity = self._blur(opacity.to(images.dtype), semi_axes.amax(1), min(images.shape[2:]))
        grey = uniform((len(images),), self.grey, generator, images)
        return window.paint(opacity, grey, self.grain, generator)

    def draw(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Draw the shape of one stain per image.

        Returns:
            Semi-axes (B x 2, pixels), centres (B x 2, y and x in pixels) and outlines around the
            origin (B x V x 2).
        """
        batch, _, height, width = images.shape
        side = min(height, width)
        low, high = self.semi_axis
        semi_axes = uniform((batch, 2), (low * side, high * side), generator, images)
        rotation = uniform((batch,), (0.0, 2 * math.pi), generator, images)
        points = ellipse_points(semi_axes, rotation, self.points)  # B x points x 2
        size = semi_axes.mean(1).view(-1, 1, 1)  # B x 1 x 1
        reach = uniform((batch, 1, 1), self.irregularity, generator, images) * size
        points = points + reach * uniform((batch, self.points, 2), (-1.0, 1.0), generator, images)
        outline = closed_curve(sort_by_polar_angle(points))  # B x V x 2
        # The ellipse lies inside the image, as in the authors' code.
        margin = semi_axes.amax(1, keepdim=True)  # B x 1
        sides = tensor_like((height - 1, width - 1), margin)
        centre = margin + uniform((batch, 2), (0.0, 1.0), generator, images) * (sides - 2 * margin)
        return semi_axes, centre, outline

    def _reach(self, side: int) -> float:
        """Half the window: the farthest point, a little overshoot of the curve, the blur."""
        largest = self.semi_axis[1] * side
        return largest * ((1 + self.irregularity[1]) * 1.25 + 3 * self.border) + 1

    def _blur(self, opacity: Tensor, larger_axis: Tensor, side: int) -> Tensor:
        """Gaussian blur of B x h x w, with a width of its own for each image."""
        radius = math.ceil(3 * self.border * self.semi_axis[1] * side)
        sigma = (self.border * larger_axis).clamp(min=1e-3).view(-1, 1)
        offset = torch.arange(-radius, radius + 1, device=opacity.device, dtype=opacity.dtype)
        kernel = torch.softmax(-0.5 * (offset / sigma) ** 2, dim=1)  # B x taps
        images, taps = kernel.shape
        blurred = opacity.unsqueeze(0)  # 1 x B x h x w: each image is a channel with its own kernel
        blurred = functional.conv2d(
            blurred, kernel.view(images, 1, taps, 1), padding=(radius, 0), groups=images
        )
        blurred = functional.conv2d(
            blurred, kernel.view(images, 1, 1, taps), padding=(0, radius), groups=images
        )
        # Below half a grey level of 255 nothing would be seen: the mask ends there.
        blurred = blurred.squeeze(0).clamp(0, 1)  # B x h x w
        return torch.where(blurred < 0.5 / 255, torch.zeros_like(blurred), blurred)
