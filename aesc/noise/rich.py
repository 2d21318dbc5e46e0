"""Rich corruption: many shapes, many fillings, at any opacity, for networks past the paper.

What one corruption looks like, a network learns to look for. So nothing here has one look: shapes
from specks to blots of half the image, filled with colours or with pieces of other good images.

Sources of the idea: DRAEM (Zavrtanik, Kristan & Skocaj, ICCV 2021; thresholded smooth noise, filled
at random opacity) and NSA (Schlüter, Tan, Hou & Kainz, ECCV 2022; pieces of other good images as
natural defects). The shapes, their mixture and all ranges are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from aesc._checks import interval, number, whole
from aesc.noise.base import Corruption, Range, below, uniform
from aesc.noise.fillings import FILLINGS, Filling
from aesc.noise.select import per_image
from aesc.noise.shapes import SHAPES, Shape

VISIBLE = 8 / 255
"""A pixel counts as corrupted where it, or one within two pixels, changes by more than this."""


@dataclass(frozen=True)
class Rich(Corruption):
    """Up to three shapes per image, of random kinds, with one random filling.

    Attributes:
        shapes: most shapes in an image; their number is drawn from 1 to this.
        size: range of the size of a shape, as a fraction of the smaller image side: the larger
            semi-axis of a blot before its outline is made irregular, or half the length of a
            stroke. Patches and specks are spread over a blot of twice the size, at most of half
            that side. Small shapes are as frequent as large ones on a logarithmic scale.
        opacity: range of the opacity of the filling.
        soft: share of the images whose shapes have a soft border.
        clean: share of the images left as they are, so that a network learns to leave good images
            alone.

    Raises:
        InputError: a parameter outside its range.

    Example:
        >>> images = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> corrupted, mask = Rich(clean=0.5)(images, torch.Generator().manual_seed(0))
        >>> mask.flatten(1).any(1).int()  # which images are corrupted
        tensor([1, 1, 0, 1, 0, 0, 0, 1], dtype=torch.int32)
    """

    shapes: int = 3
    size: Range = (0.02, 0.35)
    opacity: Range = (0.2, 1.0)
    soft: float = 0.5
    clean: float = 0.1

    def __post_init__(self) -> None:
        whole("shapes", self.shapes, 1, 20)
        interval("size", self.size, 0.001, 0.5)
        interval("opacity", self.opacity, 0.0, 1.0)
        number("soft", self.soft, 0.0, 1.0)
        number("clean", self.clean, 0.0, 1.0)

    def apply(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Shapes of one filling in each image that is not left clean."""
        batch = (len(images), 1, 1, 1)
        opacity = self._softened(self._drawn(images, generator), generator)  # B x 1 x H x W
        strength = uniform(batch, self.opacity, generator, images)
        corrupt = uniform(batch, (0.0, 1.0), generator, images) >= self.clean
        change = self._filling(images, generator).clamp_(0, 1).sub_(images)  # B x C x H x W
        change.mul_(opacity.mul_(strength * corrupt))
        # What nobody could see is no corruption: a filling may resemble what it covers.
        visible = change.abs().amax(1, keepdim=True)  # B x 1 x H x W
        mask = functional.max_pool2d(visible, 5, stride=1, padding=2) > VISIBLE
        mask &= opacity > 0
        return torch.where(mask, change.add_(images).clamp_(0, 1), images), mask

    def _drawn(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """The union of each image's shapes: B x 1 x H x W, 0 or 1."""
        batch, _, height, width = images.shape
        canvas = images.new_empty(1).expand(batch * self.shapes, 1, height, width)
        kind = below(len(canvas), len(SHAPES), generator, images)
        low, high = self.size
        spread = uniform((len(canvas),), (0.0, 1.0), generator, images)
        radius = low * (high / low) ** spread * min(height, width)  # B shapes

        def drawing(draw: Shape) -> Callable[[Tensor], Tensor]:
            return lambda chosen: draw(canvas[chosen], radius[chosen], generator)

        drawn = per_image(kind, [drawing(draw) for draw in SHAPES])
        drawn = drawn.view(batch, self.shapes, height, width)
        others = below(batch, self.shapes, generator, images).view(-1, 1)
        first = torch.arange(self.shapes, device=images.device) <= others  # B x shapes
        return drawn.mul_(first.view(batch, self.shapes, 1, 1)).amax(1, keepdim=True)

    def _softened(self, opacity: Tensor, generator: torch.Generator) -> Tensor:
        """Some of the images' shapes with borders of a few pixels: B x 1 x H x W in [0, 1]."""
        width = 2 * max(1, round(min(opacity.shape[2:]) / 100)) + 1
        soft = uniform((len(opacity), 1, 1, 1), (0.0, 1.0), generator, opacity) < self.soft
        padded = functional.pad(opacity, (width // 2,) * 4, mode="replicate")
        return torch.where(soft, functional.avg_pool2d(padded, width, stride=1), opacity)

    def _filling(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """What the shapes are filled with, drawn over the whole image: B x C x H x W."""
        kind = below(len(images), len(FILLINGS), generator, images)
        everyone = torch.arange(len(images), device=images.device)
        shift = below(1, max(1, len(images) - 1), generator, images) + 1  # never onto itself
        others = images[(everyone + shift) % len(images)]

        def filling(fill: Filling) -> Callable[[Tensor], Tensor]:
            return lambda chosen: fill(images[chosen], others[chosen], generator)

        return per_image(kind, [filling(fill) for fill in FILLINGS])
