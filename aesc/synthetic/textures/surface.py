"""What the texture categories share: the camera set-up, distorted lattices, cell patterns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from aesc.synthetic.camera import photograph
from aesc.synthetic.fields import Field, Points, frame, sample, smooth_field
from aesc.synthetic.spec import Image, Mask, Spec

Scene = TypeVar("Scene")

_FOLD = 2
"""Scenes are painted at this multiple of the final size and averaged down: smooth edges."""

_PERIOD = 64
"""Seed points repeat after this many cells: a power of two, and more than an image shows."""


def texture_category(
    name: str,
    description: str,
    draw: Callable[[np.random.Generator, int], Scene],
    paint: Callable[[Scene], Image],
    defects: Mapping[str, Callable[[np.random.Generator, Scene], Image]],
    closing: float = 0.012,
) -> Spec:
    """A texture category from a function that draws its scene, one that paints it, its defects.

    ``draw(rng, size)`` fixes everything random about the good surface; each defect paints that
    scene again with the defect in it. Scene, defect and camera have a generator each, so that one
    seed shows the same surface with any defect and without. ``closing`` is the width of the gaps
    filled in masks, see photograph.
    """

    def render(rng: np.random.Generator, size: int, defect: str | None) -> tuple[Image, Mask]:
        scene_rng, defect_rng, camera_rng = rng.spawn(3)
        scene = draw(scene_rng, _FOLD * size)
        flawed = None if defect is None else defects[defect](defect_rng, scene)
        return photograph(camera_rng, size, paint(scene), flawed, closing=closing)

    return Spec(name, "texture", description, render, tuple(defects))


@dataclass(frozen=True)
class Lattice:
    """A turned, slightly distorted lattice of ``count`` (along v, along u) cells per image side."""

    size: int
    angle: float
    count: tuple[float, float]
    phase: tuple[float, float]
    bend_v: Field
    bend_u: Field

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        size: int,
        count: float,
        turn: float,
        bend: float,
        bend_scale: float = 0.3,
    ) -> "Lattice":
        """A random lattice: turned by up to ``turn`` radians, bent by about ``bend`` cells."""
        angle, phase = rng.uniform(-turn, turn), rng.uniform(0, 16, 2)
        counts = count * rng.uniform(0.95, 1.05, 2)
        bends = [bend * smooth_field(rng, size, bend_scale) for _ in range(2)]
        return cls(size, angle, (counts[0], counts[1]), (phase[0], phase[1]), *bends)

    def cells(self, dy: Field | float = 0.0, dx: Field | float = 0.0) -> tuple[Field, Field]:
        """Lattice coordinates (v, u), in cells, of what every pixel shows.

        ``dy`` and ``dx`` (fractions of the side) say how far the surface was pushed there.
        """
        v, u = frame(self.size, (0.5, 0.5), self.angle)
        c, s = np.cos(self.angle), np.sin(self.angle)
        v, u = v - (c * dy - s * dx), u - (s * dy + c * dx)
        return (
            v * self.count[0] + self.phase[0] + self.bend_v,
            u * self.count[1] + self.phase[1] + self.bend_u,
        )

    def positions(self, v: NDArray[np.float64], u: NDArray[np.float64]) -> Points:
        """Image positions (y, x) of N lattice points: the inverse of :meth:`cells`."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        bend_v, bend_u = np.zeros_like(v), np.zeros_like(u)
        for _ in range(4):  # a fixed point: the bends are slow, so each round gains a digit
            fv = (v - self.phase[0] - bend_v) / self.count[0]
            fu = (u - self.phase[1] - bend_u) / self.count[1]
            y, x = 0.5 + c * fv + s * fu, 0.5 - s * fv + c * fu
            bend_v, bend_u = sample(self.bend_v, y, x), sample(self.bend_u, y, x)
        return np.stack([y, x], axis=1)


@dataclass(frozen=True)
class Sites:
    """A jittered square lattice of seed points with a random value each."""

    jitter: NDArray[np.float32]
    value: NDArray[np.float64]

    @classmethod
    def draw(cls, rng: np.random.Generator, spread: float) -> "Sites":
        """Seed points spread over ``spread`` of their cell, 1 being all of it."""
        jitter = 0.5 + spread * (rng.random((2, _PERIOD**2)) - 0.5)
        return cls(jitter.astype(np.float32), rng.random(_PERIOD**2))

    def nearest(self, v: Field, u: Field) -> tuple[Field, NDArray[np.intp]]:
        """How much farther the second nearest seed is than the nearest, and the nearest's number.

        The difference is in cells, 0 on the border between two seeds and largest at a seed:
        Worley's F2 - F1 (A cellular texture basis function, SIGGRAPH 1996).
        """
        row, column = np.floor(v), np.floor(u)
        fv, fu = (v - row).astype(np.float32), (u - column).astype(np.float32)
        # Row and column wrap by their low bits; np.intp makes the look-ups below free of a cast.
        rows = [(row.astype(np.intp) + i & _PERIOD - 1) * _PERIOD for i in (-1, 0, 1)]
        columns = [column.astype(np.intp) + j & _PERIOD - 1 for j in (-1, 0, 1)]
        first = np.full(v.shape, 9.0, np.float32)
        second, owner = first.copy(), np.zeros(v.shape, np.intp)
        for i, j in product(range(3), range(3)):
            index = rows[i] + columns[j]
            dv = self.jitter[0].take(index) + (i - 1 - fv)
            du = self.jitter[1].take(index) + (j - 1 - fu)
            away = dv * dv + du * du
            np.minimum(second, np.maximum(first, away), out=second)
            np.copyto(owner, index, where=away < first)
            np.minimum(first, away, out=first)
        return np.sqrt(second, dtype=np.float64) - np.sqrt(first, dtype=np.float64), owner
