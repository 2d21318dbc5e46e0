"""The category ``capsule``: a two-coloured gelatine capsule with a printed mark on each half."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from aesc.synthetic.fields import (
    Field,
    Points,
    branching_crack,
    coverage,
    fractal_field,
    grid,
    lighting,
    over,
    sample,
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
    lettering,
    normals,
    object_category,
)
from aesc.synthetic.spec import Image

_HALF_LENGTH = 0.375
_RADIUS = 0.16
_WALL = 0.0065  # the cap is pushed over the body and is wider by this much
_TABLE = (0.80, 0.80, 0.79)
_CAP = (0.50, 0.085, 0.075)
_BODY = (0.93, 0.86, 0.70)
_DARK_INK = (0.12, 0.11, 0.15)
_PALE_INK = (0.80, 0.74, 0.68)
_GRAIN = (0.17, 0.10, 0.06)  # of the filling
_LETTER = 0.098  # height of a printed sign
_PEN = 0.0068  # half width of a printed stroke


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
    spread: Field  # where ink runs and shells crease: used by defects only

    @cached_property
    def inks(self) -> tuple[Field, Field]:
        """Opacity of the marks as they should be: of the pale ink, of the dark ink."""
        cap, body = self.prints
        return _ink(self, cap), _ink(self, body)


@dataclass(frozen=True, eq=False)
class _Flaw:
    again: Field | None = None  # ink of a second, misplaced impression
    bleed: float = 0.0  # how far ink runs, a length
    wiped: tuple[float, float] | None = None  # where to wet ink was wiped, (y, x)
    crack: Field | None = None  # coverage of a crack
    lit_edge: Field | None = None  # coverage of the crack's bright edge
    pinch: tuple[float, float, float, float] | None = None  # place, half width, depth, lopsidedness
    slipped: float = 0.0  # how far the cap has slipped off
    spilt: Field | None = None  # coverage of the filling that leaks out


def _draw(rng: np.random.Generator, side: int) -> _Scene:
    roll, along = rng.uniform(-0.022, 0.022), rng.uniform(-0.006, 0.006)
    turns = rng.uniform(-0.03, 0.03, 2)
    seam = -0.025 + rng.uniform(-0.006, 0.006)
    return _Scene(
        side=side,
        pose=Pose.draw(rng, shift=0.02, angle=0.11, growth=0.02),
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
    height = low + (high - ring - low) * share
    if flaw is not None and flaw.pinch is not None:
        # The shell buckles into creases where it was squeezed.
        folds = np.cos((u - at + 0.008 * scene.spread) * (2 * np.pi / 0.055))
        height = height - 0.045 * squeeze * folds * smoothstep(0.0, 0.03, inside)
    return inside, height, share


def _strokes(scene: _Scene, mark: _Print) -> list[Points]:
    """The mark's pen strokes in the image, bent around the capsule."""
    c, s = np.cos(mark.turn), np.sin(mark.turn)
    bent = []
    for stroke in lettering(mark.text, _LETTER):
        around = c * stroke[:, 0] + s * stroke[:, 1] + mark.around
        along = c * stroke[:, 1] - s * stroke[:, 0] + mark.along
        across = scene.radius * np.sin(np.clip(around / scene.radius, -1.5, 1.5))
        bent.append(scene.pose.place(np.stack([across, along], axis=1)))
    return bent


def _ink(scene: _Scene, mark: _Print, bleed: float = 0.0) -> Field:
    """Opacity of a mark's ink that has run about ``bleed`` out of its strokes."""
    reach = 0.02 + 2.5 * bleed
    away = np.minimum.reduce([trace(s, scene.side, reach).distance for s in _strokes(scene, mark)])
    solid = 0.88 + 0.1 * np.clip(scene.mottle, -2.0, 1.0)
    if bleed:
        run = bleed * np.maximum(scene.spread + 0.8, 0.0)
        soft = smoothstep(0.0, 1.0, (_PEN + 0.002 + run - away) / (0.006 + 0.35 * run))
        return solid * np.where(away < reach, soft, 0.0)
    return solid * coverage(_PEN - away)


def _wipe(scene: _Scene, ink: Field, towards: tuple[float, float]) -> Field:
    """Ink drawn out from where it was printed, thinner and more broken the further it went."""
    y, x = grid(scene.side)
    fading = np.maximum(0.8 - 0.45 * scene.spread, 0.1)
    # Four moves, each twice as far as the one before, leave ink at sixteen places.
    for share in (1 / 15, 2 / 15, 4 / 15, 8 / 15):
        moved = sample(ink, y - share * towards[0], x - share * towards[1])
        ink = np.maximum(ink, moved * np.exp(-fading * share))
    return ink


def _colours(scene: _Scene, share: Field, flaw: _Flaw | None) -> Image:
    base = over(np.asarray(_BODY), _CAP, share)
    pale, dark = scene.inks
    if flaw is not None and flaw.slipped:
        pale = _ink(scene, replace(scene.prints[0], along=scene.prints[0].along - flaw.slipped))
    if flaw is not None and flaw.bleed:
        dark = _ink(scene, scene.prints[1], flaw.bleed)
    if flaw is not None and flaw.wiped is not None:
        dark = _wipe(scene, dark, flaw.wiped)
    base = over(over(base, _PALE_INK, 0.9 * pale), _DARK_INK, dark)
    return base if flaw is None or flaw.again is None else over(base, _DARK_INK, flaw.again)


def _paint(scene: _Scene, flaw: _Flaw | None) -> Image:
    inside, height, share = _surface(scene, flaw)
    surface = normals(height + 0.0006 * scene.skin)
    light = lamp(scene.lamp, 0.95)
    mirrored = facing(surface, halfway(light))
    edge_on = np.square(1 - surface[2])
    bright = 0.34 + 0.68 * facing(surface, light) + 0.12 * edge_on
    shine = 0.5 * smoothstep(0.968, 0.99, mirrored) + 0.16 * smoothstep(0.8, 1.0, mirrored)
    capsule = _colours(scene, share, flaw) * bright[..., None]
    capsule = over(capsule, (1.0, 1.0, 0.98), shine)
    if flaw is not None and flaw.crack is not None and flaw.lit_edge is not None:
        capsule = over(capsule, (0.05, 0.035, 0.03), 0.92 * flaw.crack)
        capsule = over(capsule, (0.95, 0.9, 0.85), 0.6 * flaw.lit_edge)
    if flaw is not None and flaw.spilt is not None:
        capsule = over(capsule, _GRAIN, 0.9 * flaw.spilt)
    soft = smoothstep(-0.035, 0.05, cast(inside, scene.lamp, 0.035))
    shadow = 0.42 * soft + 0.25 * smoothstep(-0.018, 0.0, inside)
    table = tint(_TABLE, (1 + 0.012 * scene.table) * (1 - shadow))
    if flaw is not None and flaw.spilt is not None:
        table = over(table, _GRAIN, 0.9 * flaw.spilt)
    return over(table, capsule, coverage(inside)) * scene.light


def _misprint(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    _, body = scene.prints
    side = rng.choice([-1.0, 1.0], 2)
    again = replace(
        body,
        along=body.along + rng.uniform(-0.01, 0.035),
        around=body.around + side[0] * rng.uniform(0.02, 0.048),
        turn=body.turn + side[1] * rng.uniform(0.25, 0.8),
    )
    return _Flaw(again=_ink(scene, again))


def _bleeding(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    del scene  # ink may run on every capsule
    return _Flaw(bleed=rng.uniform(0.028, 0.07))


def _smeared(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    heading = scene.pose.angle + rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 1.7)
    length = rng.uniform(0.06, 0.15)
    return _Flaw(wiped=(length * np.sin(heading), length * np.cos(heading)))


def _crack(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    v, u = rng.uniform(-0.09, 0.09), rng.uniform(0.02, 0.1)
    start = scene.pose.place((v, u))
    heading = scene.pose.angle - np.sign(v) * rng.uniform(0.1, 0.7)
    lines = branching_crack(rng, (start[0], start[1]), heading, rng.uniform(0.2, 0.3))
    gape = rng.uniform(0.011, 0.023)
    traces = [trace(line, scene.side, 0.04) for line in lines]
    # The trunk gapes in its middle; the branches close towards their ends.
    widths = [0.5 * gape * (1 - 0.75 * t.along) for t in traces]
    widths[0] = 1.2 * gape * np.sqrt(0.03 + traces[0].along * (1 - traces[0].along) * 3.2)
    dark = [coverage(w - t.distance) for w, t in zip(widths, traces, strict=True)]
    lit = [
        coverage(0.0028 - np.abs(t.side - w - 0.003)) for w, t in zip(widths, traces, strict=True)
    ]
    inside, _, _ = _surface(scene, None)
    within = coverage(inside - 0.003)
    return _Flaw(crack=np.maximum.reduce(dark) * within, lit_edge=np.maximum.reduce(lit) * within)


def _squeeze(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    del scene  # every capsule may be squeezed
    at = rng.choice([-0.2, 0.12]) + rng.uniform(-0.05, 0.05)
    wide, depth = rng.uniform(0.06, 0.1), rng.uniform(0.2, 0.4)
    return _Flaw(pinch=(at, wide, depth, rng.uniform(-0.7, 0.7)))


def _loose_cap(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    slipped = rng.uniform(0.02, 0.06)
    v, u = scene.pose.look(scene.side)
    grains = smooth_field(rng, scene.side, 0.013)
    # The filling clings to the bared strip and falls on the table in front of it.
    beside = np.hypot(u - scene.seam + 0.5 * slipped, 0.5 * (v - scene.radius))
    near = smoothstep(0.05 + 0.6 * slipped, 0.0, beside)
    strip = smoothstep(slipped + 0.02, 0.5 * slipped, np.abs(u - scene.seam + 0.5 * slipped))
    strip = strip * (np.abs(v) < scene.radius)
    level = 1.6 - 1.8 * np.maximum(near, 0.9 * strip) + 0.15 * scene.spread
    spilt = smoothstep(-0.15, 0.15, grains - level) * (np.maximum(near, strip) > 0)
    return _Flaw(slipped=slipped, spilt=spilt)


_FLAWS = {
    "misprint": _misprint,
    "bleeding": _bleeding,
    "smeared": _smeared,
    "crack": _crack,
    "squeeze": _squeeze,
    "loose_cap": _loose_cap,
}

CAPSULE = object_category(
    "capsule",
    "A two-coloured gelatine capsule with a printed mark on each half.",
    _draw,
    _paint,
    _FLAWS,
)
