"""What only the object categories need: placing a part, distances to shapes, relief, lettering.

Conventions of :mod:`aesc.synthetic.fields`: lengths are fractions of the image side, points are
(y, x) in the image and (v, u) in a part's own frame, whose origin is the part's centre. Scenes are
painted on a *canvas* finer than the image, which ``photograph`` then averages down.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aesc.synthetic.camera import photograph
from aesc.synthetic.fields import Field, Points, frame, grid, sample, smooth_curve
from aesc.synthetic.spec import Image, Mask, Spec

Scene = TypeVar("Scene")
Flaw = TypeVar("Flaw")

Normals = tuple[Field, Field, Field]
"""Unit surface normals: x, y and z (towards the camera) components, each H x W."""

_MIN_CANVAS = 256


def canvas(size: int) -> int:
    """Side in samples of the canvas for an image of ``size`` pixels: a multiple, at least 256."""
    return size * max(2, -(-_MIN_CANVAS // size))


@dataclass(frozen=True)
class Pose:
    """How a part lies: centre (y, x), turned by ``angle`` radians, enlarged by ``scale``."""

    centre: tuple[float, float]
    angle: float
    scale: float

    @classmethod
    def draw(cls, rng: np.random.Generator, shift: float, angle: float, growth: float) -> "Pose":
        """A pose about the middle of the frame, uniform within plus or minus each bound."""
        dy, dx, turn, grow = rng.uniform(-1.0, 1.0, 4)
        return cls((0.5 + shift * dy, 0.5 + shift * dx), angle * turn, 1.0 + growth * grow)

    def look(self, side: int) -> tuple[Field, Field]:
        """Part coordinates (v, u) of every sample of a canvas with ``side`` samples a side."""
        v, u = frame(side, self.centre, self.angle)
        return v / self.scale, u / self.scale

    def place(self, points: ArrayLike) -> Points:
        """Image positions (y, x) of part points (v, u), N x 2 or a single one."""
        c, s = self.scale * np.cos(self.angle), self.scale * np.sin(self.angle)
        return np.asarray(points, dtype=float) @ np.array([(c, -s), (s, c)]) + self.centre


def object_category(
    name: str,
    description: str,
    draw: Callable[[np.random.Generator, int], Scene],
    paint: Callable[[Scene, Flaw | None], Image],
    flaws: Mapping[str, Callable[[np.random.Generator, Scene], Flaw]],
) -> Spec:
    """An object category, from the three steps that render it.

    The scene is drawn first and the sensor has a generator of its own, so one seed shows the same
    part with every defect.

    Args:
        name: name of the category.
        description: one sentence on what its images show.
        draw: ``draw(rng, side)`` fixes everything random about a good scene.
        paint: ``paint(scene, flaw)`` paints a canvas of ``side`` samples, without a defect for
            None.
        flaws: for each defect type, ``flaw(rng, scene)``, which fixes everything random about it.

    Returns:
        The category.
    """

    def render(rng: np.random.Generator, size: int, defect: str | None) -> tuple[Image, Mask]:
        (sensor,) = rng.spawn(1)
        scene = draw(rng, canvas(size))
        clean = paint(scene, None)
        flawed = None if defect is None else paint(scene, flaws[defect](rng, scene))
        return photograph(sensor, size, clean, flawed)

    return Spec(name, "object", description, render, tuple(flaws))


def box_inside(v: Field, u: Field, half_v: float, half_u: float, corner: float = 0.0) -> Field:
    """Distance inwards from the edge of a box around 0 with rounded corners; negative outside."""
    dv, du = np.abs(v) - (half_v - corner), np.abs(u) - (half_u - corner)
    outside = np.hypot(np.maximum(dv, 0.0), np.maximum(du, 0.0))
    return corner - outside - np.minimum(np.maximum(dv, du), 0.0)


def shard_inside(rng: np.random.Generator, v: Field, u: Field, radius: float) -> Field:
    """Distance inwards from the edge of a splinter around 0: straight edges, sharp corners."""
    count = 7
    turns = np.arange(count) + rng.uniform(-0.35, 0.35, count)
    angles = turns * (2 * np.pi / count) + rng.uniform(0.0, 2 * np.pi)
    reaches = radius * rng.uniform(0.7, 1.15, count)
    edges = [
        reach - np.cos(angle) * u - np.sin(angle) * v
        for angle, reach in zip(angles, reaches, strict=True)
    ]
    return np.minimum.reduce(edges)


def ribbon(points: Points, width: ArrayLike) -> Points:
    """Outline (2N x 2) of a band along ``points`` (N x 2), of one width or one width per point."""
    along = np.gradient(points, axis=0)
    along /= np.maximum(np.hypot(along[:, :1], along[:, 1:]), 1e-12)
    half = np.broadcast_to(np.asarray(width, dtype=float) / 2, len(points))[:, None]
    offset = half * np.stack([-along[:, 1], along[:, 0]], axis=1)
    return np.concatenate([points + offset, (points - offset)[::-1]])


def cast(inside: Field, towards: float, reach: float) -> Field:
    """A distance field moved by ``reach`` away from the lamp: the outline of a cast shadow."""
    y, x = grid(inside.shape[0])
    return sample(inside, y + reach * np.sin(towards), x + reach * np.cos(towards))


def normals(height: Field) -> Normals:
    """Unit normals of a relief (fractions of the side)."""
    gy, gx = np.gradient(height, 1.0 / height.shape[0])
    z = 1.0 / np.sqrt(1.0 + gx * gx + gy * gy)
    return -gx * z, -gy * z, z


def lamp(towards: float, elevation: float) -> NDArray[np.float64]:
    """Unit vector (x, y, z) to a lamp: ``towards`` in the image (0 right, pi/2 below), radians."""
    flat = np.cos(elevation)
    return np.array([flat * np.cos(towards), flat * np.sin(towards), np.sin(elevation)])


def halfway(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normal of the surfaces that mirror the light into the camera above (Blinn's half vector)."""
    half = light + np.array([0.0, 0.0, 1.0])
    return half / np.linalg.norm(half)


def facing(surface: Normals, direction: NDArray[np.float64]) -> Field:
    """Cosine between normals and a direction; 0 where the surface faces away."""
    x, y, z = surface
    return np.maximum(x * direction[0] + y * direction[1] + z * direction[2], 0.0)


def _round(*points: tuple[float, float]) -> Points:
    return smooth_curve(points, samples=20)


# Pen strokes of each sign in a box 1 high and 0.6 wide, (v, u) from its top left corner.
_STROKES: dict[str, tuple[Points, ...]] = {
    "0": (
        _round(
            (0.5, 0), (0.08, 0.12), (0.08, 0.48), (0.5, 0.6), (0.92, 0.48), (0.92, 0.12), (0.5, 0)
        ),
    ),
    "1": (np.array([(0.22, 0.1), (0, 0.32), (1, 0.32)]),),
    "2": (
        _round((0.25, 0.02), (0, 0.3), (0.28, 0.58), (0.65, 0.25), (1, 0)),
        np.array([(1, 0), (1, 0.6)]),
    ),
    "3": (
        _round((0.12, 0.02), (0, 0.3), (0.25, 0.55), (0.48, 0.25)),
        _round((0.48, 0.25), (0.74, 0.6), (1, 0.28), (0.86, 0)),
    ),
    "4": (np.array([(1, 0.45), (0, 0.45), (0.68, 0), (0.68, 0.6)]),),
    "5": (
        np.array([(0, 0.55), (0, 0.08), (0.44, 0.05)]),
        _round((0.44, 0.05), (0.4, 0.4), (0.72, 0.6), (1, 0.25), (0.88, 0)),
    ),
    "7": (np.array([(0, 0), (0, 0.6), (1, 0.2)]),),
    "A": (np.array([(1, 0), (0, 0.3), (1, 0.6)]), np.array([(0.65, 0.1), (0.65, 0.5)])),
    "C": (_round((0.2, 0.56), (0, 0.3), (0.5, 0), (1, 0.3), (0.8, 0.56)),),
    "R": (
        np.array([(1, 0), (0, 0)]),
        _round((0, 0), (0.02, 0.4), (0.26, 0.56), (0.5, 0.4), (0.52, 0)),
        np.array([(0.52, 0.25), (1, 0.6)]),
    ),
    "U": (_round((0, 0), (0.6, 0), (1, 0.3), (0.6, 0.6), (0, 0.6)),),
    "X": (np.array([(0, 0), (1, 0.6)]), np.array([(0, 0.6), (1, 0)])),
}


def lettering(text: str, height: float) -> list[Points]:
    """Pen strokes (N x 2 points each) that write ``text`` around 0, ``height`` high.

    Raises KeyError for a sign without strokes: the texts are the package's own.
    """
    advance = 0.85
    left = (advance * (len(text) - 1) + 0.6) / 2
    return [
        (stroke + np.array([-0.5, advance * place - left])) * height
        for place, sign in enumerate(text)
        for stroke in _STROKES[sign]
    ]
