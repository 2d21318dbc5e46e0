"""The layout of the ``circuit`` category's module and the plate it is drawn on.

Board points are (v, u) around the board's centre, as fractions of the image side. A part's own
points are (v, u) around its centre; two-terminal parts have their terminals at the ends of u.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image as PILImage
from PIL import ImageDraw

from aesc.synthetic.fields import Field, Points
from aesc.synthetic.objects.shapes import Pose, lettering, ribbon
from aesc.synthetic.spec import Image

_SUPERSAMPLE = 3
_TALLEST = 0.06  # heights up to here fit the plate's 255 steps

BOARD_HALF = (0.385, 0.425)
LEAD_PITCH = {"soic": 0.06, "sot": 0.038}
LEADS_A_SIDE = {"soic": 5, "sot": 3}
LEAD_REACH = {"soic": 0.045, "sot": 0.024}
LEAD_WIDTH = {"soic": 0.025, "sot": 0.018}

# Half sizes (v, u) of each kind of part.
HALF_SIZES = {
    "soic": (0.085, 0.155),
    "sot": (0.04, 0.06),
    "can": (0.062, 0.108),
    "tantalum": (0.056, 0.09),
    "resistor": (0.024, 0.044),
    "capacitor": (0.026, 0.045),
    "led": (0.034, 0.055),
}
HEAT_PAD = (0.066, 0.122)  # half sizes of the gold pad that lies hidden under the large chip
HEAT_VIAS = tuple((v, u) for v in (-0.034, 0.0, 0.034) for u in (-0.084, -0.042, 0.0, 0.042, 0.084))
TWO_TERMINALS = ("can", "tantalum", "resistor", "capacitor", "led")


@dataclass(frozen=True)
class Material:
    """What a shape is made of: colour (0 to 1), height above the table, gloss (0 to 1)."""

    colour: tuple[float, float, float]
    height: float
    gloss: float = 0.1


LAMINATE = Material((0.06, 0.29, 0.17), 0.012, 0.25)
TRACK = Material((0.19, 0.52, 0.31), 0.013, 0.3)
INK = Material((0.76, 0.79, 0.74), 0.0125)
GOLD = Material((0.83, 0.65, 0.30), 0.014, 0.7)
HOLE = Material((0.02, 0.025, 0.025), 0.006)
HEAT_GOLD = Material((0.80, 0.64, 0.32), 0.0135, 0.5)
GLASS_FIBRE = Material((0.70, 0.71, 0.52), 0.01)
FLOOD = Material((0.68, 0.69, 0.71), 0.02, 0.62)
WIRE = Material((0.86, 0.86, 0.87), 0.032, 0.5)
SOLDER = Material((0.66, 0.67, 0.69), 0.017, 1.0)
LEAD = Material((0.70, 0.71, 0.73), 0.023, 1.0)
TIN = Material((0.76, 0.76, 0.77), 0.026, 0.8)
EPOXY = Material((0.07, 0.07, 0.075), 0.036, 0.25)
MARK = Material((0.56, 0.56, 0.55), 0.036)
CERAMIC = Material((0.62, 0.47, 0.32), 0.027, 0.3)
FILM = Material((0.085, 0.085, 0.10), 0.026, 0.4)
FILM_MARK = Material((0.82, 0.82, 0.80), 0.026)
TANTALUM = Material((0.85, 0.60, 0.16), 0.038, 0.2)
STRIPE = Material((0.45, 0.19, 0.06), 0.038, 0.2)
STEEL = Material((0.73, 0.74, 0.75), 0.036, 0.6)
LENS = Material((0.90, 0.86, 0.62), 0.03, 0.5)


@dataclass(frozen=True)
class Part:
    """A component: its kind, its centre on the board, its turn (radians)."""

    kind: str
    v: float
    u: float
    turn: float

    def place(self, points: ArrayLike) -> Points:
        """Board positions of the part's own points."""
        return Pose((self.v, self.u), self.turn, 1.0).place(points)

    def box(self, half_v: float, half_u: float, v: float = 0.0, u: float = 0.0) -> Points:
        """Board outline of a box that belongs to the part."""
        corners = np.array(
            [(-half_v, -half_u), (-half_v, half_u), (half_v, half_u), (half_v, -half_u)]
        )
        return self.place(corners + np.array([v, u]))


_UP = np.pi / 2
PARTS = (
    Part("soic", -0.1, -0.15, 0.0),
    Part("sot", 0.18, -0.25, 0.0),
    Part("can", -0.07, 0.125, _UP),
    Part("tantalum", -0.25, 0.215, 0.0),
    Part("capacitor", -0.29, -0.13, 0.0),
    Part("capacitor", 0.0, 0.29, _UP),
    Part("led", 0.175, 0.26, 0.0),
    Part("resistor", 0.175, -0.12, _UP),
    Part("resistor", 0.175, -0.045, _UP),
    Part("resistor", 0.175, 0.03, _UP),
    Part("resistor", 0.175, 0.105, _UP),
    Part("capacitor", 0.083, 0.155, 0.0),
)

_TRACK_POINTS = (
    ((-0.23, -0.27), (-0.255, -0.3), (-0.255, -0.36), (-0.2, -0.39), (0.3, -0.385)),
    ((-0.23, -0.21), (-0.29, -0.18)),
    ((-0.23, -0.15), (-0.26, -0.11), (-0.29, -0.09)),
    ((-0.23, -0.09), (-0.25, -0.05), (-0.25, 0.09), (-0.18, 0.125)),
    ((-0.23, -0.03), (-0.215, 0.02), (-0.2, 0.035), (0.0, 0.045), (0.04, 0.125)),
    ((0.03, -0.27), (0.06, -0.33), (0.22, -0.345), (0.33, -0.28)),
    ((0.03, -0.21), (0.08, -0.26), (0.12, -0.288)),
    ((0.03, -0.15), (0.09, -0.12), (0.14, -0.12)),
    ((0.03, -0.09), (0.07, -0.045), (0.14, -0.045)),
    ((0.03, -0.03), (0.06, 0.03), (0.14, 0.03)),
    ((0.08, 0.11), (0.06, 0.03)),
    ((0.08, 0.19), (0.08, 0.25), (0.04, 0.29)),
    ((0.21, -0.12), (0.33, -0.12)),
    ((0.21, -0.045), (0.33, -0.04)),
    ((0.21, 0.03), (0.33, 0.04)),
    ((0.21, 0.105), (0.33, 0.12)),
    ((0.24, -0.21), (0.33, -0.2)),
    ((-0.25, 0.3), (-0.24, 0.33), (-0.19, 0.385), (0.15, 0.385), (0.175, 0.31)),
    ((-0.25, 0.295), (-0.1, 0.255), (-0.045, 0.285)),
    ((0.175, 0.21), (0.26, 0.2), (0.33, 0.2)),
)  # fmt: skip
TRACKS = tuple(np.array(points) for points in _TRACK_POINTS)
TRACK_WIDTH = 0.0125
VIAS = ((-0.25, 0.03), (-0.255, -0.345), (0.1, 0.385), (0.26, 0.2), (0.12, -0.338))
HEADER = tuple((0.33, u) for u in np.linspace(-0.28, 0.28, 8))
MOUNTS = ((-0.32, -0.36), (-0.32, 0.36))
LABELS = (
    ("U1", -0.1, -0.345, 0.034),
    ("C1", -0.29, -0.035, 0.026),
    ("R1", 0.252, -0.082, 0.026),
    ("R4", 0.252, 0.068, 0.026),
    ("C2", 0.09, 0.315, 0.026),
    ("X1", -0.1, 0.218, 0.028),
    ("A732", 0.255, 0.335, 0.03),
)


def leads(part: Part) -> list[tuple[Points, Points]]:
    """Root and foot of every lead of a chip, on the board; the top row first, then the bottom."""
    half_v, _ = HALF_SIZES[part.kind]
    count, pitch, reach = LEADS_A_SIDE[part.kind], LEAD_PITCH[part.kind], LEAD_REACH[part.kind]
    places = (np.arange(count) - (count - 1) / 2) * pitch
    return [
        (part.place((row * (half_v - 0.004), u)), part.place((row * (half_v + reach), u)))
        for row in (-1.0, 1.0)
        for u in places
    ]


def disc(v: float, u: float, radius: float) -> Points:
    """Outline of a disc on the board."""
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    return np.stack([v + radius * np.sin(turn), u + radius * np.cos(turn)], axis=1)


def writing(text: str, part: Part, height: float, pen: float) -> list[Points]:
    """Board outlines of pen strokes that write ``text`` across a part."""
    return [ribbon(part.place(stroke), pen) for stroke in lettering(text, height)]


class Plate:
    """Colour, height and gloss of the scene, drawn shape over shape."""

    def __init__(self, side: int, pose: Pose, ground: Material) -> None:
        """A plate of ``side`` x ``side`` samples for a board that lies in ``pose``."""
        self._fine = side * _SUPERSAMPLE
        self._pose = pose
        square = (self._fine, self._fine)
        self._colour = PILImage.new("RGB", square, _rgb(ground))
        self._height = PILImage.new("L", square, _byte(ground.height / _TALLEST))
        self._gloss = PILImage.new("L", square, _byte(ground.gloss))

    def fill(self, outlines: Iterable[Points], material: Material) -> None:
        """Fill outlines given on the board."""
        colour, height, gloss = map(ImageDraw.Draw, (self._colour, self._height, self._gloss))
        for outline in outlines:
            fine = self._pose.place(outline) * self._fine - 0.5
            corners = [(float(x), float(y)) for y, x in fine]
            colour.polygon(corners, fill=_rgb(material))
            height.polygon(corners, fill=_byte(material.height / _TALLEST))
            gloss.polygon(corners, fill=_byte(material.gloss))

    def layers(self) -> tuple[Image, Field, Field]:
        """Colour (side x side x 3, 0 to 1), height (a length) and gloss (0 to 1), anti-aliased."""
        colour, height, gloss = (
            np.asarray(picture.reduce(_SUPERSAMPLE), dtype=float) / 255
            for picture in (self._colour, self._height, self._gloss)
        )
        return colour, height * _TALLEST, gloss


def _byte(value: float) -> int:
    return round(255 * value)


def _rgb(material: Material) -> tuple[int, int, int]:
    red, green, blue = material.colour
    return _byte(red), _byte(green), _byte(blue)
