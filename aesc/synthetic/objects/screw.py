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
from aesc.synthetic.objects.shapes import (
    Pose,
    cast,
    facing,
    halfway,
    lamp,
    normals,
    object_category,
    shard_inside,
)
from aesc.synthetic.spec import Image

_TABLE = (0.77, 0.78, 0.79)
_ZINC = (0.97, 0.985, 1.0)

# The turned body along the axis: place u, radius. Head, cone, neck, threaded core, tip.
_BODY = np.array(
    [
        (-0.375, 0.124),
        (-0.360, 0.129),
        (-0.344, 0.126),
        (-0.262, 0.060),
        (-0.243, 0.057),
        (-0.150, 0.057),
        (-0.132, 0.051),
        (0.262, 0.047),
        (0.385, 0.001),
    ]
)
_HEAD_AT, _TIP_AT = -0.375, 0.385
_THREAD = (-0.150, 0.365)
_PITCH = 0.052
_CREST = 0.019  # how far the thread stands out of its core


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
    worn: Field | None = None  # share of the thread that is left, where it was crushed
    bend: tuple[float, float, float] | None = None  # from where, until where, slope beyond
    snap: tuple[float, float, Pose] | None = None  # place, slope; how the loose end lies
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


def _turn_aside(v: Field, u: Field, bend: tuple[float, float, float]) -> tuple[Field, Field]:
    """Coordinates along a screw whose axis turns aside between two places."""
    start, end, slope = bend
    past = np.maximum(u - start, 0.0)
    curve = np.minimum(past, end - start)
    axis = slope * (0.5 * curve * curve / (end - start) + np.maximum(u - end, 0.0))
    here = slope * curve / (end - start)
    steep = 1 / np.sqrt(1 + here * here)
    aside = (v - axis) * steep
    along = np.minimum(u, start) + (curve * np.sqrt(1 + here * here / 3))
    along = along + np.maximum(u - end, 0.0) / steep + aside * here * steep
    return aside, along


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


def _turned_part(scene: _Scene, flaw: _Flaw | None, v: Field, u: Field) -> tuple[Field, Field]:
    """Distance inwards from the outline, and height, of the whole screw over (v, u)."""
    radius = _radius(scene, flaw, v, u)
    inside = np.minimum(radius - np.abs(v), np.minimum(u - _HEAD_AT, _TIP_AT - u))
    height = np.sqrt(np.maximum(np.square(radius) - np.square(v), 0.0))
    # The rim of the head is rounded off.
    return inside, height - 0.6 * np.maximum(0.012 - (u - _HEAD_AT), 0.0)


def _solid(scene: _Scene, flaw: _Flaw | None) -> tuple[Field, Field, Field | None]:
    """Distance inwards from the outline, height, and distance into what was torn open."""
    v, u = scene.pose.look(scene.side)
    if flaw is not None and flaw.bend is not None:
        v, u = _turn_aside(v, u, flaw.bend)
    inside, height = _turned_part(scene, flaw, v, u)
    if flaw is None:
        return inside, height, None
    torn = flaw.bite
    if flaw.bite is not None:
        inside = np.minimum(inside, -flaw.bite)
    if flaw.snap is not None:
        place, slope, lies = flaw.snap
        cut = u - place + slope * v + 0.004 * scene.break_up
        there_v, there_u = lies.look(scene.side)
        loose, loose_height = _turned_part(scene, None, there_v, there_u)
        loose_cut = there_u - place + slope * there_v + 0.004 * scene.break_up
        loose = np.minimum(loose, loose_cut)
        inside = np.minimum(inside, -cut)
        torn = np.where(loose > inside, -loose_cut, cut)
        height = np.where(loose > inside, loose_height, height)
        inside = np.maximum(inside, loose)
    return inside, height, torn


def _metal(scene: _Scene, height: Field) -> Field:
    surface = normals(height + 0.0003 * scene.grain)
    first, second = lamp(scene.lamp, 0.8), lamp(scene.lamp + 2.4, 0.55)
    mirrored = facing(surface, halfway(first))
    bright = 0.06 + 0.42 * facing(surface, first) + 0.15 * facing(surface, second)
    bright += 0.45 * smoothstep(0.91, 0.995, mirrored)
    bright += 0.2 * smoothstep(0.9, 0.99, facing(surface, halfway(second)))
    # Steep flanks mirror the table.
    return bright + 0.22 * np.square(1 - surface[2]) + 0.012 * scene.grain


def _paint(scene: _Scene, flaw: _Flaw | None) -> Image:
    inside, height, torn = _solid(scene, flaw)
    soft = smoothstep(-0.028, 0.03, cast(inside, scene.lamp, 0.028))
    shadow = 0.45 * soft + 0.22 * smoothstep(-0.014, 0.0, inside)
    table = (1 + 0.016 * scene.table) * (1 - shadow)
    metal = _metal(scene, height)
    if torn is not None:
        # A fresh break: bright crystals, some in shadow, inside a dark lip.
        face = np.clip(0.62 + 0.3 * scene.break_up + 0.12 * scene.grain, 0.06, 1.0)
        metal += (face - metal) * 0.9 * coverage(torn + 0.016 + 0.003 * scene.break_up)
    if flaw is not None and flaw.worn is not None:
        crushed = np.clip((1 - flaw.worn) * 1.4 - 0.4, 0.0, 1.0)
        bare = np.clip(0.84 + 0.2 * scene.break_up + 0.05 * scene.grain, 0.2, 1.0)
        lip = np.exp(-np.square((crushed - 0.3) / 0.2)) * (flaw.worn < 1)
        metal += (bare - metal) * 0.85 * crushed - 0.8 * metal * lip
    image = over(tint(_TABLE, table), tint(_ZINC, metal), coverage(inside))
    if flaw is not None and flaw.burr is not None:
        bright = 0.08 + 0.9 * smoothstep(0.003, 0.011, flaw.burr)
        image = over(image, tint(_ZINC, bright), coverage(flaw.burr))
    return image * scene.light


def _flat_thread(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    v, u = scene.pose.look(scene.side)
    middle, reach = rng.uniform(-0.02, 0.14), rng.uniform(0.1, 0.18)
    flank = rng.choice([-1.0, 1.0])
    strayed = 0.022 * scene.break_up
    hit = smoothstep(reach + 0.015, reach - 0.015, np.abs(u - middle) + strayed)
    hit = hit * smoothstep(-0.05, -0.02, flank * v + strayed)
    return _Flaw(worn=1 - hit)


def _bent(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    del scene  # every screw may be bent
    start = rng.uniform(-0.08, 0.1)
    slope = rng.choice([-1.0, 1.0]) * rng.uniform(0.35, 0.75)
    return _Flaw(bend=(start, start + rng.uniform(0.06, 0.12), slope))


def _snapped(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    place, slope = rng.uniform(0.04, 0.18), rng.uniform(-0.5, 0.5)
    # The loose end turns about its own middle and rolls a little way off.
    middle, side = 0.5 * (place + _TIP_AT), rng.choice([-1.0, 1.0])
    turn = side * rng.uniform(0.3, 1.2)
    y, x = scene.pose.place((side * rng.uniform(0.08, 0.15), middle + rng.uniform(-0.03, 0.02)))
    angle, far = scene.pose.angle + turn, scene.pose.scale * middle
    centre = (y - far * np.sin(angle), x - far * np.cos(angle))
    return _Flaw(snap=(place, slope, Pose(centre, angle, scene.pose.scale)))


def _head_chip(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    v, u = scene.pose.look(scene.side)
    place = rng.choice([-1.0, 1.0]) * rng.uniform(0.075, 0.125)
    inside = shard_inside(
        rng, v - place, u - _HEAD_AT - rng.uniform(0.005, 0.03), rng.uniform(0.07, 0.11)
    )
    return _Flaw(bite=inside)


def _burr(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    flank, lean = rng.choice([-1.0, 1.0], 2)
    start = (flank * 0.02, rng.uniform(-0.08, 0.2))
    heading = flank * np.pi / 2 + lean * np.array([0.5, 0.1, -0.6, -1.4, -2.2])
    moves = rng.uniform(0.13, 0.18) / 5 * np.stack([np.sin(heading), np.cos(heading)], axis=1)
    path = smooth_curve(np.cumsum(np.vstack([start, moves]), axis=0))
    line = trace(scene.pose.place(path), scene.side, 0.03)
    return _Flaw(burr=0.018 * (1 - line.along) + 0.002 - line.distance)


_FLAWS = {
    "flat_thread": _flat_thread,
    "bent": _bent,
    "snapped": _snapped,
    "head_chip": _head_chip,
    "burr": _burr,
}

SCREW = object_category(
    "screw",
    "A zinc-plated countersunk screw lying at any angle on a grey table.",
    _draw,
    _paint,
    _FLAWS,
)
