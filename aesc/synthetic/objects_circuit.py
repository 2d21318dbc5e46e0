"""The category ``circuit``: a small green circuit module with chips, resistors and capacitors."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from aesc.synthetic import objects_circuit_board as board
from aesc.synthetic.fields import Field, Points, fractal_field, lighting, smoothstep, tint
from aesc.synthetic.objects_circuit_board import Material, Part, Plate
from aesc.synthetic.shapes import Pose, cast, facing, halfway, lamp, normals, renderer, ribbon
from aesc.synthetic.spec import Image, Spec

_GROUND = Material((0.60, 0.60, 0.585), 0.0, 0.0)
_BURNT = Material((0.02, 0.075, 0.05), 0.0115, 0.05)
_LABEL_PEN = 0.0055


@dataclass(frozen=True, eq=False)
class _Scene:
    side: int
    pose: Pose
    lamp: float
    parts: tuple[Part, ...]
    bodies: float  # how bright this batch of mouldings is, around 1
    weave: Field
    dirt: Field
    light: Image


@dataclass(frozen=True, eq=False)
class _Flaw:
    parts: tuple[Part, ...] | None = None  # instead of the scene's
    bent: tuple[int, float] | None = None  # which lead of the large chip, how far its foot went
    solder: tuple[Points, ...] = ()  # outlines of solder where none belongs
    burnt: tuple[Points, ...] = ()  # outlines of gaps in a track


def _placed(rng: np.random.Generator, part: Part) -> Part:
    """A part as the placement machine leaves it: a little off."""
    dv, du, turn = rng.normal(0.0, 1.0, 3).clip(-2.0, 2.0) * (0.002, 0.002, 0.02)
    return replace(part, v=part.v + dv, u=part.u + du, turn=part.turn + turn)


def _draw(rng: np.random.Generator, side: int) -> _Scene:
    return _Scene(
        side=side,
        pose=Pose.draw(rng, shift=0.016, angle=0.06, growth=0.015),
        lamp=rng.uniform(-2.4, -0.7),
        parts=tuple(_placed(rng, part) for part in board.PARTS),
        bodies=rng.uniform(0.9, 1.1),
        weave=fractal_field(rng, side, 0.012, octaves=2),
        dirt=fractal_field(rng, side, 0.25, octaves=4, fading=0.6),
        light=lighting(rng, side, strength=0.14),
    )


def _draw_board(plate: Plate, flaw: _Flaw) -> None:
    half_v, half_u = board.BOARD_HALF
    plate.fill([Part("board", 0.0, 0.0, 0.0).box(half_v, half_u)], board.LAMINATE)
    plate.fill([ribbon(points, board.TRACK_WIDTH) for points in board.TRACKS], board.TRACK)
    plate.fill(flaw.burnt, _BURNT)
    plate.fill([board.disc(v, u, 0.0125) for v, u in board.VIAS], board.TRACK)
    plate.fill([board.disc(v, u, 0.0055) for v, u in board.VIAS], board.HOLE)
    for places, ring, hole in ((board.HEADER, 0.027, 0.014), (board.MOUNTS, 0.042, 0.026)):
        plate.fill([board.disc(v, u, ring) for v, u in places], board.GOLD)
        plate.fill([board.disc(v, u, hole) for v, u in places], board.HOLE)
    for text, v, u, height in board.LABELS:
        plate.fill(board.writing(text, Part("ink", v, u, 0.0), height, _LABEL_PEN), board.INK)


def _draw_pads(plate: Plate) -> None:
    """Solder on the pads: it belongs to the board, so it stays where a part is missing."""
    for part in board.PARTS:
        half_v, half_u = board.HALF_SIZES[part.kind]
        if part.kind in board.TWO_TERMINALS:
            ends = (-0.95 * half_u, 0.95 * half_u)
            plate.fill([part.box(1.02 * half_v, 0.017, u=u) for u in ends], board.SOLDER)
        else:
            feet = (foot for _, foot in board.leads(part))
            wide = 0.62 * board.LEAD_WIDTH[part.kind]
            plate.fill(
                [Part("pad", v, u, part.turn).box(0.014, wide) for v, u in feet], board.SOLDER
            )


def _draw_chip(plate: Plate, part: Part, bent: tuple[int, float] | None) -> None:
    half_v, half_u = board.HALF_SIZES[part.kind]
    for number, (root, foot) in enumerate(board.leads(part)):
        aside = bent[1] if bent is not None and bent[0] == number else 0.0
        pushed = foot + np.array([0.0, aside])
        knee = 0.5 * (root + foot) + 0.35 * (pushed - foot)
        lead = ribbon(np.stack([root, knee, pushed]), board.LEAD_WIDTH[part.kind])
        plate.fill([lead], board.LEAD)
    plate.fill([part.box(half_v, half_u)], board.EPOXY)
    if part.kind == "soic":
        plate.fill(board.writing("CX250", part, 0.042, 0.006), board.MARK)
        v, u = part.place((half_v - 0.02, -half_u + 0.02))
        plate.fill([board.disc(v, u, 0.009)], replace(board.EPOXY, height=0.032))
    else:
        plate.fill(board.writing("A7", part, 0.028, 0.0055), board.MARK)


def _draw_two_terminals(plate: Plate, part: Part) -> None:
    half_v, half_u = board.HALF_SIZES[part.kind]
    if part.kind == "can":
        plate.fill([part.box(half_v, half_u)], replace(board.STEEL, height=0.02))
        plate.fill([part.box(half_v - 0.008, half_u - 0.008)], board.STEEL)
        strokes = board.writing("1200", part, 0.03, 0.0045)
        plate.fill(strokes, replace(board.STEEL, colour=(0.38, 0.38, 0.39)))
        return
    plate.fill([part.box(half_v, half_u)], board.TIN)
    middle = {
        "resistor": board.FILM,
        "capacitor": board.CERAMIC,
        "tantalum": board.TANTALUM,
        "led": board.INK,
    }[part.kind]
    length = half_u - (0.004 if part.kind == "tantalum" else 0.0105)
    plate.fill([part.box(half_v, length)], replace(middle, height=max(middle.height, 0.026)))
    if part.kind == "resistor":
        plate.fill(board.writing("103", part, 0.017, 0.0036), board.FILM_MARK)
    elif part.kind == "tantalum":
        plate.fill([part.box(half_v, 0.011, u=-length + 0.018)], board.STRIPE)
    elif part.kind == "led":
        v, u = part.place((0.0, 0.0))
        plate.fill([board.disc(v, u, 0.017)], board.LENS)


def _plate(scene: _Scene, flaw: _Flaw) -> Plate:
    plate = Plate(scene.side, scene.pose, _GROUND)
    _draw_board(plate, flaw)
    _draw_pads(plate)
    parts = scene.parts if flaw.parts is None else flaw.parts
    for part in parts:
        if part.kind in board.TWO_TERMINALS:
            _draw_two_terminals(plate, part)
        else:
            _draw_chip(plate, part, flaw.bent if part.kind == "soic" else None)
    plate.fill(flaw.solder, replace(board.SOLDER, height=0.025))
    return plate


def _paint(scene: _Scene, flaw: _Flaw | None) -> Image:
    colour, height, gloss = _plate(scene, flaw or _Flaw()).layers()
    soft = ndimage.gaussian_filter(height, 0.0042 * scene.side)
    surface = normals(1.6 * soft + 0.00025 * scene.weave * (0.3 + gloss))
    light = lamp(scene.lamp, 0.9)
    mirrored = facing(surface, halfway(light))
    bright = 0.42 + 0.85 * facing(surface, light) + 0.03 * scene.dirt
    bright *= 1 + (scene.bodies - 1) * (height > 0.02)
    shine = gloss * (0.75 * smoothstep(0.93, 1.0, mirrored) + 0.1 * smoothstep(0.7, 0.95, mirrored))
    fallen = cast(soft, scene.lamp, 0.016) - soft - 0.003
    shadow = 1 - 0.5 * np.clip(fallen / 0.014, 0.0, 1.0)
    metal = 1 - 0.45 * smoothstep(0.5, 0.9, gloss)  # metal shows its surroundings, not itself
    image = colour * (bright * shadow * metal)[..., None]
    return (image + tint((0.55, 0.55, 0.56), shine * shadow)) * scene.light


def _without(parts: tuple[Part, ...], number: int) -> tuple[Part, ...]:
    return parts[:number] + parts[number + 1 :]


def _missing(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    return _Flaw(parts=_without(scene.parts, int(rng.integers(1, len(scene.parts)))))


def _turned(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    number = int(rng.integers(4, len(scene.parts)))
    part = scene.parts[number]
    dv, du = rng.uniform(-0.012, 0.012, 2)
    turn = part.turn + rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 0.9)
    wrong = replace(part, v=part.v + dv, u=part.u + du, turn=turn)
    return _Flaw(parts=(*_without(scene.parts, number), wrong))


def _bridge(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    chip = scene.parts[0]
    count = board.LEADS_A_SIDE[chip.kind]
    first = int(rng.integers(count - 1)) + count * int(rng.integers(2))
    feet = [foot for _, foot in board.leads(chip)[first : first + 2]]
    path = (
        feet[0]
        + np.linspace(0, 1, 7)[:, None] * (feet[1] - feet[0])
        + rng.normal(0.0, 0.0015, (7, 2))
    )
    waist = rng.uniform(0.014, 0.022)
    width = waist + 0.014 * np.square(np.linspace(-1, 1, 7))
    return _Flaw(solder=(ribbon(path, width),))


def _bent_lead(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    count = 2 * board.LEADS_A_SIDE[scene.parts[0].kind]
    pushed = rng.choice([-1.0, 1.0]) * rng.uniform(0.6, 0.95) * board.LEAD_PITCH["soic"]
    return _Flaw(bent=(int(rng.integers(count)), pushed))


def _cut_track(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    del scene  # the tracks are where they are on every board
    visible = [points for points in board.TRACKS if len(points) > 2]
    points = visible[rng.integers(len(visible))]
    lengths = np.hypot(*np.diff(points, axis=0).T)
    longest = int(np.argmax(lengths))
    start, end = points[longest], points[longest + 1]
    middle = start + rng.uniform(0.35, 0.65) * (end - start)
    along = (end - start) / lengths[longest]
    gap = rng.uniform(0.014, 0.026)
    path = middle + np.linspace(-gap, gap, 6)[:, None] * along
    width = board.TRACK_WIDTH * rng.uniform(1.3, 2.3, 6)
    return _Flaw(burnt=(ribbon(path, width),))


_FLAWS = {
    "missing": _missing,
    "turned": _turned,
    "bridge": _bridge,
    "bent_lead": _bent_lead,
    "cut_track": _cut_track,
}

CIRCUIT = Spec(
    name="circuit",
    group="object",
    description="A small circuit module with chips, resistors, capacitors and a crystal.",
    render=renderer(_draw, _paint, _FLAWS),
    defects=tuple(_FLAWS),
)
