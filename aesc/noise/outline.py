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

SAMPLES = 10
"""Vertices drawn per point of the outline, as in the authors' code."""


def ellipse_points(semi_axes: Tensor, rotation: Tensor, points: int) -> Tensor:
    """Points at equal angles on ellipses around the origin.

    Args:
        semi_axes: B x 2, in pixels.
        rotation: B, in radians.
        points: how many.

    Returns:
        B x points x 2.
    """
    angle = torch.arange(points, device=semi_axes.device, dtype=semi_axes.dtype) * (
        2 * math.pi / points
    )
    along = semi_axes[:, :1] * angle.cos()
    across = semi_axes[:, 1:] * angle.sin()
    cos, sin = rotation.cos().unsqueeze(1), rotation.sin().unsqueeze(1)
    return torch.stack([along * sin + across * cos, along * cos - across * sin], dim=2)


def sort_by_polar_angle(points: Tensor) -> Tensor:
    """Order the points (B x P x 2) of each outline by their angle around the origin."""
    order = torch.atan2(points[..., 0], points[..., 1]).argsort(dim=1, stable=True)
    return points.gather(1, order.unsqueeze(2).expand_as(points))


def closed_curve(points: Tensor, samples: int = SAMPLES) -> Tensor:
    """Closed cubic spline through the points.

    Args:
        points: B x P x 2, P at least 3.
        samples: vertices per point.

    Returns:
        B x (P * samples) x 2; every ``samples``-th vertex is a point, and the last vertex joins
        the first.
    """
    matrix = _spline_matrix(points.shape[1], samples).to(points)
    return matrix @ points


@lru_cache(maxsize=32)
def _spline_matrix(points: int, samples: int) -> Tensor:
    """A periodic spline is linear in its points: one matrix (P*samples x P) evaluates any batch."""
    knots = np.arange(points + 1)
    unit = np.eye(points)[np.r_[0:points, 0]]
    spline = CubicSpline(knots, unit, bc_type="periodic")
    return torch.from_numpy(spline(np.arange(points * samples) / samples))


def fill(vertices: Tensor, height: int, width: int) -> Tensor:
    """Fill closed polygons by the winding rule, all of them at once.

    For each row, an edge that crosses it adds +1 or -1 from the crossing to the right; the running
    sum along the row is the winding number. The number of operations is that of edges times rows
    plus pixels, with no loop over either.

    Args:
        vertices: B x V x 2 in pixels; parts outside the raster are cut off.
        height: rows of the raster.
        width: columns of the raster.

    Returns:
        B x height x width, boolean: pixel centres inside the polygon.
    """
    y0, x0 = vertices.unsqueeze(3).unbind(2)
    y1, x1 = vertices.roll(-1, dims=1).unsqueeze(3).unbind(2)
    row = torch.arange(height, device=vertices.device, dtype=vertices.dtype)
    crosses = (y0 <= row) != (y1 <= row)
    rise = torch.where(y1 == y0, torch.ones_like(y0), y1 - y0)
    x = x0 + (row - y0) / rise * (x1 - x0)
    first_column = x.ceil().clamp(0, width).long()
    turn = torch.where(crosses, (y1 > y0).int() * 2 - 1, 0).to(torch.int32)

    batch = vertices.shape[0]
    winding = turn.new_zeros(batch, height * (width + 1))
    row_start = torch.arange(height, device=vertices.device) * (width + 1)
    winding.scatter_add_(1, (first_column + row_start).flatten(1), turn.flatten(1))
    return winding.view(batch, height, width + 1).cumsum(2)[..., :-1] != 0
