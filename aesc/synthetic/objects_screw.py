"""The category ``screw``: a countersunk screw with a cut thread, lying at any angle."""

from dataclasses import dataclass

import numpy as np

from aesc.synthetic.fields import (
    Field,
    coverage,
    fractal_field,
    lighting,
    over,
    smooth_curve,
    smooth_field,
    smoothstep,
    tint,
    trace,
)
from aesc.synthetic.shapes import Pose, cast, facing, halfway, lamp, normals, renderer, shard_inside
from aesc.synthetic.spec import Image, Spec

_TABLE = (0.77, 0.78, 0.79)
_ZINC = (0.97, 0.985, 1.0)

# The turned body along the axis: place u, radius. Head, cone, neck, threaded core, tip.
_BODY = np.array(
    [
        (-0.365, 0.106),
        (-0.352, 0.110),
        (-0.338, 0.108),
        (-0.262, 0.046),
        (-0.245, 0.044),
        (-0.125, 0.044),
        (-0.110, 0.039),
        (0.270, 0.036),
        (0.372, 0.001),
    ]
)
_HEAD_AT, _TIP_AT = -0.365, 0.372
_THREAD = (-0.125, 0.355)
_PITCH = 0.037
_CREST = 0.017  # how far the thread stands out of its core


@dataclass(frozen=True, eq=False)
class _Scene:
    side: int
    pose: Pose
    turned: float  # how far the screw is turned about its own axis, in turns
    crest: float
    lamp: float
    grain: Field
    table: Field
    light: Image
    break_up: Field


@dataclass(frozen=True, eq=False)
class _Flaw:
    worn: Field | None = None  # share of the thread that is left
    bend: tuple[float, float] | None = None  # from where, and how strongly (per length)
    bite: Field | None = None  # distance inwards of what has broken away
    burr: Field | None = None  # distance inwards of a sliver of metal


def _draw(rng: np.random.Generator, side: int) -> _Scene:
    return _Scene(
        side=side,
        pose=Pose.draw(rng, shift=0.025, angle=np.pi, growth=0.02),
        turned=rng.uniform(),
        crest=_CREST * rng.uniform(0.95, 1.05),
        lamp=rng.uniform(-2.1, -1.0),
        grain=smooth_field(rng, side, 0.012),
        table=fractal_field(rng, side, 0.05, octaves=4, fading=0.9),
        light=lighting(rng, side, strength=0.12),
        break_up=fractal_field(rng, side, 0.05, octaves=4, fading=0.7),
    )


def _look(scene: _Scene, flaw: _Flaw | None) -> tuple[Field, Field]:
    v, u = scene.pose.look(scene.side)
    if flaw is not None and flaw.bend is not None:
        start, strength = flaw.bend
        v = v - strength * np.square(np.maximum(u - start, 0.0))
    return v, u


def _radius(scene: _Scene, flaw: _Flaw | None, v: Field, u: Field) -> Field:
    """Radius of the screw at the visible point over (v, u)."""
    core = np.interp(u.ravel(), _BODY[:, 0], _BODY[:, 1]).reshape(u.shape)
    # A visible point at height v sits this share of a turn around the axis.
    around = np.arcsin(np.clip(v / (core + 0.7 * scene.crest), -1.0, 1.0)) / (2 * np.pi)
    wave = 0.5 + 0.5 * np.cos(2 * np.pi * (u / _PITCH - around + scene.turned))
    ends = smoothstep(_THREAD[0], _THREAD[0] + 0.02, u) * smoothstep(_THREAD[1], 0.25, u)
    thread = scene.crest * ends * wave * np.sqrt(wave)
    if flaw is not None and flaw.worn is not None:
        thread = np.minimum(thread, scene.crest * flaw.worn)
    return core + thread


def _solid(scene: _Scene, flaw: _Flaw | None) -> tuple[Field, Field]:
    """Distance inwards from the outline, and height."""
    v, u = _look(scene, flaw)
    radius = _radius(scene, flaw, v, u)
    inside = np.minimum(radius - np.abs(v), np.minimum(u - _HEAD_AT, _TIP_AT - u))
    if flaw is not None and flaw.bite is not None:
        inside = np.minimum(inside, -flaw.bite)
    height = np.sqrt(np.maximum(np.square(radius) - np.square(v), 0.0))
    # The rim of the head is rounded off.
    height -= 0.6 * np.maximum(0.012 - (u - _HEAD_AT), 0.0)
    return inside, height


def _metal(scene: _Scene, height: Field) -> Field:
    surface = normals(height + 0.0003 * scene.grain)
    first, second = lamp(scene.lamp, 0.8), lamp(scene.lamp + 2.4, 0.55)
    mirrored = facing(surface, halfway(first))
    bright = 0.06 + 0.42 * facing(surface, first) + 0.15 * facing(surface, second)
    bright += 0.6 * smoothstep(0.91, 0.995, mirrored)
    bright += 0.2 * smoothstep(0.9, 0.99, facing(surface, halfway(second)))
    # Steep flanks mirror the table.
    return bright + 0.22 * np.square(1 - surface[2]) + 0.012 * scene.grain


def _paint(scene: _Scene, flaw: _Flaw | None) -> Image:
    inside, height = _solid(scene, flaw)
    soft = smoothstep(-0.028, 0.03, cast(inside, scene.lamp, 0.028))
    shadow = 0.45 * soft + 0.22 * smoothstep(-0.014, 0.0, inside)
    table = (1 + 0.016 * scene.table) * (1 - shadow)
    metal = _metal(scene, height)
    if flaw is not None and flaw.bite is not None:
        torn = np.clip(0.4 + 0.2 * scene.break_up, 0.08, 0.9)
        metal += (torn - metal) * 0.9 * coverage(flaw.bite + 0.012 + 0.003 * scene.break_up)
    image = over(tint(_TABLE, table), tint(_ZINC, metal), coverage(inside))
    if flaw is not None and flaw.burr is not None:
        bright = 0.1 + 0.75 * smoothstep(0.002, 0.009, flaw.burr)
        image = over(image, tint(_ZINC, bright), coverage(flaw.burr))
    return image * scene.light


def _flat_thread(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    v, u = scene.pose.look(scene.side)
    middle, reach = rng.uniform(-0.04, 0.2), rng.uniform(0.05, 0.08)
    flank = rng.choice([-1.0, 1.0])
    hit = smoothstep(reach + 0.012, reach - 0.012, np.abs(u - middle))
    hit = hit * smoothstep(-0.008, 0.012, flank * v)
    left = rng.uniform(0.1, 0.35) + 0.06 * scene.break_up
    return _Flaw(worn=1 - hit * (1 - np.clip(left, 0.0, 1.0)))


def _bent_tip(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    del scene  # every screw may be bent
    start = rng.uniform(0.16, 0.24)
    at_tip = rng.choice([-1.0, 1.0]) * rng.uniform(0.035, 0.065)
    return _Flaw(bend=(start, at_tip / (_TIP_AT - start) ** 2))


def _broken_tip(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    v, u = scene.pose.look(scene.side)
    from_here = rng.uniform(0.29, 0.325)
    slope = rng.uniform(-0.6, 0.6)
    return _Flaw(bite=u - from_here + slope * v + 0.004 * scene.break_up)


def _head_chip(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    v, u = scene.pose.look(scene.side)
    place = rng.choice([-1.0, 1.0]) * rng.uniform(0.05, 0.105)
    inside = shard_inside(
        rng, v - place, u - _HEAD_AT - rng.uniform(0.0, 0.012), rng.uniform(0.032, 0.05)
    )
    return _Flaw(bite=inside)


def _burr(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    flank, lean = rng.choice([-1.0, 1.0], 2)
    start = (flank * 0.04, rng.uniform(-0.08, 0.2))
    heading = flank * np.pi / 2 + lean * np.array([0.5, 0.2, -0.4, -1.1])
    moves = rng.uniform(0.07, 0.11) / 4 * np.stack([np.sin(heading), np.cos(heading)], axis=1)
    path = smooth_curve(np.cumsum(np.vstack([start, moves]), axis=0))
    line = trace(scene.pose.place(path), scene.side, 0.02)
    return _Flaw(burr=0.011 * (1 - line.along) + 0.0015 - line.distance)


_FLAWS = {
    "flat_thread": _flat_thread,
    "bent_tip": _bent_tip,
    "broken_tip": _broken_tip,
    "head_chip": _head_chip,
    "burr": _burr,
}

SCREW = Spec(
    name="screw",
    group="object",
    description="A zinc-plated countersunk screw lying at any angle on a grey table.",
    render=renderer(_draw, _paint, _FLAWS),
    defects=tuple(_FLAWS),
)
