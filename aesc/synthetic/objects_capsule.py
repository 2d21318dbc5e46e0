"""The category ``capsule``: a two-coloured gelatine capsule with a printed mark on each half."""

from dataclasses import dataclass, replace

import numpy as np

from aesc.synthetic.fields import (
    Field,
    Points,
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
from aesc.synthetic.shapes import Pose, cast, facing, halfway, lamp, lettering, normals, renderer
from aesc.synthetic.spec import Image, Spec

_HALF_LENGTH = 0.37
_RADIUS = 0.138
_WALL = 0.0065  # the cap is pushed over the body and is wider by this much
_TABLE = (0.80, 0.80, 0.79)
_CAP = (0.50, 0.085, 0.075)
_BODY = (0.93, 0.86, 0.70)
_DARK_INK = (0.12, 0.11, 0.15)
_PALE_INK = (0.90, 0.86, 0.80)
_PEN = 0.0062  # half width of a printed stroke


@dataclass(frozen=True)
class _Print:
    """Where a mark sits on the rolled-out surface: along, around (lengths), turn (radians)."""

    text: str
    along: float
    around: float
    turn: float


@dataclass(frozen=True, eq=False)
class _Scene:
    side: int
    pose: Pose
    seam: float
    radius: float
    lamp: float
    prints: tuple[_Print, _Print]  # on the cap, on the body
    skin: Field
    mottle: Field
    table: Field
    light: Image
    spread: Field  # used by bleeding ink only, drawn here so that the scene is complete


@dataclass(frozen=True, eq=False)
class _Flaw:
    prints: tuple[_Print, _Print] | None = None  # instead of the scene's
    bleed: float = 0.0  # how far ink runs, a length
    kept: Field | None = None  # share of the ink that is left
    crack: Field | None = None  # coverage of a crack
    lit_edge: Field | None = None  # coverage of the crack's bright edge
    pinch: tuple[float, float, float, float] | None = None  # place, half width, depth, lopsidedness
    slipped: float = 0.0  # how far the cap has slipped off


def _draw(rng: np.random.Generator, side: int) -> _Scene:
    roll, along = rng.uniform(-0.022, 0.022), rng.uniform(-0.006, 0.006)
    turns = rng.uniform(-0.03, 0.03, 2)
    seam = -0.025 + rng.uniform(-0.006, 0.006)
    return _Scene(
        side=side,
        pose=Pose.draw(rng, shift=0.02, angle=0.13, growth=0.02),
        seam=seam,
        radius=_RADIUS * rng.uniform(0.985, 1.015),
        lamp=-np.pi / 2 + rng.uniform(-0.45, 0.45),
        prints=(
            _Print("CX", -0.2 + along, roll + 0.004, turns[0]),
            _Print("250", 0.14 + along, roll, turns[1]),
        ),
        skin=smooth_field(rng, side, 0.08),
        mottle=fractal_field(rng, side, 0.03, octaves=3, fading=0.8),
        table=fractal_field(rng, side, 0.05, octaves=3, fading=0.8),
        light=lighting(rng, side, strength=0.1),
        spread=fractal_field(rng, side, 0.06, octaves=4, fading=0.65),
    )


def _surface(scene: _Scene, flaw: _Flaw | None) -> tuple[Field, Field, Field]:
    """Distance inwards from the outline, height, and how much of each sample is cap."""
    v, u = scene.pose.look(scene.side)
    if flaw is not None and flaw.pinch is not None:
        at, wide, depth, lopsided = flaw.pinch
        squeeze = depth * np.exp(-np.square((u - at) / wide))
        v = v / (1 - squeeze) + lopsided * squeeze * scene.radius
    slipped = 0.0 if flaw is None else flaw.slipped
    straight = _HALF_LENGTH - scene.radius
    body = np.square(v) + np.square(np.maximum(np.abs(u) - straight, 0.0))
    cap = np.square(v) + np.square(np.maximum(-(u + slipped) - straight, 0.0))
    wide = scene.radius + _WALL
    to_seam = scene.seam - slipped - u
    share = smoothstep(-0.003, 0.003, to_seam)
    over_cap = np.minimum(wide - np.sqrt(cap), to_seam)
    inside = np.maximum(scene.radius - np.sqrt(body), over_cap)
    low = np.sqrt(np.maximum(scene.radius**2 - body, 0.0))
    high = np.sqrt(np.maximum(wide**2 - cap, 0.0))
    # The ring that locks the halves: a shallow groove around the cap.
    ring = 0.002 * np.exp(-np.square((to_seam - 0.055) / 0.006))
    return inside, low + (high - ring - low) * share, share


def _strokes(scene: _Scene, mark: _Print) -> list[Points]:
    """The mark's pen strokes in the image, bent around the capsule."""
    c, s = np.cos(mark.turn), np.sin(mark.turn)
    bent = []
    for stroke in lettering(mark.text, 0.088):
        around = c * stroke[:, 0] + s * stroke[:, 1] + mark.around
        along = c * stroke[:, 1] - s * stroke[:, 0] + mark.along
        across = scene.radius * np.sin(np.clip(around / scene.radius, -1.5, 1.5))
        bent.append(scene.pose.place(np.stack([across, along], axis=1)))
    return bent


def _ink(scene: _Scene, mark: _Print, flaw: _Flaw | None) -> Field:
    reach = 0.02 if flaw is None else 0.05
    away = np.minimum.reduce([trace(s, scene.side, reach).distance for s in _strokes(scene, mark)])
    solid = 0.88 + 0.1 * np.clip(scene.mottle, -2.0, 1.0)
    if flaw is not None and flaw.bleed:
        run = flaw.bleed * np.maximum(scene.spread + 0.4, 0.0)
        soft = smoothstep(0.0, 1.0, (_PEN + 0.002 + run - away) / (0.006 + 0.5 * run))
        return solid * np.where(away < reach, soft, 0.0)
    ink = solid * coverage(_PEN - away)
    return ink if flaw is None or flaw.kept is None else ink * flaw.kept


def _colours(scene: _Scene, share: Field, flaw: _Flaw | None) -> Image:
    base = over(np.asarray(_BODY), _CAP, share)
    prints = scene.prints if flaw is None or flaw.prints is None else flaw.prints
    base = over(base, _PALE_INK, 0.9 * _ink(scene, prints[0], None))
    return over(base, _DARK_INK, _ink(scene, prints[1], flaw))


def _paint(scene: _Scene, flaw: _Flaw | None) -> Image:
    inside, height, share = _surface(scene, flaw)
    surface = normals(height + 0.0006 * scene.skin)
    light = lamp(scene.lamp, 0.95)
    mirrored = facing(surface, halfway(light))
    edge_on = np.square(1 - surface[2])
    bright = 0.34 + 0.68 * facing(surface, light) + 0.12 * edge_on
    shine = 0.5 * smoothstep(0.968, 0.99, mirrored) + 0.16 * smoothstep(0.8, 1.0, mirrored)
    capsule = _colours(scene, share, flaw) * bright[..., None]
    if flaw is not None and flaw.crack is not None and flaw.lit_edge is not None:
        capsule = over(capsule, (0.05, 0.035, 0.03), 0.85 * flaw.crack)
        capsule = over(capsule, (0.95, 0.9, 0.85), 0.5 * flaw.lit_edge)
    capsule = over(capsule, (1.0, 1.0, 0.98), shine)
    soft = smoothstep(-0.035, 0.05, cast(inside, scene.lamp, 0.035))
    shadow = 0.42 * soft + 0.25 * smoothstep(-0.018, 0.0, inside)
    table = tint(_TABLE, (1 + 0.012 * scene.table) * (1 - shadow))
    return over(table, capsule, coverage(inside)) * scene.light


def _misprint(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    cap, body = scene.prints
    side = rng.choice([-1.0, 1.0], 2)
    wrong = replace(
        body,
        along=body.along + rng.uniform(-0.025, 0.035),
        around=body.around + side[0] * rng.uniform(0.02, 0.055),
        turn=body.turn + side[1] * rng.uniform(0.2, 0.6),
    )
    return _Flaw(prints=(cap, wrong))


def _bleeding(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    del scene  # ink may run on every capsule
    return _Flaw(bleed=rng.uniform(0.012, 0.022))


def _faded(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    v, u = scene.pose.look(scene.side)
    heading = rng.uniform(-np.pi, np.pi)
    past = np.cos(heading) * (u - scene.prints[1].along) + np.sin(heading) * v
    gone = smoothstep(-0.02, 0.02, past + 0.015 * scene.spread + rng.uniform(0.0, 0.02))
    return _Flaw(kept=1 - rng.uniform(0.75, 1.0) * gone)


def _crack(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    v, u = rng.uniform(-0.05, 0.05), rng.uniform(-0.26, 0.2)
    start = scene.pose.place((v, u))
    heading = rng.choice([0.0, np.pi]) + rng.uniform(-0.7, 0.7)
    lines = branching_crack(rng, (start[0], start[1]), heading, rng.uniform(0.13, 0.24))
    traces = [trace(line, scene.side, 0.02) for line in lines]
    dark = [coverage(0.0042 * (1 - 0.6 * t.along) - t.distance) for t in traces]
    lit = [coverage(0.0026 * (1 - 0.6 * t.along) - np.abs(t.side - 0.0065)) for t in traces]
    inside, _, _ = _surface(scene, None)
    within = coverage(inside - 0.003)
    return _Flaw(crack=np.maximum.reduce(dark) * within, lit_edge=np.maximum.reduce(lit) * within)


def _squeeze(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    del scene  # every capsule may be squeezed
    at = rng.choice([-0.2, 0.12]) + rng.uniform(-0.05, 0.05)
    wide, depth = rng.uniform(0.04, 0.08), rng.uniform(0.14, 0.28)
    return _Flaw(pinch=(at, wide, depth, rng.uniform(-0.7, 0.7)))


def _loose_cap(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    slipped = rng.uniform(0.025, 0.055)
    cap, body = scene.prints
    return _Flaw(slipped=slipped, prints=(replace(cap, along=cap.along - slipped), body))


_FLAWS = {
    "misprint": _misprint,
    "bleeding": _bleeding,
    "faded": _faded,
    "crack": _crack,
    "squeeze": _squeeze,
    "loose_cap": _loose_cap,
}

CAPSULE = Spec(
    name="capsule",
    group="object",
    description="A two-coloured gelatine capsule with a printed mark on each half.",
    render=renderer(_draw, _paint, _FLAWS),
    defects=tuple(_FLAWS),
)
