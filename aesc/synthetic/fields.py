"""Shared drawing tools of the embedded categories: smooth fields, curves, light.

Lengths and positions are fractions of the image side, ``y`` down and ``x`` to the right, so that
one scene looks the same at every size. The number of random values a tool draws never depends on
the size. A field is an H x W array, an image H x W x 3 with values in [0, 1].
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage, sparse

from aesc.synthetic.spec import Image

Field = NDArray[np.float64]
"""H x W, any unit."""

Points = NDArray[np.float64]
"""N x 2, (y, x) as fractions of the image side."""

# Mean of the squared weights of a cubic B-spline, 151/315, per axis: makes the variance one.
_SPLINE_ENERGY = 151 / 315


@lru_cache(maxsize=16)
def grid(size: int) -> tuple[Field, Field]:
    """Pixel centres ``(y, x)`` of a square image, each size x size, in (0, 1); read-only."""
    axis = (np.arange(size) + 0.5) / size
    y, x = (np.array(part) for part in np.meshgrid(axis, axis, indexing="ij"))
    y.flags.writeable = x.flags.writeable = False
    return y, x


def frame(size: int, centre: tuple[float, float], angle: float) -> tuple[Field, Field]:
    """Pixel centres ``(v, u)`` seen from a part at ``centre`` turned by ``angle`` radians.

    ``u`` runs along the turned x axis, ``v`` along the turned y axis, both 0 at the centre.
    """
    y, x = grid(size)
    dy, dx = y - centre[0], x - centre[1]
    c, s = np.cos(angle), np.sin(angle)
    return c * dy - s * dx, s * dy + c * dx


def smoothstep(low: float | Field, high: float | Field, value: Field) -> Field:
    """0 up to ``low``, 1 from ``high`` on, a smooth cubic between; falling where high < low."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


@lru_cache(maxsize=128)
def _spline_weights(size: int, knots: int) -> sparse.csr_array:
    """Cubic B-spline weights, size x (knots + 3), averaged over each pixel where knots are fine.

    Sparse: a row has few weights, and unlike a dense product, whose order of summation may follow
    the number of threads, a sparse one gives the same bytes everywhere.
    """
    fold = max(1, -(-2 * knots // size))
    t = (np.arange(size * fold) + 0.5) / (size * fold) * knots
    cell = np.floor(t).astype(int)
    u = t - cell
    weights = np.stack([(1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, 1 + 3 * (u + u**2 - u**3), u**3])
    matrix = np.zeros((size * fold, knots + 3))
    np.put_along_axis(matrix, cell[:, None] + np.arange(4), weights.T / 6, axis=1)
    return sparse.csr_array(matrix.reshape(size, fold, knots + 3).mean(axis=1))


def smooth_field(rng: np.random.Generator, size: int, scale: float | tuple[float, float]) -> Field:
    """A smooth Gaussian random field, mean 0 and standard deviation 1 in expectation.

    ``scale`` is the size of its blobs, or (along y, along x), as fractions of the image side.
    Cubic B-splines over a lattice of normal values: the same field at every size, and fine detail
    averages out in small images as it does in a camera.
    """
    scale_y, scale_x = scale if isinstance(scale, tuple) else (scale, scale)
    knots_y, knots_x = max(1, round(1 / scale_y)), max(1, round(1 / scale_x))
    lattice = rng.standard_normal((knots_y + 3, knots_x + 3)) / _SPLINE_ENERGY
    columns = _spline_weights(size, knots_y) @ lattice
    return np.ascontiguousarray((_spline_weights(size, knots_x) @ columns.T).T)


def fractal_field(
    rng: np.random.Generator, size: int, scale: float, octaves: int = 4, fading: float = 0.5
) -> Field:
    """A sum of smooth fields, each half as coarse and ``fading`` as strong as the one before.

    Mean 0 and standard deviation 1 in expectation.
    """
    weights = fading ** np.arange(octaves)
    layers = (w * smooth_field(rng, size, scale / 2**k) for k, w in enumerate(weights))
    return sum(layers, np.zeros((size, size))) / np.sqrt(np.sum(weights**2))


def sample(field: Field, y: Field, x: Field) -> Field:
    """Read a field (or one channel of an image) at other places, (y, x) fractions of the side.

    Bilinear; beyond the border the field is mirrored.
    """
    size = field.shape[0]
    return ndimage.map_coordinates(field, [y * size - 0.5, x * size - 0.5], order=1, mode="mirror")


def smooth_curve(points: ArrayLike, samples: int = 40) -> Points:
    """A smooth line through N >= 2 points (N x 2), as ``samples`` x 2 points; Catmull-Rom."""
    p = np.asarray(points, dtype=float)
    p = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    t = np.linspace(0, len(p) - 3, samples)
    k = np.minimum(t.astype(int), len(p) - 4)
    u = (t - k)[:, None]
    a, b, c, d = p[k], p[k + 1], p[k + 2], p[k + 3]
    return b + 0.5 * u * (c - a + u * (2 * a - 5 * b + 4 * c - d + u * (3 * (b - c) + d - a)))


def wander(
    rng: np.random.Generator,
    start: tuple[float, float],
    heading: float,
    length: float,
    wiggle: float = 0.3,
    steps: int = 24,
) -> Points:
    """A line that leaves ``start`` along ``heading`` (radians, 0 is right) and strays from it.

    (steps + 1) x 2 points over ``length``; ``wiggle`` is the typical change of direction per step
    in radians, pulled back to the heading so that the line gets somewhere.
    """
    turn, angles = 0.0, []
    for kick in rng.normal(0, wiggle, steps):
        turn = 0.8 * turn + kick
        angles.append(heading + turn)
    moves = np.stack([np.sin(angles), np.cos(angles)], axis=1) * (length / steps)
    return np.vstack([start, np.asarray(start) + np.cumsum(moves, axis=0)])


def branching_crack(
    rng: np.random.Generator, start: tuple[float, float], heading: float, length: float
) -> list[Points]:
    """A jagged crack as a list of lines: the trunk first, then two to four side branches."""
    trunk = wander(rng, start, heading, length, wiggle=0.5, steps=14)
    lines = [trunk]
    sides = rng.permutation([-1, 1, -1, 1])[: rng.integers(2, 5)]
    for side in sides:
        knot = trunk[rng.integers(3, 11)]
        turn = heading + side * rng.uniform(0.5, 1.1)
        reach = length * rng.uniform(0.2, 0.45)
        lines.append(wander(rng, (knot[0], knot[1]), turn, reach, wiggle=0.5, steps=8))
    return lines


@dataclass(frozen=True)
class Trace:
    """Where every pixel lies beside a line; all fields H x W.

    ``distance`` to the line, capped at the reach it was measured with; ``side`` the same with a
    sign (positive to the right of the direction of travel as seen in the image); ``along`` the
    nearest point's share of the line's length, 0 to 1, and 0 where the line is out of reach.
    """

    distance: Field
    side: Field
    along: Field


def trace(points: Points, size: int, reach: float) -> Trace:
    """Measure the line through ``points`` (N x 2, N >= 2), up to ``reach`` away from it.

    Farther pixels have the distance ``reach`` and the place 0: whatever is drawn from a trace must
    have faded out by then.
    """
    y, x = grid(size)
    distance = np.full((size, size), float(reach))
    side, along = distance.copy(), np.zeros((size, size))
    steps = np.diff(points, axis=0)
    lengths = np.maximum(np.hypot(steps[:, 0], steps[:, 1]), 1e-12)
    starts = np.concatenate([[0.0], np.cumsum(lengths)])
    for start, step, length, before in zip(points[:-1], steps, lengths, starts, strict=False):
        low = np.clip((np.minimum(start, start + step) - reach) * size, 0, size).astype(int)
        high = np.clip((np.maximum(start, start + step) + reach) * size + 1, 0, size).astype(int)
        box = (slice(low[0], high[0]), slice(low[1], high[1]))
        dy, dx = y[box] - start[0], x[box] - start[1]
        t = np.clip((dy * step[0] + dx * step[1]) / length**2, 0, 1)
        away = np.hypot(dy - t * step[0], dx - t * step[1])
        nearer = away < distance[box]
        sign = np.where(dy * step[1] - dx * step[0] >= 0, 1.0, -1.0)
        distance[box] = np.where(nearer, away, distance[box])
        side[box] = np.where(nearer, sign * away, side[box])
        along[box] = np.where(nearer, (before + t * length) / starts[-1], along[box])
    return Trace(distance, side, along)


def coverage(inside: Field) -> Field:
    """Share of each pixel, 0 to 1, covered by a shape whose edge lies ``inside`` away.

    ``inside`` is the distance to the edge as a fraction of the side, positive within the shape:
    a line of half width h is ``coverage(h - trace(...).distance)``.
    """
    return np.clip(0.5 + inside * inside.shape[0], 0.0, 1.0)


def over(image: Image, colour: ArrayLike, alpha: Field) -> Image:
    """Lay a colour (3 values, or an image) over an image with opacity ``alpha`` (H x W, 0 to 1)."""
    return image + alpha[..., None] * (np.asarray(colour, dtype=float) - image)


def tint(colour: ArrayLike, brightness: Field) -> Image:
    """A colour (3 values in [0, 1]) times a brightness field; clipped by the camera, not here."""
    return np.asarray(colour, dtype=float) * brightness[..., None]


def blotch(
    rng: np.random.Generator,
    size: int,
    centre: tuple[float, float],
    radius: float,
    softness: float = 0.04,
    raggedness: float = 0.3,
) -> Field:
    """A soft, ragged region: 1 well inside, 0 well outside, falling over ``softness``.

    ``raggedness`` is how far the outline strays, as a share of ``radius``.
    """
    v, u = frame(size, centre, rng.uniform(0, np.pi))
    outline = np.hypot(v, u * rng.uniform(0.65, 0.95))
    strayed = outline + raggedness * radius * fractal_field(rng, size, 1.2 * radius, 4)
    return smoothstep(radius + softness / 2, radius - softness / 2, strayed)


def shade(height: Field, towards: float, slope_gain: float = 1.0) -> Field:
    """Lambert shading of a relief lit from ``towards`` (radians, 0 is the right, pi/2 below).

    ``height`` is in fractions of the side. 1 on flat ground, above 1 on slopes that face the
    light, never below 0.
    """
    size = height.shape[0]
    gy, gx = np.gradient(height, 1 / size)
    facing = -(np.sin(towards) * gy + np.cos(towards) * gx) * slope_gain
    return np.maximum(0, 1 + facing) / np.sqrt(1 + (slope_gain**2) * (gy**2 + gx**2))


def lighting(rng: np.random.Generator, size: int, strength: float = 0.12) -> Image:
    """Uneven light to multiply an image with, around 1: gradient, falling corners, tone.

    ``strength`` is the largest brightness difference of the gradient across the image.
    """
    y, x = grid(size)
    angle, slope = rng.uniform(0, 2 * np.pi), strength * rng.uniform(0.3, 1.0)
    corners, exposure = strength * rng.uniform(0, 0.8), rng.uniform(0.95, 1.05)
    tone = 1 + rng.normal(0, 0.008, 3)
    gradient = slope * (np.sin(angle) * (y - 0.5) + np.cos(angle) * (x - 0.5))
    falling = corners * ((y - 0.5) ** 2 + (x - 0.5) ** 2)
    return tint(exposure * tone, 1 + gradient - falling)
