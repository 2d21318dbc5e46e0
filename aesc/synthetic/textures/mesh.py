"""Mesh: a woven steel wire cloth over a pale card, with the shadow it casts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from aesc.synthetic.fields import (
    Field,
    Points,
    blotch,
    coverage,
    fractal_field,
    lighting,
    over,
    shade,
    smooth_field,
    smoothstep,
    tint,
    trace,
)
from aesc.synthetic.spec import Image
from aesc.synthetic.textures.surface import Lattice, texture_category

_WIRES = 8.5
_HALF = 0.145
"""Half a wire's thickness, in cells."""
_PERIOD = 32
_CARD = (0.66, 0.67, 0.66)
_STEEL = (0.56, 0.57, 0.60)


@dataclass(frozen=True)
class _Mesh:
    lattice: Lattice
    offsets: NDArray[np.float64]
    gloss: NDArray[np.float64]
    card: Field
    dirt: Field
    sun: float
    light: Image


@dataclass(frozen=True)
class _Erased:
    """A stretch of one wire along v (``upright``) or along u that is not drawn."""

    upright: bool
    wire: int
    first: float
    last: float


@dataclass(frozen=True)
class _Layer:
    """One set of wires: where they cover, how bright they are, how high they lie."""

    alpha: Field
    bright: Field
    height: Field


def _draw(rng: np.random.Generator, size: int) -> _Mesh:
    lattice = Lattice.draw(rng, size, _WIRES, turn=0.16, bend=0.05, bend_scale=0.35)
    offsets = 0.035 * rng.standard_normal((2, _PERIOD))
    gloss = 1 + 0.05 * rng.standard_normal((2, _PERIOD))
    card = 1 + 0.025 * fractal_field(rng, size, 0.25, 5, 0.7)
    dirt = 1 + 0.05 * smooth_field(rng, size, 0.02)
    sun = rng.uniform(-0.4, 0.4) - 2.1
    return _Mesh(lattice, offsets, gloss, card, dirt, sun, lighting(rng, size, 0.2))


def _rounded(off: Field, gloss: Field | float) -> Field:
    """Brightness of a lit round wire, ``off`` its axis in half thicknesses (-1 to 1)."""
    round_ = np.sqrt(np.maximum(0, 1 - off**2))
    return gloss * (0.40 + 0.48 * round_ - 0.20 * off) + 0.68 * np.exp(-(((off + 0.32) / 0.2) ** 2))


def _layer(mesh: _Mesh, upright: bool, v: Field, u: Field, erased: _Erased | None) -> _Layer:
    across, along = (u, v) if upright else (v, u)
    wire = np.round(across)
    number = wire.astype(int) % _PERIOD
    crimp = np.cos(np.pi * (along + wire)) * (1 if upright else -1)
    off = across - wire - mesh.offsets[int(upright)][number]
    inside = _HALF - np.abs(off)
    if erased is not None and erased.upright == upright:
        gone = np.minimum(along - erased.first, erased.last - along)
        inside = np.where(wire == erased.wire, np.minimum(inside, -gone), inside)
    alpha = coverage(inside / mesh.lattice.count[0])
    bright = _rounded(off / _HALF, mesh.gloss[int(upright)][number]) * (0.86 + 0.16 * crimp)
    return _Layer(alpha, bright, crimp)


def _loose(mesh: _Mesh, points: Points, crimp: Field | float) -> _Layer:
    """A wire forced out of its place and rubbed bright, along the line through the points."""
    half = _HALF / mesh.lattice.count[0]
    line = trace(points, mesh.lattice.size, 2 * half)
    bright = _rounded(line.side / half, 1.3) * (0.86 + 0.16 * crimp)
    return _Layer(coverage(half - line.distance), bright, crimp + np.zeros_like(bright))


def _stack(layers: list[_Layer]) -> _Layer:
    """Merge layers, the higher one in front at every pixel."""
    below = layers[0]
    for layer in layers[1:]:
        front = np.where(layer.height >= below.height, layer.alpha, layer.alpha * (1 - below.alpha))
        bright = below.bright + front * (layer.bright - below.bright)
        back = np.where(below.alpha > 0, bright, layer.bright)
        alpha = np.maximum(below.alpha, layer.alpha)
        below = _Layer(alpha, back, np.maximum(layer.height, below.height))
    return below


def _paint(
    mesh: _Mesh,
    erased: _Erased | None = None,
    loose: tuple[_Layer, ...] = (),
    rust: Field | None = None,
) -> Image:
    v, u = mesh.lattice.cells()
    layers = [_layer(mesh, upright, v, u, erased) for upright in (False, True)]
    wires = _stack([*layers, *loose])
    steel = tint(_STEEL, wires.bright * mesh.dirt)
    if rust is not None:
        scaly = (0.25 + 0.4 * wires.bright) * (0.4 + rust)
        steel = over(steel, tint((0.30, 0.15, 0.08), scaly), rust)
    card = tint(_CARD, mesh.card * (1 - 0.5 * _shadow(mesh, wires.alpha)))
    if rust is not None:
        card = over(card, card * (0.80, 0.56, 0.40), 0.9 * rust**2)
    return over(card, steel, wires.alpha) * mesh.light


def _shadow(mesh: _Mesh, alpha: Field) -> Field:
    size = mesh.lattice.size
    away = 0.028 * size
    shift = (-away * np.sin(mesh.sun), -away * np.cos(mesh.sun))
    soft = ndimage.gaussian_filter(alpha, 0.009 * size, truncate=2.5)
    return ndimage.shift(soft, shift, order=1, mode="nearest")


def _pick(rng: np.random.Generator, mesh: _Mesh) -> tuple[bool, int, float]:
    """A wire that crosses the middle of the image, and a place along it."""
    v, u = mesh.lattice.cells()
    row, column = rng.integers(3 * mesh.lattice.size // 10, 7 * mesh.lattice.size // 10, 2)
    upright = bool(rng.random() < 0.5)
    across, along = (u, v) if upright else (v, u)
    return upright, round(across[row, column]), float(along[row, column])


def _line(mesh: _Mesh, upright: bool, across: Field, along: Field) -> Points:
    v, u = (along, across) if upright else (across, along)
    return mesh.lattice.positions(v, u)


def _crimp(mesh: _Mesh, upright: bool, wire: int) -> Field:
    """The rise and fall the wire would have had in its place, so that it stays woven in."""
    v, u = mesh.lattice.cells()
    return np.cos(np.pi * ((v if upright else u) + wire)) * (1 if upright else -1)


def _bent(rng: np.random.Generator, mesh: _Mesh) -> Image:
    """A wire pushed sideways between its crossings: one cell wider, the next narrower."""
    upright, wire, middle = _pick(rng, mesh)
    half, push = rng.uniform(2.4, 4.2), rng.choice([-1, 1]) * rng.uniform(0.5, 1.5)
    along = np.linspace(middle - half, middle + half, 40)
    home = wire + mesh.offsets[int(upright)][wire % _PERIOD]
    across = home + push * np.cos(np.pi * (along - middle) / (2 * half)) ** 2
    erased = _Erased(upright, wire, along[0], along[-1])
    line = _line(mesh, upright, across, along)
    return _paint(mesh, erased, (_loose(mesh, line, _crimp(mesh, upright, wire)),))


def _broken(rng: np.random.Generator, mesh: _Mesh) -> Image:
    """A wire that has snapped: a gap, and its two ends sprung out of line."""
    upright, wire, middle = _pick(rng, mesh)
    gap = rng.uniform(1.0, 2.6)
    home = wire + mesh.offsets[int(upright)][wire % _PERIOD]
    ends, tail = [], rng.uniform(1.2, 2.3, 2)
    for side, length in zip((-1, 1), tail, strict=True):
        t = np.linspace(0, 1, 16)
        across = home + rng.choice([-1, 1]) * rng.uniform(0.4, 1.5) * t**2
        along = middle + side * (gap / 2 + length * (1 - t))
        line = _line(mesh, upright, across, along)
        ends.append(_loose(mesh, line, _crimp(mesh, upright, wire)))
    erased = _Erased(upright, wire, middle - gap / 2 - tail[0], middle + gap / 2 + tail[1])
    return _paint(mesh, erased, tuple(ends))


def _clogged(rng: np.random.Generator, mesh: _Mesh) -> Image:
    """Two to five cells filled with dark pitch, its surface sagging between the wires."""
    size = mesh.lattice.size
    v, u = mesh.lattice.cells()
    row, column = rng.integers(3 * size // 10, 7 * size // 10, 2)
    cell = np.floor(v[row, column]), np.floor(u[row, column])
    steps = rng.permutation([(0, 0), (0, 1), (1, 0), (1, 1), (0, -1)])[: rng.integers(2, 6)]
    inside = np.full((size, size), -9.0)
    for step in steps:
        dv = np.abs(v - cell[0] - step[0] - 0.5)
        du = np.abs(u - cell[1] - step[1] - 0.5)
        inside = np.maximum(inside, 0.56 - (dv**6 + du**6) ** (1 / 6))
    inside = inside + 0.05 * smooth_field(rng, size, 0.05)
    sag = smoothstep(0.0, 0.45, inside) + 0.12 * smooth_field(rng, size, 0.04)
    lit = shade(-0.018 * sag, mesh.sun, 1.5)
    lit = lit * (1 + 0.14 * fractal_field(rng, size, 0.06, 3))
    gloss = np.clip(lit - 1.25, 0, 0.6)
    pitch = (tint((0.27, 0.25, 0.24), lit) + gloss[..., None]) * mesh.light
    return over(_paint(mesh), pitch, coverage(inside / mesh.lattice.count[0]))


def _corroded(rng: np.random.Generator, mesh: _Mesh) -> Image:
    """A patch of wires under dark scaly rust, which has run on to the card behind."""
    size = mesh.lattice.size
    centre = rng.uniform(0.3, 0.7, 2)
    where = blotch(rng, size, (centre[0], centre[1]), rng.uniform(0.12, 0.185), 0.08, 0.30)
    scale = 0.85 + 0.4 * fractal_field(rng, size, 0.03, 2)
    return _paint(mesh, rust=np.clip(where * scale, 0, 1) * rng.uniform(0.75, 1.0))


MESH = texture_category(
    "mesh",
    "A woven steel wire cloth over a pale card, with its shadow.",
    _draw,
    _paint,
    {"bent_wire": _bent, "broken_wire": _broken, "clogged": _clogged, "corroded": _corroded},
)
