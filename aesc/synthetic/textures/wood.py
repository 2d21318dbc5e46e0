"""Wood: a flat-sawn, fine-planed softwood board, grain running up the image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aesc.synthetic.fields import (
    Field,
    coverage,
    fractal_field,
    frame,
    lighting,
    over,
    shade,
    smooth_field,
    smoothstep,
    tint,
    trace,
    wander,
)
from aesc.synthetic.spec import Image
from aesc.synthetic.textures.surface import texture_category

_PALE = np.array((0.84, 0.68, 0.47))
_DARK = np.array((0.58, 0.38, 0.21))
_PERIOD = 128


@dataclass(frozen=True)
class _Board:
    v: Field
    u: Field
    angle: float
    pith: tuple[float, float]
    rings: float
    strength: NDArray[np.float64]
    stray: Field
    fibre: Field
    pores: Field
    sun: float
    light: Image


def _draw(rng: np.random.Generator, size: int) -> _Board:
    angle = rng.uniform(-0.07, 0.07)
    v, u = frame(size, (0.5, 0.5), angle)
    pith, rings = (rng.uniform(-1.5, 1.5), rng.uniform(-0.55, 0.55)), rng.uniform(15, 19)
    strength = rng.uniform(0.55, 1.0, _PERIOD)
    stray = 0.022 * smooth_field(rng, size, (0.6, 0.22)) + 0.006 * smooth_field(
        rng, size, (0.2, 0.08)
    )
    fibre = 0.6 * smooth_field(rng, size, (0.3, 0.007)) + 0.6 * smooth_field(
        rng, size, (0.1, 0.004)
    )
    pores = smoothstep(1.5, 2.4, smooth_field(rng, size, (0.045, 0.005)))
    sun = rng.uniform(0, 2 * np.pi)
    return _Board(
        v, u, angle, pith, rings, strength, stray, fibre, pores, sun, lighting(rng, size, 0.16)
    )


def _grain(board: _Board, push_u: Field | float = 0.0) -> Field:
    """Share of late wood, 0 pale to 1 dark; ``push_u`` is how far the grain was led aside."""
    u = board.u - push_u + board.stray - board.pith[1]
    v = 0.10 * (board.v - board.pith[0])
    ring = board.rings * np.sqrt(u**2 + v**2 + 0.0004)
    number = np.floor(ring)
    phase = ring - number
    late = smoothstep(0.15, 0.9, phase) * smoothstep(1.0, 0.93, phase)
    return late * board.strength[number.astype(int) % _PERIOD]


def _colour(board: _Board, late: Field) -> Image:
    wood = _PALE + (0.62 * late)[..., None] * (_DARK - _PALE)
    bright = (1 + 0.04 * board.fibre) * (1 - 0.20 * board.pores * (0.5 + 0.5 * late))
    return wood * bright[..., None]


def _paint(board: _Board) -> Image:
    return _colour(board, _grain(board)) * board.light


def _centre(rng: np.random.Generator, low: float = 0.3, high: float = 0.7) -> tuple[float, float]:
    y, x = rng.uniform(low, high, 2)
    return y, x


def _knot(rng: np.random.Generator, board: _Board) -> Image:
    """A branch cut across: its own rings, a dark rim, the grain flowing around it."""
    size = board.u.shape[0]
    v, u = frame(size, _centre(rng), board.angle + rng.normal(0, 0.15))
    radius, tall = rng.uniform(0.045, 0.10), rng.uniform(1.1, 1.5)
    ragged = 1 + 0.07 * smooth_field(rng, size, 0.08)
    r = np.hypot(v / tall, u) * ragged / radius
    push = 0.9 * radius * np.tanh(2 * u / radius) * np.exp(-((v / (2.4 * radius)) ** 2))
    push *= np.exp(-np.maximum(0, np.abs(u) - radius) / (0.7 * radius))
    late = _grain(board, push) + 0.5 * smoothstep(1.7, 1.0, r)
    wood = _colour(board, late)
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (3.6 * r + 0.25 * smooth_field(rng, size, 0.05)))
    heart = tint(
        (0.44, 0.26, 0.14),
        (0.80 + 0.28 * rings) * (1 + 0.05 * board.fibre) - 0.25 * smoothstep(0.4, 0, r),
    )
    wood = over(wood, heart, smoothstep(1.04, 0.94, r))
    bark = np.clip(0.75 + 0.3 * smooth_field(rng, size, 0.06), 0, 1)
    wood = over(wood, (0.22, 0.12, 0.07), bark * np.exp(-(((r - 1) / 0.11) ** 2)))
    turn = rng.uniform(0, 2 * np.pi)
    theta = np.arctan2(v, u) - turn
    check = coverage(0.018 * (1 - r) * radius / 0.06 - np.abs(np.sin(theta)) * r * radius)
    check = check * (np.cos(theta) > 0)
    return over(wood, (0.10, 0.06, 0.04), 0.8 * check) * board.light


def _split(rng: np.random.Generator, board: _Board) -> Image:
    """A drying crack along the grain that tapers out, with splinters leaving it."""
    size = board.u.shape[0]
    heading = -np.pi / 2 - board.angle + rng.normal(0, 0.05)
    start = (rng.uniform(0.6, 0.85), rng.uniform(0.3, 0.7))
    wood = _colour(board, _grain(board))
    trunk = wander(rng, start, heading, rng.uniform(0.4, 0.65), wiggle=0.10, steps=20)
    widest = rng.uniform(0.008, 0.024)
    lines = [(trunk, widest)]
    for _ in range(rng.integers(1, 4)):
        knot = trunk[rng.integers(3, 17)]
        side = heading + rng.choice([-1, 1]) * rng.uniform(0.12, 0.35)
        splinter = wander(rng, (knot[0], knot[1]), side, rng.uniform(0.1, 0.2), 0.12, 8)
        lines.append((splinter, 0.4 * widest))
    for line, width in lines:
        t = trace(line, size, 0.07)
        open_ = width * np.sin(np.pi * np.clip(t.along, 0.02, 0.98)) ** 0.7
        open_ = open_ * np.clip(1 + 0.25 * smooth_field(rng, size, 0.02), 0.2, 2)
        edge = smoothstep(2.0 * open_ + 0.003, open_, t.distance) * (t.side > 0)
        wood = wood * (1 + 0.20 * edge)[..., None]
        wood = over(wood, (0.13, 0.08, 0.05), coverage(open_ - t.distance))
    return wood * board.light


def _gallery(rng: np.random.Generator, board: _Board) -> Image:
    """A worm's gallery laid bare by the plane: a winding groove half full of pale dust."""
    size = board.u.shape[0]
    heading = rng.uniform(-2.6, -0.5)
    start = (rng.uniform(0.5, 0.7), rng.uniform(0.4, 0.6))
    main = wander(rng, start, heading, rng.uniform(0.32, 0.5), wiggle=0.28, steps=24)
    fork = main[rng.integers(6, 14)]
    turn = heading + rng.choice([-1, 1]) * rng.uniform(0.7, 1.2)
    side = wander(rng, (fork[0], fork[1]), turn, rng.uniform(0.1, 0.2), wiggle=0.25, steps=12)
    wood = _colour(board, _grain(board))
    widest = rng.uniform(0.014, 0.025)
    dust = tint((0.50, 0.36, 0.23), 0.92 + 0.14 * fractal_field(rng, size, 0.03, 3))
    for line, half in ((side, 0.6 * widest), (main, widest)):
        t = trace(line, size, 4 * half)
        ragged = half * (1 + 0.2 * smooth_field(rng, size, 0.025)) * (1 - 0.5 * t.along**3)
        deep = smoothstep(0.2, 1.0, t.distance / ragged)
        lit = np.clip(np.cos(board.sun - heading - np.pi / 2) * t.side / half, -1, 1)
        groove = dust * ((1 - 0.6 * deep) * (1 - 0.35 * lit))[..., None]
        wood = over(wood, groove, coverage(ragged - t.distance))
    return wood * board.light


def _dent(rng: np.random.Generator, board: _Board) -> Image:
    """A blow with a tool's edge: the fibres pressed down, seen by their shading only."""
    size = board.u.shape[0]
    v, u = frame(size, _centre(rng), rng.uniform(0, np.pi))
    half, long = rng.uniform(0.022, 0.037), rng.uniform(0.07, 0.15)
    outline = np.hypot(np.maximum(0, np.abs(u) - long + half), v) + 0.004 * smooth_field(
        rng, size, 0.05
    )
    height = -0.011 * smoothstep(1.15 * half, 0.35 * half, outline)
    pressed = smoothstep(half, 0.5 * half, outline)
    wood = _colour(board, _grain(board, 0.012 * pressed * np.sign(np.sin(board.sun))))
    crushed = 1 - 0.10 * pressed
    return wood * (shade(height, board.sun, 1.1) * crushed)[..., None] * board.light


def _blue_stain(rng: np.random.Generator, board: _Board) -> Image:
    """Fungus in the sapwood: dark blue-grey streaks along the grain, sharp against each other."""
    size = board.u.shape[0]
    v, u = frame(size, _centre(rng), board.angle)
    wide, long = rng.uniform(0.05, 0.11), rng.uniform(0.2, 0.42)
    where = np.exp(-((u / wide) ** 2) - (v / long) ** 2)
    streaks = smooth_field(rng, size, (0.3, 0.02)) + 0.5 * smooth_field(rng, size, (0.08, 0.008))
    streaked = smoothstep(0.38, 0.62, where + 0.3 * streaks * np.sqrt(where))
    wood = _colour(board, _grain(board))
    grey = wood.mean(axis=2, keepdims=True) * np.array((0.44, 0.48, 0.50))
    return over(wood, grey, streaked * rng.uniform(0.4, 0.9)) * board.light


WOOD = texture_category(
    "wood",
    "A planed softwood board, the grain running up the image.",
    _draw,
    _paint,
    {
        "knot": _knot,
        "split": _split,
        "gallery": _gallery,
        "dent": _dent,
        "blue_stain": _blue_stain,
    },
)
