"""The outline of a stain, step by step: points around an ellipse, sorted, joined, filled.

Every function takes a whole batch; coordinates are (y, x) in pixels with pixel centres at integers.
The steps follow section III of Collin & De Vleeschouwer (ICPR 2020) and the authors' code.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from torch import Tensor

from aesc._checks import whole
from aesc.errors import InputError
from aesc.noise.base import on_host

SAMPLES = 10
"""Vertices drawn per point of the outline, as in the authors' code."""


def ellipse_points(semi_axes: Tensor, rotation: Tensor, points: int) -> Tensor:
    """Points at equal angles on ellipses around the origin.

    Args:
        semi_axes: both semi-axes of each ellipse in pixels, B x 2.
        rotation: angle of each ellipse in radians, B.
        points: number of points on each ellipse.

    Returns:
        B x points x 2.

    Raises:
        InputError: ``points`` is not a positive whole number.

    Example:
        >>> ellipse_points(torch.tensor([[1.0, 2.0]]), torch.zeros(1), 4).round().int()
        tensor([[[ 0,  1],
                 [ 2,  0],
                 [ 0, -1],
                 [-2,  0]]], dtype=torch.int32)
    """
    whole("points", points)
    angle = torch.arange(points, device=semi_axes.device, dtype=semi_axes.dtype) * (
        2 * math.pi / points
    )
    along = semi_axes[:, :1] * angle.cos()  # B x points
    across = semi_axes[:, 1:] * angle.sin()
    cos, sin = rotation.cos().unsqueeze(1), rotation.sin().unsqueeze(1)  # each B x 1
    return torch.stack([along * sin + across * cos, along * cos - across * sin], dim=2)


def sort_by_polar_angle(points: Tensor) -> Tensor:
    """Order the points (B x P x 2) of each outline by their angle around the origin."""
    order = torch.atan2(points[..., 0], points[..., 1]).argsort(dim=1, stable=True)  # B x P
    return points.gather(1, order.unsqueeze(2).expand_as(points))


def closed_curve(points: Tensor, samples: int = SAMPLES) -> Tensor:
    """Closed cubic spline through the points.

    Args:
        points: points of each curve, B x P x 2, P at least 3.
        samples: number of vertices per point.

    Returns:
        B x (P * samples) x 2; every ``samples``-th vertex is a point, and the last vertex joins
        the first.

    Raises:
        InputError: fewer than three points, or ``samples`` is not a positive whole number.

    Example:
        >>> square = torch.tensor([[[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]]])
        >>> closed_curve(square, samples=2)[0, :3]
        tensor([[0.0000, 1.0000],
                [0.6875, 0.6875],
                [1.0000, 0.0000]])
    """
    whole("samples", samples)
    if points.ndim != 3 or points.shape[1] < 3 or points.shape[2] != 2:
        raise InputError(
            f"points is of shape {tuple(points.shape)}: give B x P x 2 with P of at least 3."
        )
    return _spline_matrix(points.shape[1], samples, points.device, points.dtype) @ points


@lru_cache(maxsize=32)
def _spline_matrix(points: int, samples: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """A periodic spline is linear in its points: one matrix (P*samples x P) evaluates any batch.

    It stays on the device: a copy for every batch would make the host wait.
    """
    knots = np.arange(points + 1)
    unit = np.eye(points)[np.r_[0:points, 0]]
    spline = CubicSpline(knots, unit, bc_type="periodic")
    return torch.from_numpy(spline(np.arange(points * samples) / samples)).to(device, dtype)


def fill(vertices: Tensor, height: int, width: int) -> Tensor:
    """Fill closed polygons by the winding rule, all of them at once.

    For each row, an edge that crosses it adds +1 or -1 from the crossing to the right; the running
    sum along the row is the winding number. There is no loop over polygons, edges or rows.

    Args:
        vertices: corners of the polygons in pixels, B x V x 2; parts outside the raster are cut
            off.
        height: number of rows of the raster.
        width: number of columns of the raster.

    Returns:
        B x height x width, boolean: pixel centres inside the polygon.

    Raises:
        InputError: a height or width that is not a positive whole number.

    Example:
        >>> triangle = torch.tensor([[[0.0, 0.0], [0.0, 4.0], [4.0, 0.0]]])
        >>> fill(triangle, height=3, width=4).int()
        tensor([[[1, 1, 1, 1],
                 [1, 1, 1, 0],
                 [1, 1, 0, 0]]], dtype=torch.int32)
    """
    whole("height", height)
    whole("width", width)
    pairs = crossings if on_host(vertices) else all_pairs
    polygon, row, start, end = pairs(vertices, vertices.roll(-1, dims=1), height)
    (y0, x0), (y1, x1) = start.unbind(-1), end.unbind(-1)  # K, or B x V x 1 with a row axis
    rise = torch.where(y1 == y0, torch.ones_like(y0), y1 - y0)
    x = x0 + (row - y0) / rise * (x1 - x0)
    first_column = x.ceil().clamp(0, width).long()
    turn = (y0 <= row).int() - (y1 <= row).int()

    # A column more than the raster, for crossings to the right of it.
    winding = turn.new_zeros(len(vertices) * height * (width + 1))
    place = (polygon * height + row.long()) * (width + 1) + first_column
    winding.scatter_add_(0, place.flatten(), turn.flatten())
    return winding.view(-1, height, width + 1).cumsum(2)[..., :-1] != 0


def all_pairs(start: Tensor, end: Tensor, height: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Every edge (B x V x 1 x 2) with every row (1 x 1 x height), crossing or not."""
    polygon = torch.arange(len(start), device=start.device).view(-1, 1, 1)
    row = torch.arange(height, device=start.device, dtype=start.dtype).view(1, 1, -1)
    return polygon, row, start.unsqueeze(2), end.unsqueeze(2)


def crossings(start: Tensor, end: Tensor, height: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The crossings alone: polygon (K), row (K), start and end (K x 2) of the edge of each."""
    # Every edge crosses the rows from the first at or below its upper end to before its lower end.
    first = torch.minimum(start, end)[..., 0].ceil().clamp(0, height).flatten()
    after = torch.maximum(start, end)[..., 0].ceil().clamp(0, height).flatten()
    count = (after - first).long()  # B V: rows that each edge crosses
    edge = torch.arange(len(count)).repeat_interleave(count)  # K
    nth = torch.arange(len(edge)) - (count.cumsum(0) - count)[edge]
    return (
        edge // start.shape[1],
        first[edge] + nth,
        start.flatten(0, 1)[edge],
        end.flatten(0, 1)[edge],
    )
