"""The figure of closed outlines in the making: points, moves, lines, filled pixels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from aesc._checks import counted
from aesc.errors import InputError
from aesc.plots._input import numbers
from aesc.plots._style import (
    BLUE,
    SMALL,
    VERMILION,
    WIDTH,
    finish,
    listed,
    new_figure,
    plain,
    style,
)

_FAINT = "#777777"


@dataclass(frozen=True, eq=False)
class Outline:
    """What one panel of `outlines` shows. Coordinates are (y, x) in pixels around the centre.

    Attributes:
        points: P x 2, drawn as dots and numbered from 1 in their order.
        before: P x 2, where the points came from, each with an arrow to its point.
        line: V x 2, drawn closed.
        guide: V x 2, drawn closed and faint.
        pixels: H x W, filled where nonzero; the middle pixel lies at the centre.
    """

    points: ArrayLike | None = None
    before: ArrayLike | None = None
    line: ArrayLike | None = None
    guide: ArrayLike | None = None
    pixels: ArrayLike | None = None


def outlines(panels: Mapping[str, Outline]) -> Figure:
    """Draw outlines side by side on one scale, each under its title.

    Args:
        panels: What to draw, by title; two at most fit the page.

    Raises:
        InputError: no panel, more than two, arrays of other shapes than `Outline` says, or
            values that are not finite.
    """
    if not 1 <= len(panels) <= 2:
        raise InputError(f"There are {len(panels)} panels to draw: give one or two.")
    checked = {title: _checked(panel) for title, panel in panels.items()}
    down, right = np.max([_reach(parts) for parts in checked.values()], axis=0)
    with style():
        wide = len(checked) == 2
        width = WIDTH if wide else WIDTH * 0.7
        # The height that leaves no empty bands beside panels of equal scale in both directions.
        height = (width / len(checked) - 0.7) * down / right + 0.9
        figure, grid = new_figure(1, len(checked), (width, min(max(height, 2.0), WIDTH)))
        for axes, (title, parts) in zip(grid[0], checked.items(), strict=True):
            _panel(axes, parts, numbered=not wide)
            axes.set(title=plain(title), xlabel="x, pixels", aspect="equal")
            axes.set(xlim=(-right, right), ylim=(down, -down))
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        grid[0, 0].set_ylabel("y, pixels")
        return finish(figure, f"{counted(len(checked), 'outline')} drawn: {listed(list(checked))}.")


def _checked(panel: Outline) -> dict[str, NDArray[Any]]:
    parts = {name: numbers(v, name) for name, v in vars(panel).items() if v is not None}
    for name, array in parts.items():
        wanted = "H x W" if name == "pixels" else "P x 2"
        if array.ndim != 2 or array.size == 0 or (name != "pixels" and array.shape[1] != 2):
            raise InputError(f"{name} of shape {array.shape} cannot be drawn: give {wanted}.")
    if not parts:
        raise InputError("An outline is empty: give points, a line or pixels.")
    if "before" in parts and (
        "points" not in parts or len(parts["before"]) != len(parts["points"])
    ):
        raise InputError("before and points differ in number: give one of each for every arrow.")
    return parts


def _reach(parts: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Half the height and width of what holds everything, with room for the numbers."""
    far = [np.abs(array).max(axis=0) for name, array in parts.items() if name != "pixels"]
    if "pixels" in parts:
        middle = np.array(parts["pixels"].shape) // 2
        filled = np.argwhere(parts["pixels"] != 0)
        # With nothing filled, the whole raster is what there is to see.
        far.append(np.abs(filled - middle).max(axis=0) if filled.size else middle)
    farthest = np.max(far, axis=0)
    return farthest + 0.15 * farthest.max() + 1.0


def _panel(axes: Axes, parts: Mapping[str, NDArray[Any]], numbered: bool) -> None:
    if "pixels" in parts:
        filled = parts["pixels"] != 0
        height, width = filled.shape
        top, left = -(height // 2) - 0.5, -(width // 2) - 0.5
        shown = np.where(filled, 0.72, 1.0)
        axes.imshow(shown, vmin=0, vmax=1, extent=(left, left + width, top + height, top))
    if "guide" in parts:
        _closed(axes, parts["guide"], color=_FAINT, linestyle=":", linewidth=1.5)
    if "line" in parts:
        _closed(axes, parts["line"], color=BLUE, linestyle="-")
    if "before" in parts:
        axes.plot(*parts["before"].T[::-1], "o", color=_FAINT, markersize=3.5, linestyle="none")
        for (y0, x0), (y1, x1) in zip(parts["before"], parts["points"], strict=True):
            arrow = {"arrowstyle": "->", "color": _FAINT, "shrinkA": 0, "shrinkB": 2}
            axes.annotate("", (x1, y1), (x0, y0), arrowprops=arrow)
    if "points" in parts:
        points = parts["points"]
        axes.plot(*points.T[::-1], "o", color=VERMILION, markersize=5, linestyle="none")
        if numbered:
            _number(axes, points)


def _closed(axes: Axes, vertices: NDArray[Any], **look: Any) -> None:
    y, x = np.concatenate([vertices, vertices[:1]]).T
    axes.plot(x, y, **look)


def _number(axes: Axes, points: NDArray[Any]) -> None:
    """Write the number of each point on its far side from the centre."""
    distance = np.hypot(*points.T)
    away = points / np.where(distance > 0, distance, 1.0)[:, None]
    for number, ((y, x), (down, right)) in enumerate(zip(points, away, strict=True), start=1):
        axes.annotate(
            str(number), (x, y), xytext=(10 * right, -10 * down), textcoords="offset points",
            ha="center", va="center", fontsize=SMALL,
        )  # fmt: skip
