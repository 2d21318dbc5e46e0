"""Terrazzo: marble chips of two sizes in pale cement, ground and polished."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aesc.synthetic.fields import (
    Field,
    blotch,
    branching_crack,
    coverage,
    fractal_field,
    grid,
    lighting,
    over,
    shade,
    smooth_field,
    smoothstep,
    tint,
    trace,
)
from aesc.synthetic.spec import Image, Mask
from aesc.synthetic.textures.surface import Lattice, Sites, texture_category

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
    large = _chips(rng, v, u, 8.5, presence=0.62, gap=(0.10, 0.38), contrast=0.7)
    small = _chips(rng, 2.7 * v + 5, 2.7 * u + 3, 23.0, presence=0.42, gap=(0.2, 0.5), contrast=0.5)
    veins = fractal_field(rng, size, 0.08, 4, 0.7)
    cement = 0.02 * fractal_field(rng, size, 0.2, 3) + 0.03 * smooth_field(rng, size, 0.007)
    sun = rng.uniform(0, 2 * np.pi)
    return _Floor(size, large, small, veins, cement, sun, lighting(rng, size, 0.14))


def _chips(
    rng: np.random.Generator,
    v: Field,
    u: Field,
    count: float,
    presence: float,
    gap: tuple[float, float],
    contrast: float,
) -> _Chips:
    sites = Sites.draw(rng, 0.95)
    edge, owner = sites.nearest(v, u)
    absent = np.where(sites.value < presence, 0.0, 9.0)
    margin = rng.uniform(*gap, sites.value.size) + absent
    stone = _STONES[rng.choice(len(_STONES), sites.value.size, p=_CHANCES)]
    stone = _CEMENT + contrast * (stone - _CEMENT)
    stone = stone * (1 + 0.05 * rng.standard_normal((sites.value.size, 1)))
    return _Chips((edge - margin[owner]) / (2 * count), owner, stone)


def _paint(floor: _Floor) -> Image:
    image = tint(_CEMENT, 1 + floor.cement)
    for chips in (floor.small, floor.large):
        marble = chips.stone[chips.owner] * (1 + 0.06 * floor.veins)[..., None]
        image = over(image, marble, coverage(chips.inside))
    return image * floor.light


def _centre(rng: np.random.Generator) -> tuple[float, float]:
    y, x = rng.uniform(0.32, 0.68, 2)
    return y, x


def _crack(rng: np.random.Generator, floor: _Floor) -> Image:
    """A branching crack through chips and cement alike, its edges broken out, thin at its ends."""
    image = _paint(floor)
    start = (rng.uniform(0.2, 0.4), rng.uniform(0.2, 0.4))
    if rng.random() < 0.5:
        start = (start[0], 1 - start[1])
    heading = np.arctan2(0.5 - start[0], 0.5 - start[1]) + rng.normal(0, 0.3)
    lines = branching_crack(rng, start, heading, rng.uniform(0.5, 0.75))
    widest = rng.uniform(0.006, 0.015)
    ragged = np.clip(1 + 0.35 * smooth_field(rng, floor.size, 0.02), 0.2, 2)
    chipped, gap = np.zeros((2, floor.size, floor.size))
    for number, line in enumerate(lines):
        # The broken edge ends at three times the opening, which is at most twice the widest: within
        # the reach, beyond which a distance is unknown.
        t = trace(line, floor.size, 6 * widest + 0.005)
        open_ = ragged * (widest * (1.0 if number == 0 else 0.6) * (1 - 0.75 * t.along))
        edge = smoothstep(3 * open_ + 1e-4, open_, t.distance) * (t.side > 0)
        chipped = np.maximum(chipped, edge)
        gap = np.maximum(gap, coverage(open_ - t.distance))
    return over(image * (1 + 0.14 * chipped)[..., None], (0.14, 0.13, 0.12), 0.95 * gap)


def _pit(rng: np.random.Generator, floor: _Floor) -> Image:
    """Chips that have come out, some of the cement with them: rough, dark hollows."""
    size, chips = floor.size, floor.large
    y, x = grid(size)
    where = chips.owner == _some_chip(rng, floor)
    centre = (float(y[where].mean()), float(x[where].mean()))
    loose = blotch(rng, size, centre, rng.uniform(0.04, 0.10), 0.05, 0.5)
    lost = np.zeros(len(chips.stone), dtype=bool)
    lost[chips.owner[(where | (loose > 0.6)) & (chips.inside > 0)]] = True
    away = np.maximum(0.05 * (loose - 0.5), np.where(lost[chips.owner], chips.inside, -1))
    rough = fractal_field(rng, size, 0.03, 4, 0.7)
    height = -0.022 * smoothstep(-0.004, 0.026, away) + 0.0012 * rough
    hollow = tint(0.46 * _CEMENT, (0.2 + 0.8 * shade(height, floor.sun)) * (1 + 0.16 * rough))
    return over(_paint(floor), hollow * floor.light, coverage(away))


def _some_chip(rng: np.random.Generator, floor: _Floor) -> int:
    """A large chip near the middle, neither the smallest nor cut off by the border."""
    size, chips = floor.size, floor.large
    core: Mask = np.zeros((size, size), dtype=bool)
    core[size // 5 : -size // 5, size // 5 : -size // 5] = True
    areas = np.bincount(chips.owner[core & (chips.inside > 0)])
    candidates = np.argsort(areas)[::-1][:8]
    return int(rng.choice(candidates[areas[candidates] >= 0.3 * areas.max()]))


def _mended(rng: np.random.Generator, floor: _Floor) -> Image:
    """A hole filled with plain cement of another colour: no chips, a dark joint around it."""
    size = floor.size
    region = blotch(rng, size, _centre(rng), rng.uniform(0.07, 0.14), 0.06) - 0.5
    colour = np.array((0.40, 0.39, 0.38)) if rng.random() < 0.7 else np.array((0.47, 0.38, 0.31))
    grit = smoothstep(1.2, 1.8, smooth_field(rng, size, 0.012))
    cement = tint(colour * rng.uniform(0.85, 1.35), 1 + 0.07 * floor.veins + 0.35 * grit)
    image = over(_paint(floor), cement * floor.light, coverage(0.06 * region))
    joint = coverage(0.004 - 0.06 * np.abs(region + 0.1))
    return over(image, (0.15, 0.14, 0.13), 0.85 * joint)


def _stain(rng: np.random.Generator, floor: _Floor) -> Image:
    """A spilt liquid that soaked into the cement, darkest at its rim, hardly into marble."""
    size = floor.size
    where = blotch(rng, size, _centre(rng), rng.uniform(0.11, 0.18), 0.12, 0.4)
    wet = smoothstep(0.15, 0.4, where)
    soaked = wet * (0.7 + 0.3 * smoothstep(0.95, 0.5, where)) * (1 + 0.2 * floor.veins)
    stone = np.maximum(coverage(floor.large.inside), coverage(floor.small.inside))
    depth = rng.uniform(0.14, 0.34) * soaked * (1 - 0.85 * stone)
    return _paint(floor) * (1 - depth[..., None] * np.array((0.9, 1.0, 1.15)))


TERRAZZO = texture_category(
    "terrazzo",
    "Polished terrazzo: marble chips of two sizes in pale cement.",
    _draw,
    _paint,
    {"crack": _crack, "lost_chips": _pit, "repair": _mended, "stain": _stain},
    closing=0.03,
)
