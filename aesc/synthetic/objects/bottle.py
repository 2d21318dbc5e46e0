"""The category ``bottle``: the mouth of an amber glass bottle seen from above on a light table."""

from dataclasses import dataclass

import numpy as np

from aesc.synthetic.fields import (
    Field,
    branching_crack,
    coverage,
    fractal_field,
    lighting,
    over,
    smooth_field,
    smoothstep,
    tint,
    trace,
)
from aesc.synthetic.objects.shapes import Pose, facing, lamp, normals, object_category, shard_inside
from aesc.synthetic.spec import Image

_BODY = 0.425  # outer radius of the bottle
_LIP = (0.205, 0.3)  # inner and outer radius of the lip
_TORN = 0.362  # outer radius of what can break away: the lip and the thread below it
_TABLE = (0.93, 0.925, 0.905)

# The glass from the middle outwards: radius, then the colour that the light table leaves there.
_GLASS = np.array(
    [
        (0.000, 0.84, 0.75, 0.58),
        (0.080, 0.80, 0.70, 0.52),
        (0.090, 0.70, 0.59, 0.42),
        (0.100, 0.77, 0.66, 0.48),
        (0.125, 0.66, 0.53, 0.34),
        (0.142, 0.36, 0.23, 0.10),
        (0.160, 0.17, 0.09, 0.035),
        (0.185, 0.11, 0.055, 0.025),
        (0.203, 0.16, 0.09, 0.04),
        (0.212, 0.44, 0.29, 0.14),
        (0.222, 0.22, 0.12, 0.05),
        (0.245, 0.13, 0.065, 0.03),
        (0.280, 0.20, 0.105, 0.045),
        (0.293, 0.30, 0.18, 0.08),
        (0.302, 0.05, 0.025, 0.015),
        (0.314, 0.10, 0.05, 0.02),
        (0.350, 0.31, 0.19, 0.085),
        (0.385, 0.25, 0.14, 0.06),
        (0.410, 0.12, 0.06, 0.025),
        (0.425, 0.05, 0.025, 0.015),
    ]
)
_FINE = 4096  # entries of the same table per unit of radius, to look up instead of interpolate
_FINE_GLASS = np.stack(
    [np.interp(np.arange(_FINE) / _FINE, _GLASS[:, 0], colour) for colour in _GLASS[:, 1:].T],
    axis=-1,
)


@dataclass(frozen=True)
class _Reflection:
    """A bright arc: its radius, half width, middle (radians), half length (radians), strength."""

    radius: float
    width: float
    middle: float
    reach: float
    strength: float


@dataclass(frozen=True, eq=False)
class _Scene:
    side: int
    pose: Pose
    parallax: tuple[float, float]  # how far the bottom appears beside the mouth
    lamp: float  # where the lamp stands, radians
    reflections: tuple[_Reflection, ...]
    ripple: Field
    dust: Field
    light: Image
    break_up: Field


@dataclass(frozen=True, eq=False)
class _Flaw:
    bite: Field | None = None  # distance inwards of what has broken away
    shell: Field | None = None  # distance to where the blow fell
    crack: Field | None = None  # signed distance beside a crack (side), capped
    width: Field | None = None  # half width of that crack
    scrap: Field | None = None  # distance inwards of a scrap that fell into the mouth
    squeeze: float = 0.0  # share by which the mouth is out of round
    across: float = 0.0  # direction of the squeeze, radians


def _draw_reflections(rng: np.random.Generator, towards: float) -> tuple[_Reflection, ...]:
    """Two soft boxes, mirrored by the lip, its inner edge, the thread below it and the shoulder."""
    found = []
    for box, power in ((towards, 1.0), (towards + np.pi + rng.uniform(-0.3, 0.3), 0.6)):
        long = rng.uniform(0.45, 0.7)
        shift = rng.uniform(-0.15, 0.15)
        found += [
            _Reflection(0.262, 0.009, box, long, 0.72 * power),
            _Reflection(0.224, 0.0045, box + shift, 0.8 * long, 0.5 * power),
            _Reflection(0.19, 0.008, box + np.pi + shift, 0.6 * long, 0.25 * power),
            _Reflection(0.327, 0.0045, box - 0.2 + shift, 1.3 * long, 0.3 * power),
            _Reflection(0.374, 0.014, box, 1.1 * long, 0.3 * power),
        ]
    return tuple(found)


def _draw(rng: np.random.Generator, side: int) -> _Scene:
    towards = rng.uniform(-2.1, -1.0)
    parallax = rng.uniform(-0.012, 0.012, 2)
    return _Scene(
        side=side,
        pose=Pose.draw(rng, shift=0.015, angle=np.pi, growth=0.02),
        parallax=(parallax[0], parallax[1]),
        lamp=towards,
        reflections=_draw_reflections(rng, towards),
        ripple=smooth_field(rng, side, 0.12),
        dust=fractal_field(rng, side, 0.2, octaves=5, fading=0.6),
        light=lighting(rng, side, strength=0.08),
        break_up=fractal_field(rng, side, 0.06, octaves=4, fading=0.7),
    )


def _polar(scene: _Scene, flaw: _Flaw | None) -> tuple[Field, Field, Field]:
    """Radius at the mouth, radius of what lies below it, and direction seen in the image."""
    v, u = scene.pose.look(scene.side)
    radius, turn = np.hypot(v, u), np.arctan2(v, u) + scene.pose.angle
    radius = radius * (1 + 0.0025 * scene.ripple)
    if flaw is not None and flaw.squeeze:
        mouth = smoothstep(0.34, 0.27, radius)
        radius = radius * (1 + flaw.squeeze * mouth * np.cos(2 * (turn - flaw.across)))
    sink = smoothstep(0.21, 0.13, radius)
    below = np.hypot(v - scene.parallax[0] * sink, u - scene.parallax[1] * sink)
    return radius, radius + sink * (below - np.hypot(v, u)), turn


def _shine(scene: _Scene, radius: Field, turn: Field) -> Field:
    total = np.zeros_like(radius)
    c, s = np.cos(turn), np.sin(turn)
    for arc in scene.reflections:
        toward = np.cos(arc.middle) * c + np.sin(arc.middle) * s
        ends = smoothstep(np.cos(arc.reach + 0.12), np.cos(arc.reach - 0.12), toward)
        # The arc is thinner towards its ends, as the image of a flat box on a torus is.
        spread = arc.width * (0.65 + 0.35 * smoothstep(np.cos(arc.reach), 1.0, toward))
        away = np.square((radius - arc.radius) / spread)
        total += arc.strength * ends * np.exp(-away * away)
    return total


def _paint(scene: _Scene, flaw: _Flaw | None) -> Image:
    radius, below, turn = _polar(scene, flaw)
    glass = _FINE_GLASS[np.minimum(below * _FINE, _FINE - 1).astype(int)]
    sides = 1 + 0.22 * np.cos(turn - scene.lamp) * smoothstep(0.13, 0.3, radius)
    glass = glass * (sides + 0.03 * scene.dust)[..., None]
    shine = np.minimum(_shine(scene, radius, turn), 1.0)
    if flaw is not None and flaw.bite is not None and flaw.shell is not None:
        glass, shine = _break(scene, flaw.bite, flaw.shell, glass, shine, radius)
    glass = over(glass, (0.97, 0.98, 1.0), 0.95 * shine)
    glow = smoothstep(0.5, _BODY, radius)
    table = tint(_TABLE, 1 + 0.008 * scene.dust - 0.14 * glow**2)
    image = over(table, glass, coverage(_BODY - radius))
    if flaw is not None:
        image = _lay_on(scene, flaw, image, radius)
    return image * scene.light


def _break(
    scene: _Scene, bite: Field, shell: Field, glass: Image, shine: Field, radius: Field
) -> tuple[Image, Field]:
    """Take glass away: the thin wall that is left lets the light table through its ripples."""
    gone = coverage(bite) * coverage(radius - _LIP[0] + 0.012) * coverage(_TORN - radius)
    # Glass breaks in shells: ripples around the blow, and steep faces along the rim.
    bowl = 0.45 * shell + 0.0014 * np.sin(85 * np.sqrt(shell)) + 0.0014 * scene.break_up
    bowl -= 0.5 * np.clip(bite, 0.0, 0.02)
    lit = np.square(facing(normals(bowl), lamp(scene.lamp, 0.5)))
    thin = smoothstep(0.0, 0.03, bite)
    faces = 0.4 * glass + tint((1.0, 0.79, 0.5), 0.04 + 0.38 * thin + 0.9 * lit)
    edge = np.exp(-np.square((bite - 0.004) / 0.004))[..., None] * gone[..., None]
    return over(glass, faces, gone) + 0.3 * edge, shine * (1 - gone)


def _lay_on(scene: _Scene, flaw: _Flaw, image: Image, radius: Field) -> Image:
    if flaw.crack is not None and flaw.width is not None:
        lip = coverage(radius - _LIP[0]) * coverage(_BODY - 0.01 - radius)
        bright = coverage(flaw.width - np.abs(flaw.crack)) * lip
        dark = coverage(flaw.width - np.abs(flaw.crack + 0.006)) * lip
        # The wall of the crack runs on below the surface and mirrors the lamps.
        wall = smoothstep(0.0, 1.0, 1 - flaw.crack / (12 * flaw.width)) * (flaw.crack > 0) * lip
        mirrored = 0.15 + 0.65 * smoothstep(-0.6, 1.0, scene.break_up)
        image = over(image, (0.95, 0.78, 0.52), wall * mirrored)
        image = over(image, (0.04, 0.02, 0.01), 0.75 * dark)
        image = over(image, (0.88, 0.75, 0.55), 0.9 * bright)
    if flaw.scrap is not None:
        lit = facing(normals(0.045 * scene.dust), lamp(scene.lamp, 0.7))
        foil = tint((0.34, 0.37, 0.44), 0.06 + 1.1 * lit**3)
        image = over(image, (0.1, 0.06, 0.03), 0.5 * smoothstep(-0.016, 0.006, flaw.scrap))
        image = over(image, foil, coverage(flaw.scrap))
    return image


def _bite(rng: np.random.Generator, scene: _Scene, radius: float, size: float) -> _Flaw:
    turn = rng.uniform(-np.pi, np.pi)
    v, u = scene.pose.look(scene.side)
    v, u = v - radius * np.sin(turn), u - radius * np.cos(turn)
    blow = rng.uniform(-np.pi, np.pi)
    shell = np.hypot(v - size * np.sin(blow), u - size * np.cos(blow))
    return _Flaw(bite=shard_inside(rng, v, u, size), shell=shell)


def _broken(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    return _bite(rng, scene, rng.uniform(0.26, 0.31), rng.uniform(0.09, 0.15))


def _chip(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    return _bite(
        rng, scene, rng.choice(_LIP) + rng.uniform(-0.004, 0.004), rng.uniform(0.055, 0.095)
    )


def _crack(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    turn = rng.uniform(-np.pi, np.pi)
    start = scene.pose.place((_LIP[0] * np.sin(turn), _LIP[0] * np.cos(turn)))
    heading = turn + scene.pose.angle + rng.uniform(-0.6, 0.6)
    lines = branching_crack(rng, (start[0], start[1]), heading, rng.uniform(0.2, 0.36))
    traces = [trace(line, scene.side, 0.06) for line in lines]
    nearest = np.argmin([t.distance for t in traces], axis=0)[None]
    side = np.take_along_axis(np.array([t.side for t in traces]), nearest, axis=0)[0]
    along = np.take_along_axis(np.array([t.along for t in traces]), nearest, axis=0)[0]
    return _Flaw(crack=side, width=rng.uniform(0.003, 0.0045) * (1 - 0.6 * along))


def _scrap(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    """A crumpled scrap of dark foil, as from the cap's liner, that lies in the mouth."""
    v, u = scene.pose.look(scene.side)
    dv, du = rng.uniform(-0.06, 0.06, 2)
    return _Flaw(scrap=shard_inside(rng, v - dv, u - du, rng.uniform(0.055, 0.1)))


def _oval(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    del scene  # the same squeeze is possible at every mouth
    return _Flaw(squeeze=rng.uniform(0.055, 0.095), across=rng.uniform(0, np.pi))


_FLAWS = {"broken": _broken, "chip": _chip, "crack": _crack, "scrap": _scrap, "oval": _oval}

BOTTLE = object_category(
    "bottle",
    "The mouth of an amber glass bottle, seen from above on a light table.",
    _draw,
    _paint,
    _FLAWS,
)
