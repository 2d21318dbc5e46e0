"""Hide: embossed brown leather, a pebbled grain lit from one side."""

from dataclasses import dataclass

import numpy as np

from aesc.synthetic.fields import (
    Field,
    Points,
    blotch,
    coverage,
    fractal_field,
    frame,
    lighting,
    over,
    shade,
    smooth_curve,
    smooth_field,
    smoothstep,
    tint,
    trace,
    wander,
)
from aesc.synthetic.spec import Image
from aesc.synthetic.textures.surface import Lattice, Sites, texture_category

_LEATHER = np.array((0.52, 0.34, 0.22))
_FLESH = np.array((0.90, 0.78, 0.64))


@dataclass(frozen=True)
class _Hide:
    size: int
    lattice: Lattice
    sites: Sites
    wrinkles: Field
    dye: Field
    sun: float
    light: Image


@dataclass(frozen=True)
class _Grain:
    """The embossed grain: pebble height and furrow depth, both 0 to 1."""

    pebble: Field
    furrow: Field


def _draw(rng: np.random.Generator, size: int) -> _Hide:
    lattice = Lattice.draw(rng, size, 24.0, turn=np.pi, bend=0.35, bend_scale=0.18)
    sites = Sites.draw(rng, 0.95)
    wrinkles = 0.5 * fractal_field(rng, size, 0.25, 3) + 0.3 * smooth_field(rng, size, 0.012)
    dye = 0.035 * fractal_field(rng, size, 0.3, 4)
    sun = rng.uniform(-0.5, 0.5) - 2.2
    return _Hide(size, lattice, sites, wrinkles, dye, sun, lighting(rng, size, 0.2))


def _grain(hide: _Hide, dy: Field | float = 0.0, dx: Field | float = 0.0) -> _Grain:
    v, u = hide.lattice.cells(dy, dx)
    edge, owner = hide.sites.nearest(v, 0.8 * u)
    pebble = smoothstep(0.0, 0.55, edge) * (0.7 + 0.3 * hide.sites.value[owner])
    return _Grain(pebble, smoothstep(0.22, 0.0, edge))


def _leather(
    hide: _Hide, grain: _Grain, height: Field | float = 0.0, worn: Field | float = 0.0
) -> Image:
    """Light the grain on top of a coarse relief ``height`` (fraction of the side)."""
    flat = 1 - 0.75 * worn
    relief = 0.0038 * flat * grain.pebble + 0.0016 * hide.wrinkles + height
    lit = shade(relief, hide.sun, 1.5)
    gloss = 0.16 * flat * np.maximum(0, lit - 1.15)
    dark = 1 - 0.29 * flat * grain.furrow
    return tint(_LEATHER, lit * dark * (1 + hide.dye)) + gloss[..., None]


def _paint(hide: _Hide) -> Image:
    return _leather(hide, _grain(hide)) * hide.light


def _centre(rng: np.random.Generator) -> tuple[float, float]:
    y, x = rng.uniform(0.32, 0.68, 2)
    return y, x


def _line(rng: np.random.Generator, length: float, wiggle: float) -> tuple[Points, float]:
    """A line through the middle of the image and its heading."""
    heading, (y, x) = rng.uniform(0, np.pi), _centre(rng)
    start = (y - 0.5 * length * np.sin(heading), x - 0.5 * length * np.cos(heading))
    return wander(rng, start, heading, length, wiggle), heading


def _cut(rng: np.random.Generator, hide: _Hide) -> Image:
    """A knife cut that gapes and shows the pale flesh side, one lip in shadow."""
    path, heading = _line(rng, rng.uniform(0.32, 0.56), 0.04)
    line = trace(path, hide.size, 0.16)
    gape = rng.uniform(0.028, 0.058) * np.sin(np.pi * line.along) ** 0.7
    gape = gape * (1 + 0.12 * smooth_field(rng, hide.size, 0.03))
    push = np.sign(line.side) * 0.8 * gape * np.exp(-line.distance / 0.07)
    grain = _grain(hide, push * np.cos(heading), -push * np.sin(heading))
    lip = 0.006 * np.exp(-np.maximum(0, line.distance - gape) / 0.012) * (gape > 0.002)
    image = _leather(hide, grain, lip * np.where(line.distance < 0.15, 1, 0))
    fibres = 1 + 0.10 * fractal_field(rng, hide.size, 0.02, 3)
    across = line.side / np.maximum(gape, 1e-4) * np.cos(hide.sun - heading - np.pi / 2)
    deep = 0.92 - 0.36 * np.clip(across, -1, 1)
    image = over(image, tint(_FLESH, fibres * deep), coverage(gape - line.distance))
    return image * hide.light


def _fold(rng: np.random.Generator, hide: _Hide) -> Image:
    """A crease pressed into the hide: a soft ridge with a sharp furrow, the grain drawn in."""
    path, heading = _line(rng, rng.uniform(0.55, 0.85), 0.10)
    line = trace(path, hide.size, 0.16)
    ends = smoothstep(0, 0.2, line.along) * smoothstep(1, 0.8, line.along)
    wide = rng.uniform(0.028, 0.046)
    ridge = np.exp(-(((np.abs(line.side) - 0.8 * wide) / wide) ** 2)) * ends
    gather = -0.55 * line.side * np.exp(-((line.side / (1.6 * wide)) ** 2)) * ends
    grain = _grain(hide, gather * np.cos(heading), -gather * np.sin(heading))
    image = _leather(hide, grain, rng.uniform(0.014, 0.028) * ridge)
    furrow = smoothstep(0.022, 0.004, line.distance) * ends
    return image * (1 - 0.75 * furrow)[..., None] * hide.light


def _pinch(rng: np.random.Generator, hide: _Hide) -> Image:
    """A dent from a blunt point: the grain drawn to it, nothing but relief."""
    cy, cx = _centre(rng)
    v, u = frame(hide.size, (cy, cx), 0.0)
    r = np.hypot(v, u) + 1e-9
    radius = rng.uniform(0.065, 0.10)
    pull = rng.uniform(0.55, 0.75) * np.exp(-((r / radius) ** 2))
    grain = _grain(hide, -pull * v, -pull * u)
    dip = -rng.uniform(0.016, 0.024) * np.exp(-((r / (0.6 * radius)) ** 2))
    rays = (
        0.004
        * np.exp(-((r / radius) ** 2))
        * np.sin(rng.integers(5, 9) * np.arctan2(v, u) + 2 * smooth_field(rng, hide.size, 0.15))
    )
    return _leather(hide, grain, dip + rays * np.minimum(1, r / (0.3 * radius))) * hide.light


def _worn(rng: np.random.Generator, hide: _Hide) -> Image:
    """A place rubbed raw: pale flesh where the pebbles stood, dye left in the furrows."""
    where = blotch(rng, hide.size, _centre(rng), rng.uniform(0.12, 0.19), 0.12, 0.28)
    grain, depth = _grain(hide), rng.uniform(0.65, 1.0)
    raw = smoothstep(0.30, 0.60, where * depth * (0.35 + 0.8 * grain.pebble))
    fibres = 0.86 + 0.10 * fractal_field(rng, hide.size, 0.02, 3)
    image = _leather(hide, grain, 0.0, 0.6 * where)
    return over(image, tint(_FLESH, fibres), 0.9 * raw) * hide.light


def _print(rng: np.random.Generator, hide: _Hide) -> Image:
    """A stamped mark of two or three strokes whose ink has run into the furrows."""
    grain, (cy, cx) = _grain(hide), _centre(rng)
    ink = np.zeros((hide.size, hide.size))
    turn, tall = rng.uniform(0, 2 * np.pi), rng.uniform(0.12, 0.19)
    c, s = np.cos(turn), np.sin(turn)
    for k in (-1, 0, 1)[: rng.integers(2, 4)]:
        knots = rng.uniform(-1, 1, (4, 2)) * (tall, 0.4 * tall) + (0, k * 0.9 * tall)
        knots[:, 0] = np.linspace(-tall, tall, 4) + 0.2 * knots[:, 0]
        points = np.stack(
            [cy + c * knots[:, 0] + s * knots[:, 1], cx - s * knots[:, 0] + c * knots[:, 1]], axis=1
        )
        line = trace(smooth_curve(points), hide.size, 0.06)
        bled = line.distance - 0.016 * grain.furrow - 0.004 * smooth_field(rng, hide.size, 0.03)
        ink = np.maximum(ink, smoothstep(0.039, 0.023, bled))
    patchy = np.clip(0.84 + 0.10 * smooth_field(rng, hide.size, 0.05), 0, 0.97)
    image = _leather(hide, grain)
    return over(image, image * (0.16, 0.18, 0.28), ink * patchy) * hide.light


HIDE = texture_category(
    "hide",
    "Embossed brown leather with a pebbled grain.",
    _draw,
    _paint,
    {"cut": _cut, "fold": _fold, "pinch": _pinch, "worn": _worn, "bled_print": _print},
)
