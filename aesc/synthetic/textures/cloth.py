"""Cloth: a plain weave of light warp and darker weft yarns, seen from above."""

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
    frame,
    lighting,
    over,
    smooth_curve,
    smooth_field,
    smoothstep,
    tint,
    trace,
    wander,
)
from aesc.synthetic.spec import Image
from aesc.synthetic.textures.surface import Lattice, texture_category

_YARNS = 21
_PERIOD = 64
_WARP = (0.78, 0.74, 0.66)
_WEFT = (0.50, 0.52, 0.57)
_BACKING = (0.10, 0.10, 0.11)


@dataclass(frozen=True)
class _Cloth:
    lattice: Lattice
    slubs: tuple[NDArray[np.float64], NDArray[np.float64]]
    mottle: Field
    light: Image


@dataclass(frozen=True)
class _Gap:
    """A stretch of neighbouring yarns that is not there: numbers, first and last cell along."""

    warp: bool
    yarns: tuple[int, ...]
    first: float
    last: float


def _draw(rng: np.random.Generator, size: int) -> _Cloth:
    lattice = Lattice.draw(rng, size, _YARNS, turn=0.12, bend=0.16, bend_scale=0.22)
    slubs = (_slubs(rng), _slubs(rng))
    mottle = 0.03 * fractal_field(rng, size, 0.3, 3) + 0.03 * smooth_field(rng, size, 0.008)
    return _Cloth(lattice, slubs, mottle, lighting(rng, size, 0.16))


def _slubs(rng: np.random.Generator) -> NDArray[np.float64]:
    """How thick and bright each yarn is along its length; yarn x cell, about 0."""
    yarn = rng.standard_normal((_PERIOD, 1))
    along = ndimage.gaussian_filter1d(rng.standard_normal((_PERIOD, _PERIOD)), 1.2, mode="wrap")
    return 0.6 * yarn + 1.3 * along


def _yarns(
    across: Field, along: Field, slubs: NDArray[np.float64], missing: Field | float
) -> tuple[Field, Field, Field]:
    """One set of parallel yarns: yarn number, roundness (0 beside the yarn) and brightness."""
    number = np.floor(across)
    off = across - number - 0.5
    yarn, cell = number.astype(int) % _PERIOD, np.floor(along).astype(int)
    t = along - cell
    slub = slubs[yarn, cell % _PERIOD] * (1 - t) + slubs[yarn, (cell + 1) % _PERIOD] * t
    half = np.maximum(0.45 * (1 + 0.10 * slub) * (1 - missing), 1e-3)
    roundness = np.sqrt(np.maximum(0.0, 1 - (off / half) ** 2))
    twist = np.sin(2 * np.pi * (1.6 * along + 1.1 * off))
    return number, roundness, (1 + 0.05 * slub + 0.05 * twist) * (1 + 0.25 * off)


def _missing(gap: _Gap | None, warp: bool, across: Field, along: Field) -> Field | float:
    if gap is None or gap.warp != warp:
        return 0.0
    inside = np.minimum(along - gap.first, gap.last - along)
    return np.where(np.isin(np.floor(across), gap.yarns), smoothstep(-0.4, 0.2, inside), 0.0)


def _weave(
    cloth: _Cloth,
    dy: Field | float = 0.0,
    dx: Field | float = 0.0,
    gap: _Gap | None = None,
    rubbed: Field | float = 0.0,
) -> Image:
    """The cloth without light, pushed by (dy, dx), with yarns missing along ``gap``.

    Where ``rubbed`` is 1 the weft is gone and the warp is a thin bare thread.
    """
    v, u = cloth.lattice.cells(dy, dx)
    no_warp, no_weft = _missing(gap, True, u, v), np.maximum(_missing(gap, False, v, u), rubbed)
    # A yarn that nothing crosses is drawn thin.
    warp_gone, weft_gone = np.maximum(no_warp, 0.3 * no_weft), np.maximum(no_weft, 0.3 * no_warp)
    warp, warp_round, warp_bright = _yarns(u, v, cloth.slubs[0], warp_gone)
    weft, weft_round, weft_bright = _yarns(v, u, cloth.slubs[1], weft_gone)
    # Plain weave: each yarn rises and dips once every two crossings, its neighbours the reverse.
    warp_rise = np.cos(np.pi * (v - 0.5 + warp))
    weft_rise = -np.cos(np.pi * (u - 0.5 + weft))
    warp_high = np.where(warp_round > 0, warp_rise + 0.9 * warp_round, -9.0)
    weft_high = np.where(weft_round > 0, weft_rise + 0.9 * weft_round, -9.0)
    warp_image = tint(_WARP, _lit(warp_bright, warp_round, warp_rise))
    weft_image = tint(_WEFT, _lit(weft_bright, weft_round, weft_rise))
    top = np.where((warp_high > weft_high)[..., None], warp_image, weft_image)
    bare = np.maximum(warp_high, weft_high) < -8
    return np.where(bare[..., None], np.asarray(_BACKING), top)


def _lit(bright: Field, roundness: Field, rise: Field) -> Field:
    return bright * (0.52 + 0.44 * roundness) * (0.86 + 0.18 * rise)


def _expose(cloth: _Cloth, woven: Image) -> Image:
    return woven * cloth.light * (1 + cloth.mottle)[..., None]


def _paint(cloth: _Cloth) -> Image:
    return _expose(cloth, _weave(cloth))


def _strand(image: Image, points: Points, half_width: float, colour: tuple[float, ...]) -> Image:
    """Lay a loose round strand with its shadow over the image; only its surroundings are drawn."""
    size, reach = image.shape[0], 4 * half_width
    span = float(np.ptp(points, axis=0).max()) + 2 * reach
    side = min(size, 32 * int(np.ceil((span * size + 1) / 32)))
    top, left = np.clip((points.min(axis=0) - reach) * size, 0, size - side).astype(int)
    box = (slice(top, top + side), slice(left, left + side))
    line = trace((points * size - (top, left)) / side, side, reach * size / side)
    half_width = half_width * size / side
    shaded = image[box] * (1 - 0.45 * smoothstep(3.2 * half_width, 0, line.distance))[..., None]
    roundness = np.sqrt(np.maximum(0, 1 - (line.distance / (1.15 * half_width)) ** 2))
    twist = 1 + 0.10 * np.sin(line.along * 60 + line.side / half_width * 2)
    lit = tint(colour, twist * (0.5 + 0.55 * roundness))
    image = image.copy()
    image[box] = over(shaded, lit, coverage(half_width - line.distance))
    return image


def _cut(rng: np.random.Generator, cloth: _Cloth) -> Image:
    """A slit that gapes: the weave drawn aside, the dark backing, frayed ends."""
    size = cloth.lattice.size
    heading, length = rng.uniform(0, np.pi), rng.uniform(0.32, 0.56)
    middle = rng.uniform(0.38, 0.62, 2)
    start = middle - 0.5 * length * np.array([np.sin(heading), np.cos(heading)])
    path = wander(rng, (start[0], start[1]), heading, length, wiggle=0.06)
    line = trace(path[::2], size, 0.18)
    spindle = rng.uniform(0.03, 0.068) * np.sin(np.pi * line.along) ** 0.8
    gape = spindle * (1 + 0.22 * smooth_field(rng, size, 0.018))
    push = np.sign(line.side) * 0.8 * spindle * np.exp(-((line.distance / 0.07) ** 2))
    woven = _weave(cloth, push * np.cos(heading), -push * np.sin(heading))
    woven = over(woven, _BACKING, coverage(gape - line.distance))
    for _ in range(rng.integers(7, 13)):
        knot = path[rng.integers(3, len(path) - 3)]
        end = wander(rng, (knot[0], knot[1]), rng.uniform(0, 2 * np.pi), 0.07, 0.4, 6)
        colour = _WARP if rng.random() < 0.6 else _WEFT
        woven = _strand(woven, end, rng.uniform(0.003, 0.006), colour)
    return _expose(cloth, woven)


def _missing_yarn(rng: np.random.Generator, cloth: _Cloth) -> Image:
    """One or two neighbouring yarns end and start again: the crossing ones lie bare."""
    v, u = cloth.lattice.cells()
    size, warp = cloth.lattice.size, bool(rng.random() < 0.5)
    row, column = rng.integers(size // 4, 3 * size // 4, 2)
    across, along = (u, v) if warp else (v, u)
    middle, half = along[row, column], rng.uniform(3.5, 8.0)
    yarn, count = int(np.floor(across[row, column])), int(rng.integers(1, 3))
    gap = _Gap(warp, tuple(range(yarn, yarn + count)), middle - half, middle + half)
    return _expose(cloth, _weave(cloth, gap=gap))


def _snag(rng: np.random.Generator, cloth: _Cloth) -> Image:
    """A pulled thread: its loop stands out and the weave is gathered along the yarn."""
    size, lattice = cloth.lattice.size, cloth.lattice
    centre = rng.uniform(0.35, 0.65, 2)
    turn = lattice.angle if rng.random() < 0.5 else lattice.angle + np.pi / 2
    v, u = frame(size, (centre[0], centre[1]), -turn)
    reach = rng.uniform(0.18, 0.3)
    gather = -0.03 * np.tanh(v / 0.03) * np.exp(-((v / 0.06) ** 2) - (u / reach) ** 2)
    woven = _weave(cloth, gather * np.cos(turn), gather * np.sin(turn))
    tight = np.exp(-((v / 0.012) ** 2) - (u / reach) ** 2)
    woven = woven * (1 - 0.7 * tight)[..., None]
    width, rise = rng.uniform(0.04, 0.08), rng.choice([-1, 1]) * rng.uniform(0.08, 0.15)
    loop = np.array([[0, -1.0], [0.5, -1.25], [1, -0.3], [0.85, 0.7], [0.3, 0.9], [0, 0.35]])
    along, aside = loop[:, 1] * width, loop[:, 0] * rise
    c, s = np.cos(turn), np.sin(turn)
    points = np.stack([centre[0] + c * aside - s * along, centre[1] + s * aside + c * along], 1)
    woven = _strand(woven, smooth_curve(points), 0.013, _WARP if rng.random() < 0.5 else _WEFT)
    return _expose(cloth, woven)


def _worn(rng: np.random.Generator, cloth: _Cloth) -> Image:
    """A place worn through: bare warp threads over the dark backing, a pale fuzzy rim."""
    size = cloth.lattice.size
    centre = rng.uniform(0.32, 0.68, 2)
    radius = rng.uniform(0.12, 0.185)
    hole = blotch(rng, size, (centre[0], centre[1]), radius, 0.05, 0.34)
    woven = _weave(cloth, rubbed=np.clip(1.3 * hole, 0, 1))
    rim = 4 * hole * (1 - hole)
    fuzz = tint((0.86, 0.83, 0.77), 1 + 0.14 * smooth_field(rng, size, (0.03, 0.008)))
    return _expose(cloth, over(woven, fuzz, 0.55 * rim))


CLOTH = texture_category(
    "cloth",
    "A plain weave of light warp and darker weft yarns.",
    _draw,
    _paint,
    {"cut": _cut, "missing_yarn": _missing_yarn, "snag": _snag, "worn": _worn},
    closing=0.032,
)
