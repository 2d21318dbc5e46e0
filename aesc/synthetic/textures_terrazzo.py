"""Terrazzo: marble chips of two sizes in pale cement, ground and polished."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from aesc.synthetic.fields import (
    Field,
    blotch,
    branching_crack,
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
from aesc.synthetic.spec import Image, Mask
from aesc.synthetic.textures_common import Lattice, Sites, texture

_CEMENT = np.array((0.76, 0.74, 0.70))
_STONES = np.array(
    [
        (0.93, 0.92, 0.89),
        (0.86, 0.83, 0.77),
        (0.55, 0.54, 0.53),
        (0.30, 0.30, 0.31),
        (0.66, 0.53, 0.40),
        (0.58, 0.36, 0.28),
    ]
)
_CHANCES = np.array([0.24, 0.18, 0.20, 0.14, 0.14, 0.10])


@dataclass(frozen=True)
class _Chips:
    """One size of chip: how far inside a chip every pixel is (fraction of the side), its number."""

    inside: Field
    owner: NDArray[np.intp]
    stone: NDArray[np.float64]


@dataclass(frozen=True)
class _Floor:
    size: int
    large: _Chips
    small: _Chips
    veins: Field
    cement: Field
    sun: float
    light: Image


def _draw(rng: np.random.Generator, size: int) -> _Floor:
    lattice = Lattice.draw(rng, size, 8.5, turn=np.pi, bend=0.07, bend_scale=0.05)
    v, u = lattice.cells()
    large = _chips(rng, v, u, 8.5, presence=0.62, gap=(0.10, 0.38))
    small = _chips(rng, 2.7 * v + 5, 2.7 * u + 3, 23.0, presence=0.42, gap=(0.2, 0.5))
    veins = fractal_field(rng, size, 0.08, 4, 0.7)
    cement = 0.02 * fractal_field(rng, size, 0.2, 3) + 0.05 * smooth_field(rng, size, 0.007)
    sun = rng.uniform(0, 2 * np.pi)
    return _Floor(size, large, small, veins, cement, sun, lighting(rng, size, 0.14))


def _chips(
    rng: np.random.Generator,
    v: Field,
    u: Field,
    count: float,
    presence: float,
    gap: tuple[float, float],
) -> _Chips:
    sites = Sites.draw(rng, 0.95)
    edge, owner = sites.nearest(v, u)
    absent = np.where(sites.value < presence, 0.0, 9.0)
    margin = rng.uniform(*gap, sites.value.size) + absent
    stone = _STONES[rng.choice(len(_STONES), sites.value.size, p=_CHANCES)]
    stone = stone * (1 + 0.05 * rng.standard_normal((sites.value.size, 1)))
    return _Chips((edge - margin[owner]) / (2 * count), owner, stone)


def _paint(floor: _Floor, bare: Field | None = None) -> Image:
    """The polished floor; ``bare`` is negative where chips are left out."""
    image = tint(_CEMENT, 1 + floor.cement)
    for chips in (floor.small, floor.large):
        inside = chips.inside if bare is None else np.minimum(chips.inside, _kept(chips, bare))
        marble = chips.stone[chips.owner] * (1 + 0.06 * floor.veins)[..., None]
        image = over(image, marble, coverage(inside))
    return image * floor.light


def _kept(chips: _Chips, bare: Field) -> Field:
    """+1 on whole chips that stay, -1 on those that touch the bare region."""
    touched = np.unique(chips.owner[(bare < 0) & (chips.inside > 0)])
    return np.where(np.isin(chips.owner, touched), -1.0, 1.0)


def _centre(rng: np.random.Generator) -> tuple[float, float]:
    y, x = rng.uniform(0.32, 0.68, 2)
    return y, x


def _crack(rng: np.random.Generator, floor: _Floor) -> Image:
    """A branching crack through chips and cement alike, hardly wider than a hair at its ends."""
    image = _paint(floor)
    start = (rng.uniform(0.2, 0.4), rng.uniform(0.2, 0.4))
    if rng.random() < 0.5:
        start = (start[0], 1 - start[1])
    heading = np.arctan2(0.5 - start[0], 0.5 - start[1]) + rng.normal(0, 0.3)
    lines = branching_crack(rng, start, heading, rng.uniform(0.4, 0.65))
    widest = rng.uniform(0.0035, 0.0065)
    for number, line in enumerate(lines):
        t = trace(line, floor.size, 0.03)
        open_ = widest * (1.0 if number == 0 else 0.6) * (1 - 0.75 * t.along)
        open_ = open_ * np.clip(1 + 0.35 * smooth_field(rng, floor.size, 0.02), 0.2, 2)
        chipped = smoothstep(3 * open_ + 1e-4, open_, t.distance) * (t.side > 0)
        image = image * (1 + 0.10 * chipped)[..., None]
        image = over(image, (0.20, 0.19, 0.18), 0.9 * coverage(open_ - t.distance))
    return image


def _pit(rng: np.random.Generator, floor: _Floor) -> Image:
    """A chip that has come out: its hollow in the cement, rough and shaded."""
    size, owner = floor.size, floor.large.owner
    lost = _some_chip(rng, floor)
    away = np.where(owner == lost, floor.large.inside, -1.0)
    away = away + 0.006 * np.where(away > -0.5, smooth_field(rng, size, 0.03), 0)
    rough = fractal_field(rng, size, 0.03, 4, 0.7)
    height = -0.016 * smoothstep(-0.004, 0.026, away) + 0.0008 * rough
    hollow = tint(0.66 * _CEMENT, (0.3 + 0.7 * shade(height, floor.sun)) * (1 + 0.10 * rough))
    return over(_paint(floor), hollow * floor.light, coverage(away))


def _some_chip(rng: np.random.Generator, floor: _Floor) -> int:
    """A large chip near the middle, neither the smallest nor cut off by the border."""
    size, chips = floor.size, floor.large
    core: Mask = np.zeros((size, size), dtype=bool)
    core[size // 5 : -size // 5, size // 5 : -size // 5] = True
    areas = np.bincount(chips.owner[core & (chips.inside > 0)])
    candidates = np.argsort(areas)[::-1][:8]
    return int(rng.choice(candidates[areas[candidates] >= 0.3 * areas.max()]))


def _bare(rng: np.random.Generator, floor: _Floor) -> Image:
    """A place where the mix held no chips: cement only."""
    region = blotch(rng, floor.size, _centre(rng), rng.uniform(0.09, 0.14), 0.02)
    return _paint(floor, 0.5 - region)


def _dull(rng: np.random.Generator, floor: _Floor) -> Image:
    """Polish worn off: the same chips, paler and with less contrast, full of fine pits."""
    size = floor.size
    where = blotch(rng, size, _centre(rng), rng.uniform(0.12, 0.19), 0.10)
    image = _paint(floor)
    haze = ndimage.gaussian_filter(image, (0.006 * size, 0.006 * size, 0))
    haze = over(haze, _CEMENT * 0.97, np.full((size, size), 0.38))
    pits = smoothstep(1.0, 2.2, smooth_field(rng, size, 0.009))
    haze = haze * (1 - 0.18 * pits)[..., None]
    return over(image, haze, where * rng.uniform(0.75, 1.0))


TERRAZZO = texture(
    "terrazzo",
    "Polished terrazzo: marble chips of two sizes in pale cement.",
    _draw,
    _paint,
    {"crack": _crack, "lost_chip": _pit, "bare_patch": _bare, "dull_patch": _dull},
    closing=0.03,
)
