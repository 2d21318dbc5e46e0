"""The drawing of an autoencoder, level by level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from aesc._checks import counted
from aesc.errors import InputError
from aesc.plots._style import (
    BLUE,
    GREEN,
    ORANGE,
    SMALL,
    VERMILION,
    WIDTH,
    finish,
    new_figure,
    style,
)

_ROW = 0.74
"""Height of one level, in inches."""

_BOX = 0.46
"""Height of a box, in inches."""

_NARROW, _WIDE = 1.15, 2.55
"""Widths of the boxes of the smallest and of the largest map, in inches."""

_LEFT, _RIGHT = 1.6, 5.4
"""Where the encoder and the decoder stand, in inches from the left."""

_TIMES = "\N{MULTIPLICATION SIGN}"

_ARROW = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, "linewidth": 1.6, "mutation_scale": 12}


class Stage(NamedTuple):
    """One box of `network`: a batch of feature maps, or an image.

    Attributes:
        channels: number of maps.
        height: of a map, in pixels.
        width: of a map, in pixels.
        parameters: of the layers that make the maps from those before; 0 for the input.
    """

    channels: int
    height: int
    width: int
    parameters: int = 0


def network(encoder: Sequence[Stage], decoder: Sequence[Stage], skips: bool = True) -> Figure:
    """Draw an autoencoder: down on the left, up on the right, one row for each level.

    Boxes are as wide as the logarithm of the side of their maps, and name the maps as channels x
    height x width and the parameters of the layers that make them.

    Args:
        encoder: the input image first, the deepest maps last; two at least.
        decoder: from the level above the deepest to the reconstruction, one fewer.
        skips: draw the connections from the encoder to the decoder, added at each level between
            the image and the deepest.

    Raises:
        InputError: numbers of stages that do not fit, or sizes below 1 or without an end.
    """
    down, up = ([Stage(*stage) for stage in part] for part in (encoder, decoder))
    if len(down) < 2 or len(up) != len(down) - 1:
        raise InputError(
            f"{len(down)} stages of the encoder and {len(up)} of the decoder do not fit: "
            "give the input, each level down, and one stage fewer on the way up."
        )
    for stage in (*down, *up):
        if not all(1 <= size < math.inf for size in stage[:3]):
            raise InputError(f"A stage of {_text(stage)} cannot be drawn: give positive sizes.")
    depth = len(down) - 1
    with style():
        # The legend takes a row of its own below.
        figure, grid = new_figure(1, 1, (WIDTH, _ROW * (depth + 1) + 0.55))
        axes = grid[0, 0]
        axes.set(xlim=(0, WIDTH), ylim=(-(depth + 0.5) * _ROW - 0.55, 0.5 * _ROW))
        axes.set_axis_off()
        boxes = _Boxes(axes, (*down, *up))
        for level, stage in enumerate(down):
            boxes.draw(stage, _left(level, depth), level, "input" if level == 0 else "")
        for level, stage in enumerate(reversed(up)):
            boxes.draw(stage, _RIGHT, level, "reconstruction" if level == 0 else "")
        _arrows(axes, depth)
        if skips:
            for level in range(1, depth):
                start, end = (boxes.half(down[level]), boxes.half(up[depth - 1 - level]))
                _skip(axes, _LEFT + start, _RIGHT - end, level)
        _legend(axes, depth, skips)
        return finish(
            figure,
            f"An autoencoder of {counted(depth, 'level')}: the input, {_text(down[0])}, shrinks "
            f"on the left to {_text(down[-1])} and grows again on the right"
            + (", where the encoder's maps of the same size are added." if skips else "."),
        )


class _Boxes:
    """Rounded boxes whose width follows the logarithm of the side of their maps."""

    def __init__(self, axes: Axes, stages: Sequence[Stage]) -> None:
        sizes = [self._size(stage) for stage in stages]
        self.axes, self.smallest = axes, min(sizes)
        self.span = max(max(sizes) - self.smallest, 1.0)

    @staticmethod
    def _size(stage: Stage) -> float:
        return math.log2(max(stage.height, stage.width))

    def half(self, stage: Stage) -> float:
        """Half the width of a stage's box, in inches."""
        share = (self._size(stage) - self.smallest) / self.span
        return (_NARROW + share * (_WIDE - _NARROW)) / 2

    def draw(self, stage: Stage, x: float, level: int, name: str) -> None:
        """Draw a stage around ``x``; an image has a name instead of parameters below it."""
        half, y = self.half(stage), -level * _ROW
        colour = ORANGE if name else BLUE
        self.axes.add_patch(
            FancyBboxPatch(
                (x - half, y - _BOX / 2), 2 * half, _BOX,
                boxstyle="round,pad=0,rounding_size=0.06",
                facecolor=(colour, 0.16), edgecolor=colour, linewidth=1.4,
            )
        )  # fmt: skip
        below = f"{name}, {_short(stage.parameters)}" if name and stage.parameters else name
        lines = (_text(stage), below or _short(stage.parameters))
        for line, shift, weight in zip(lines, (0.105, -0.105), ("bold", "normal"), strict=True):
            self.axes.text(
                x, y + shift, line, ha="center", va="center_baseline", fontsize=SMALL, weight=weight
            )


def _left(level: int, depth: int) -> float:
    """Place of an encoder stage: the deepest stands between the two lanes."""
    return (_LEFT + _RIGHT) / 2 if level == depth else _LEFT


def _arrows(axes: Axes, depth: int) -> None:
    """Arrows down the encoder and up the decoder."""
    middle = (_LEFT + _RIGHT) / 2
    for level in range(depth - 1):
        top, bottom = -level * _ROW - _BOX / 2, -(level + 1) * _ROW + _BOX / 2
        axes.annotate("", (_LEFT, bottom), (_LEFT, top), arrowprops={**_ARROW, "color": VERMILION})
        axes.annotate("", (_RIGHT, top), (_RIGHT, bottom), arrowprops={**_ARROW, "color": GREEN})
    above, deepest = -(depth - 1) * _ROW - _BOX / 2, -depth * _ROW
    for x, colour, ends in (
        (_LEFT, VERMILION, ((middle - _NARROW / 2, deepest), (_LEFT, above))),
        (_RIGHT, GREEN, ((_RIGHT, above), (middle + _NARROW / 2, deepest))),
    ):
        bend = "angle,angleA=90,angleB=0" if x == _LEFT else "angle,angleA=0,angleB=90"
        axes.annotate(
            "", *ends, arrowprops={**_ARROW, "color": colour, "connectionstyle": f"{bend},rad=6"}
        )


def _skip(axes: Axes, start: float, end: float, level: int) -> None:
    """A dashed arrow across, with the sign of the addition."""
    y = -level * _ROW
    axes.annotate(
        "", (end, y), (start, y), arrowprops={**_ARROW, "color": "#555555", "linestyle": "--"}
    )
    axes.text(
        (start + end) / 2, y, "+", ha="center", va="center", fontsize=14, weight="bold",
        bbox={"boxstyle": "circle,pad=0.12", "facecolor": "white", "edgecolor": "#555555"},
    )  # fmt: skip


def _legend(axes: Axes, depth: int, skips: bool) -> None:
    """What the arrows are, and how to read a box."""
    y = -(depth + 0.5) * _ROW - 0.12
    entries = [
        (VERMILION, "convolution, stride 2"),
        (GREEN, "up-sampling, convolution"),
        ("#555555", "addition"),
    ]
    places = (0.1, 2.45, 5.15)
    for x, (colour, text) in zip(places, entries if skips else entries[:2], strict=False):
        dashes = "--" if text == "addition" else "-"
        arrow = {**_ARROW, "color": colour, "linestyle": dashes}
        axes.annotate("", (x + 0.4, y), (x, y), arrowprops=arrow)
        axes.text(x + 0.48, y, text, va="center_baseline", fontsize=SMALL)
    axes.text(
        0.1, y - 0.27, f"in a box: maps {_TIMES} height {_TIMES} width, below it the parameters",
        va="center_baseline", fontsize=SMALL,
    )  # fmt: skip


def _text(stage: Stage) -> str:
    return f"{stage.channels} {_TIMES} {stage.height} {_TIMES} {stage.width}"


def _short(number: int) -> str:
    """A number in three digits: 848, 12.9 k, 3.28 M."""
    for unit, name in ((1e6, " M"), (1e3, " k")):
        if number >= unit:
            return f"{number / unit:.3g}{name}"
    return str(number)
