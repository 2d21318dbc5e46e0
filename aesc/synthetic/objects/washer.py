"""The category ``washer``: a turned metal washer on a dark mat, seen from above.

Turning leaves circular grooves, so a lamp shows as a bright sector where the groove lies across
the direction of the light instead of as a spot (Kajiya and Kay's model of shiny threads, 1989).
"""

from dataclasses import dataclass

import numpy as np

from aesc.synthetic.fields import (
    Field,
    branching_crack,
    coverage,
    fractal_field,
    lighting,
    over,
    sample,
    smooth_curve,
    smooth_field,
    smoothstep,
    tint,
    trace,
)
from aesc.synthetic.objects.shapes import (
    Pose,
    box_inside,
    cast,
    facing,
    halfway,
    lamp,
    normals,
    object_category,
    shard_inside,
)
from aesc.synthetic.spec import Image

_MAT = (0.15, 0.165, 0.18)
_STEEL = (0.98, 0.985, 1.0)
_RUST = (0.24, 0.125, 0.065)
_FLAKE = (0.66, 0.38, 0.19)
_CHAMFER = 0.022


@dataclass(frozen=True, eq=False)
class _Scene:
    side: int
    pose: Pose
    outer: float
    inner: float
    lamps: tuple[float, float]  # where the two lamps stand, radians
    gloss: float
    grooves: Field
    mat: Field
    light: Image
    break_up: Field  # used by defects only, drawn here so that the scene is complete


@dataclass(frozen=True, eq=False)
class _Flaw:
    bite: Field | None = None  # distance inwards of what has broken away
    dent: Field | None = None  # height added to the surface
    crack: Field | None = None  # coverage of a crack
    rust: Field | None = None  # opacity of rust
    burr: Field | None = None  # distance inwards of a sliver of metal


def _draw(rng: np.random.Generator, side: int) -> _Scene:
    first = rng.uniform(-2.6, -1.6)
    return _Scene(
        side=side,
        pose=Pose.draw(rng, shift=0.02, angle=np.pi, growth=0.02),
        outer=0.41 + rng.uniform(-0.004, 0.004),
        inner=0.18 + rng.uniform(-0.004, 0.004),
        lamps=(first, first + rng.uniform(1.2, 2.0)),
        gloss=rng.uniform(0.13, 0.19),
        grooves=smooth_field(rng, side, (0.011, 0.35)) + 0.6 * smooth_field(rng, side, (0.03, 1.0)),
        mat=fractal_field(rng, side, 0.03, octaves=3, fading=0.9),
        light=lighting(rng, side),
        break_up=fractal_field(rng, side, 0.12, octaves=5, fading=0.7),
    )


def _polar(scene: _Scene) -> tuple[Field, Field]:
    v, u = scene.pose.look(scene.side)
    return np.hypot(v, u), np.arctan2(v, u)


def _metal_inside(scene: _Scene, radius: Field, flaw: _Flaw | None) -> Field:
    inside = np.minimum(scene.outer - radius, radius - scene.inner)
    if flaw is not None and flaw.bite is not None:
        inside = np.minimum(inside, -flaw.bite)
    return inside


def _relief(inside: Field, flaw: _Flaw | None) -> Field:
    height = -(np.clip(_CHAMFER - inside, 0.0, 2 * _CHAMFER) ** 2) / (2 * _CHAMFER)
    if flaw is not None and flaw.dent is not None:
        height = height + flaw.dent
    return height


def _brightness(scene: _Scene, radius: Field, turn: Field, height: Field) -> Field:
    surface = normals(height)
    x, y, z = surface
    angle = turn + scene.pose.angle
    tx, ty = -np.sin(angle), np.cos(angle)
    climb = -(tx * x + ty * y) / z  # slope of the surface along the groove
    grooves = sample(scene.grooves, 2 * radius, np.abs(turn) / np.pi)
    bright = 0.36 + 0.014 * grooves
    for towards, strength, elevation in zip(scene.lamps, (0.42, 0.2), (0.75, 0.6), strict=True):
        light = lamp(towards, elevation)
        half = halfway(light)
        miss = (tx * half[0] + ty * half[1] + climb * half[2]) / scene.gloss
        bright += strength * np.exp(-0.5 * miss**2) * (1 + 0.08 * grooves)
        bright += strength * 0.8 * (facing(surface, light) - light[2])
    return bright


def _paint(scene: _Scene, flaw: _Flaw | None) -> Image:
    radius, turn = _polar(scene)
    inside = _metal_inside(scene, radius, flaw)
    shadow = 0.6 * smoothstep(-0.02, 0.015, cast(inside, scene.lamps[0], 0.018))
    mat = (1 + 0.07 * scene.mat) * (1 - shadow)
    image = tint(_MAT, mat)
    metal = tint(_STEEL, _brightness(scene, radius, turn, _relief(inside, flaw)))
    image = over(image, metal, coverage(inside))
    if flaw is not None:
        image = _add_flaw(scene, flaw, image, inside)
    return image * scene.light


def _add_flaw(scene: _Scene, flaw: _Flaw, image: Image, inside: Field) -> Image:
    if flaw.bite is not None:
        broken = np.clip(0.42 + 0.16 * scene.break_up, 0.1, 0.95)
        near = coverage(flaw.bite + 0.016 + 0.004 * scene.break_up) * coverage(inside)
        image = over(image, tint(_STEEL, broken), 0.9 * near)
    if flaw.crack is not None:
        image = over(image, (0.05, 0.05, 0.055), 0.92 * flaw.crack * coverage(inside))
    if flaw.rust is not None:
        grain = 1 + 0.3 * scene.mat
        rust = over(
            tint(_RUST, grain),
            tint(_FLAKE, 1 + 0.5 * (grain - 1)),
            0.85 * smoothstep(0.5, 1.3, scene.break_up),
        )
        image = over(image, rust, flaw.rust * coverage(inside))
    if flaw.burr is not None:
        bright = 0.5 + 0.42 * smoothstep(0.0, 0.014, flaw.burr) + 0.04 * scene.break_up
        image = over(image, tint(_STEEL, bright), coverage(flaw.burr))
    return image


def _rim(rng: np.random.Generator, radius: float) -> tuple[float, float, float]:
    """A place (v, u) on a circle of the part, and its direction from the centre."""
    turn = rng.uniform(-np.pi, np.pi)
    return radius * np.sin(turn), radius * np.cos(turn), turn


def _chip(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    v0, u0, _ = _rim(rng, scene.outer - 0.02)
    v, u = scene.pose.look(scene.side)
    return _Flaw(bite=shard_inside(rng, v - v0, u - u0, rng.uniform(0.08, 0.165)))


def _dent(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    middle = 0.5 * (scene.inner + scene.outer) + rng.uniform(-0.03, 0.03)
    v0, u0, turn = _rim(rng, middle)
    v, u = scene.pose.look(scene.side)
    c, s = np.cos(turn + 0.5), np.sin(turn + 0.5)
    across, along = c * (v - v0) - s * (u - u0), s * (v - v0) + c * (u - u0)
    wide = rng.uniform(0.045, 0.08)
    bowl = box_inside(across, along, wide, 0.7 * wide, 0.6 * wide)
    depth = rng.uniform(0.012, 0.022)
    return _Flaw(dent=-depth * smoothstep(-0.012, 0.6 * wide, bowl))


def _crack(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    v0, u0, turn = _rim(rng, scene.inner - 0.005)
    start = scene.pose.place((v0, u0))
    heading = turn + scene.pose.angle + rng.uniform(-0.3, 0.3)
    reach = (scene.outer - scene.inner) * rng.uniform(0.85, 1.25)
    lines = branching_crack(rng, (start[0], start[1]), heading, reach)
    wide = rng.uniform(0.014, 0.033)
    widths = [wide] + [0.5 * wide] * (len(lines) - 1)
    marks = [
        coverage(width * (1 - 0.6 * line.along) - line.distance)
        for width, line in zip(widths, (trace(p, scene.side, 0.05) for p in lines), strict=True)
    ]
    return _Flaw(crack=np.maximum.reduce(marks))


def _rust(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    v0, u0, _ = _rim(rng, rng.uniform(scene.inner + 0.03, scene.outer - 0.03))
    v, u = scene.pose.look(scene.side)
    spread = rng.uniform(0.07, 0.16)
    bloom = 1.1 - np.hypot(v - v0, u - u0) / spread + 0.55 * scene.break_up
    return _Flaw(rust=smoothstep(0.0, 0.25, bloom) * rng.uniform(0.75, 0.95))


def _burr(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    v0, u0, turn = _rim(rng, scene.inner + 0.006)
    inwards, side = turn + np.pi, rng.choice([-1.0, 1.0])
    length = rng.uniform(0.14, 0.29)
    bend = inwards + side * np.array([1.2, 0.7, 0.0, -0.7])
    moves = length / 4 * np.stack([np.sin(bend), np.cos(bend)], axis=1)
    path = np.cumsum(np.vstack([(v0, u0), moves]), axis=0)
    line = trace(scene.pose.place(smooth_curve(path)), scene.side, 0.06)
    return _Flaw(
        burr=rng.uniform(0.026, 0.05) * (1 - line.along) ** 0.7
        + 0.0035 * scene.break_up
        - line.distance
    )


_FLAWS = {"chip": _chip, "dent": _dent, "crack": _crack, "rust": _rust, "burr": _burr}

WASHER = object_category(
    "washer",
    "A turned metal washer on a dark mat, seen from above.",
    _draw,
    _paint,
    _FLAWS,
)
