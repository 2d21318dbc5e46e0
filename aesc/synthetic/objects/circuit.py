"""The category ``circuit``: a small green circuit module with chips, resistors and capacitors."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from aesc.synthetic.fields import (
    Field,
    Points,
    fractal_field,
    lighting,
    smooth_curve,
    smoothstep,
    tint,
)
from aesc.synthetic.objects import circuit_board as board
from aesc.synthetic.objects.circuit_board import Material, Part, Plate
from aesc.synthetic.objects.shapes import (
    Pose,
    cast,
    facing,
    halfway,
    lamp,
    normals,
    object_category,
    ribbon,
)
from aesc.synthetic.spec import Image

_GROUND = Material((0.60, 0.60, 0.585), 0.0, 0.0)
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
    solder: tuple[Points, ...] = ()  # outlines of a heap of solder, from its foot to its top
    wire: tuple[Points, ...] = ()  # outlines of wire left on the board
    torn: Points | None = None  # line of a fracture, from edge to edge of the board
    corner: Points | None = None  # the corner that is gone beyond that line


def _placed(rng: np.random.Generator, part: Part) -> Part:
    """A part as the placement machine leaves it: a little off."""
    dv, du, turn = rng.normal(0.0, 1.0, 3).clip(-2.0, 2.0) * (0.002, 0.002, 0.02)
    return replace(part, v=part.v + dv, u=part.u + du, turn=part.turn + turn)


def _draw(rng: np.random.Generator, side: int) -> _Scene:
    return _Scene(
        side=side,
        pose=Pose.draw(rng, shift=0.014, angle=0.045, growth=0.012),
        lamp=rng.uniform(-2.1, -1.0),
        parts=tuple(_placed(rng, part) for part in board.PARTS),
        bodies=rng.uniform(0.9, 1.1),
        weave=fractal_field(rng, side, 0.012, octaves=2),
        dirt=fractal_field(rng, side, 0.25, octaves=4, fading=0.6),
        light=lighting(rng, side, strength=0.14),
    )


def _draw_board(plate: Plate) -> None:
    half_v, half_u = board.BOARD_HALF
    plate.fill([Part("board", 0.0, 0.0, 0.0).box(half_v, half_u)], board.LAMINATE)
    plate.fill([ribbon(points, board.TRACK_WIDTH) for points in board.TRACKS], board.TRACK)
    plate.fill([board.disc(v, u, 0.0125) for v, u in board.VIAS], board.TRACK)
    plate.fill([board.disc(v, u, 0.0055) for v, u in board.VIAS], board.HOLE)
    for places, ring, hole in ((board.HEADER, 0.027, 0.014), (board.MOUNTS, 0.042, 0.026)):
        plate.fill([board.disc(v, u, ring) for v, u in places], board.GOLD)
        plate.fill([board.disc(v, u, hole) for v, u in places], board.HOLE)
    for text, v, u, height in board.LABELS:
        plate.fill(board.writing(text, Part("ink", v, u, 0.0), height, _LABEL_PEN), board.INK)


def _draw_pads(plate: Plate) -> None:
    """Pads and their solder: they belong to the board, so they stay where a part is missing."""
    chip = board.PARTS[0]
    plate.fill([chip.box(*board.HEAT_PAD)], board.HEAT_GOLD)
    heat_vias = (chip.place(place) for place in board.HEAT_VIAS)
    plate.fill([board.disc(v, u, 0.0085) for v, u in heat_vias], board.HOLE)
    for part in board.PARTS[2:4]:  # ground bars, hidden under the can and the tantalum
        half_u = board.HALF_SIZES[part.kind][1]
        bars = (part.box(0.034, 0.0075, u=share * half_u) for share in (-0.45, 0.0, 0.45))
        plate.fill(bars, board.HEAT_GOLD)
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


def _draw_chip(plate: Plate, part: Part) -> None:
    half_v, half_u = board.HALF_SIZES[part.kind]
    width = board.LEAD_WIDTH[part.kind]
    plate.fill([ribbon(np.stack(ends), width) for ends in board.leads(part)], board.LEAD)
    plate.fill([part.box(half_v, half_u)], board.EPOXY)
    if part.kind == "soic":
        plate.fill(board.writing("CX250", part, 0.05, 0.007), board.MARK)
        v, u = part.place((half_v - 0.02, -half_u + 0.02))
        plate.fill([board.disc(v, u, 0.009)], replace(board.EPOXY, height=0.032))
    else:
        plate.fill(board.writing("A7", part, 0.034, 0.0055), board.MARK)


def _draw_two_terminals(plate: Plate, part: Part) -> None:
    half_v, half_u = board.HALF_SIZES[part.kind]
    if part.kind == "can":
        plate.fill([part.box(half_v, half_u)], replace(board.STEEL, height=0.02))
        plate.fill([part.box(half_v - 0.008, half_u - 0.008)], board.STEEL)
        strokes = board.writing("1200", part, 0.038, 0.0055)
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
        plate.fill([board.disc(v, u, 0.025)], board.LENS)


def _plate(scene: _Scene, flaw: _Flaw) -> Plate:
    plate = Plate(scene.side, scene.pose, _GROUND)
    _draw_board(plate)
    _draw_pads(plate)
    parts = scene.parts if flaw.parts is None else flaw.parts
    for part in parts:
        if part.kind in board.TWO_TERMINALS:
            _draw_two_terminals(plate, part)
        else:
            _draw_chip(plate, part)
    for layer, outline in enumerate(flaw.solder):
        plate.fill([outline], replace(board.FLOOD, height=board.FLOOD.height + 0.004 * layer))
    plate.fill(flaw.wire, board.WIRE)
    if flaw.torn is not None and flaw.corner is not None:
        bare = 0.06 * np.sin(np.linspace(0, np.pi, len(flaw.torn)))
        plate.fill([ribbon(flaw.torn, bare)], board.GLASS_FIBRE)
        plate.fill([np.concatenate([flaw.torn, flaw.corner])], _GROUND)
    return plate


def _paint(scene: _Scene, flaw: _Flaw | None) -> Image:
    colour, height, gloss = _plate(scene, flaw or _Flaw()).layers()
    soft = ndimage.gaussian_filter(height, 0.0042 * scene.side)
    surface = normals(1.6 * soft + 0.00018 * scene.weave * (0.3 + gloss))
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
    return _Flaw(parts=_without(scene.parts, int(rng.choice((0, 0, 0, 2, 2, 3, 3, 6)))))


def _turned(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    number = int(rng.choice((0, 2, 2, 2, 3, 3, 3, 6)))
    part = scene.parts[number]
    dv, du = rng.uniform(-0.012, 0.012, 2)
    low, high = (0.3, 0.5) if part.kind == "soic" else (0.6, 1.5)
    turn = rng.choice([-1.0, 1.0]) * rng.uniform(low, high)
    wrong = replace(part, v=part.v + dv, u=part.u + du, turn=part.turn + turn)
    return _Flaw(parts=(*_without(scene.parts, number), wrong))


def _bridge(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    """A flood of solder over two to five neighbouring leads of the large chip."""
    chip = scene.parts[0]
    count = board.LEADS_A_SIDE[chip.kind]
    joined = int(rng.integers(2, count + 1))
    first = int(rng.integers(count - joined + 1)) + count * int(rng.integers(2))
    feet = [foot for _, foot in board.leads(chip)]
    start, end = feet[first], feet[first + joined - 1]
    steps = np.linspace(-0.04, 1.04, 25)
    path = start + steps[:, None] * (end - start) + rng.normal(0.0, 0.0015, (25, 2))
    # The flood draws together between the leads and is round at its ends.
    waist = rng.uniform(0.055, 0.09)
    width = waist + 0.009 * np.cos(2 * np.pi * (joined - 1) * steps) + rng.normal(0.0, 0.003, 25)
    ends = np.sqrt(np.clip(1 - np.linspace(-1, 1, 25) ** 8, 0.15, 1.0))
    heap = tuple(ribbon(path, share * width * ends) for share in (1.0, 0.8, 0.58, 0.34))
    return _Flaw(solder=heap)


def _wire(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    """A clipped end of wire, bent once or twice, that was left lying on the board."""
    del scene  # it may lie on any board
    heading = rng.uniform(-np.pi, np.pi)
    place = rng.uniform(-0.14, 0.14, 2)
    bends = np.concatenate([[0.0], rng.choice([-1.0, 1.0], 3) * rng.uniform(0.3, 1.1, 3)])
    headings = heading + np.cumsum(bends)
    moves = np.stack([np.sin(headings), np.cos(headings)], axis=1)
    knots = np.cumsum(moves * rng.uniform(0.05, 0.11, (4, 1)), axis=0)
    path = smooth_curve(place + knots - knots.mean(axis=0), samples=40)
    return _Flaw(wire=(ribbon(path, 0.0125),))


def _broken(rng: np.random.Generator, scene: _Scene) -> _Flaw:
    """A corner of the board is gone, with all that was soldered to it."""
    half_v, half_u = board.BOARD_HALF
    across, down = rng.choice([-1.0, 1.0], 2)
    reach_v, reach_u = rng.uniform(0.2, 0.29, 2)
    share = np.linspace(-0.05, 1.05, 15)
    jags = rng.normal(0.0, 0.007, 15)
    from_v = reach_v * (1 - share) + jags
    from_u = reach_u * share + jags
    torn = np.stack([down * (half_v - from_v), across * (half_u - from_u)], axis=1)
    out_v, out_u = down * (half_v + 0.03), across * (half_u + 0.03)
    corner = np.array([(out_v, torn[-1, 1]), (out_v, out_u), (torn[0, 0], out_u)])

    def left(part: Part) -> bool:
        v, u = part.box(*board.HALF_SIZES[part.kind]).T
        return bool(np.all((half_v - down * v) / reach_v + (half_u - across * u) / reach_u > 1.05))

    return _Flaw(parts=tuple(filter(left, scene.parts)), torn=torn, corner=corner)


_FLAWS = {
    "missing": _missing,
    "turned": _turned,
    "bridge": _bridge,
    "wire": _wire,
    "broken": _broken,
}

CIRCUIT = object_category(
    "circuit",
    "A small circuit module with chips, resistors, capacitors and a crystal.",
    _draw,
    _paint,
    _FLAWS,
)
