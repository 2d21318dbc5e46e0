"""Shapes of the rich corruption: where an image is changed."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from aesc.noise.base import normal, tensor_like, uniform
from aesc.noise.outline import fill
from aesc.noise.stain import Stain

SEGMENTS = 7
"""Straight pieces of a stroke."""

CELLS = 48
"""Values along a side of the random grid that smooth noise is interpolated from."""

_BLOT = Stain(semi_axis=(0.1, 0.25), irregularity=(0.1, 0.6))
_THIN = 1.5
"""Least thickness of a stroke in pixels, so that it hits the centres of pixels."""

Shape = Callable[[Tensor, Tensor, torch.Generator], Tensor]
"""A canvas (K x 1 x H x W, whose values are not looked at), radii in pixels (K) and a source of
draws to K x H x W, 1 inside and 0 outside."""


def blots(canvas: Tensor, radius: Tensor, generator: torch.Generator) -> Tensor:
    """Irregular closed outlines, as those of `Stain`; the radius is the larger semi-axis."""
    height, width = canvas.shape[2:]
    semi_axes, centre, outline = _BLOT.draw(canvas, generator)  # K x 2, K x 2, K x V x 2
    outline = outline * (radius / semi_axes.amax(1)).view(-1, 1, 1)
    centre = _anywhere(canvas, generator)
    inside = fill(outline + centre.unsqueeze(1), height, width).to(canvas.dtype)
    return _with_middle(inside, centre)


def strokes(canvas: Tensor, radius: Tensor, generator: torch.Generator) -> Tensor:
    """Crooked lines, such as scratches, hairs and threads; the radius is half their length."""
    count, _, height, width = canvas.shape
    turns = normal((count, SEGMENTS), generator, canvas) * 0.5
    turns[:, 0] = uniform((count,), (0.0, 2 * math.pi), generator, canvas)
    heading = turns.cumsum(1)  # K x segments
    step = torch.stack([heading.sin(), heading.cos()], 2)  # K x segments x 2
    path = functional.pad(step.cumsum(1), (0, 0, 1, 0))  # K x (segments + 1) x 2
    path = (path - path.mean(1, keepdim=True)) * (2 * radius / SEGMENTS).view(-1, 1, 1)
    path = path + _anywhere(canvas, generator).unsqueeze(1)
    # Across the line at each point: a quarter turn of the mean heading of its two segments.
    ends = torch.cat([heading[:, :1], (heading[:, 1:] + heading[:, :-1]) / 2, heading[:, -1:]], 1)
    across = torch.stack([ends.cos(), -ends.sin()], 2)  # K x (segments + 1) x 2
    thickest = max(_THIN, 0.04 * min(height, width))
    half = uniform((count, 1, 1), (_THIN, thickest), generator, canvas) / 2
    band = torch.cat([path + half * across, (path - half * across).flip(1)], 1)
    return fill(band, height, width).to(canvas.dtype)


def patches(canvas: Tensor, radius: Tensor, generator: torch.Generator) -> Tensor:
    """Where smooth noise is high, inside a blot of twice the radius."""
    wide = blots(canvas, (2 * radius).clamp(max=0.5 * min(canvas.shape[2:])), generator)
    noise = _smooth_noise(canvas, (0.05, 0.5), generator)
    level = uniform((len(canvas), 1, 1), (-0.1, 0.3), generator, canvas)
    return wide.mul_(noise > level)


def specks(canvas: Tensor, radius: Tensor, generator: torch.Generator) -> Tensor:
    """Grains inside a blot of twice the radius."""
    wide = blots(canvas, (2 * radius).clamp(max=0.5 * min(canvas.shape[2:])), generator)
    noise = _smooth_noise(canvas, (0.6, 1.0), generator)
    level = uniform((len(canvas), 1, 1), (0.7, 1.2), generator, canvas)
    return wide.mul_(noise > level)


SHAPES: tuple[Shape, ...] = (blots, strokes, patches, specks)
"""The kinds of shape, equally frequent."""


def _anywhere(canvas: Tensor, generator: torch.Generator) -> Tensor:
    """Centres anywhere in the image: K x 2, y and x in pixels."""
    height, width = canvas.shape[2:]
    draws = uniform((len(canvas), 2), (0.0, 1.0), generator, canvas)
    return draws * tensor_like((height - 1, width - 1), canvas)


def _with_middle(inside: Tensor, centre: Tensor) -> Tensor:
    """Mark the pixel of the centre too, so that a shape smaller than a pixel is not lost."""
    row, column = centre.round().long().unbind(1)
    image = torch.arange(len(inside), device=inside.device)
    # As a number, 1 would be copied to the device, for which the host waits.
    return inside.index_put_((image, row, column), inside.new_ones(()))


def _smooth_noise(canvas: Tensor, cells: tuple[float, float], generator: torch.Generator) -> Tensor:
    """Normal noise, interpolated from a share ``cells`` of `CELLS` values a side: K x H x W."""
    count = len(canvas)
    grid = normal((count, 1, CELLS, CELLS), generator, canvas)
    zoom = uniform((count,), cells, generator, canvas)
    turn = uniform((count,), (0.0, 2 * math.pi), generator, canvas)
    where = turned_grid(canvas, zoom, turn, torch.zeros_like(zoom).expand(2, -1).T)
    noise = functional.grid_sample(grid, where, padding_mode="reflection", align_corners=False)
    return noise.squeeze(1)


def turned_grid(canvas: Tensor, zoom: Tensor, turn: Tensor, shift: Tensor) -> Tensor:
    """Where to sample each image for a turned, scaled and shifted view of it.

    Args:
        canvas: K x C x H x W; its values are not looked at.
        zoom: how much of an image's side the view spans, K.
        turn: angles in radians, K.
        shift: K x 2, x and y in units of half an image's side.

    Returns:
        K x H x W x 2, for `torch.nn.functional.grid_sample`.
    """
    cos, sin = zoom * turn.cos(), zoom * turn.sin()
    rows = [torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)]
    matrix = torch.stack(rows, 1)  # K x 2 x 3
    size = [len(canvas), 1, *canvas.shape[2:]]
    return functional.affine_grid(matrix, size, align_corners=False)
