"""What each of a sequence of steps adds to one or more measures."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from aesc._checks import as_array, counted
from aesc.errors import InputError
from aesc.plots._style import (
    BLACK,
    BLUE,
    SMALL,
    VERMILION,
    WIDTH,
    finish,
    listed,
    new_figure,
    style,
    two_decimals,
    visible,
    wrapped,
)

_END = "after all steps"
"""Name of the last row: no step, but the value where the last bar ends."""


def waterfall(steps: Sequence[str], panels: Mapping[str, ArrayLike], label: str) -> Figure:
    """Draw each step as a bar from the value before it to its own; panels side by side.

    The first value and the last are dots with their numbers, each bar has the number of its change.

    Args:
        steps: N names in their order, from the top; the first is where they start.
        panels: by title, the N values after each step, all of them numbers.
        label: what the values are.

    Raises:
        InputError: no panel, fewer than two steps, or a panel without a number for each step.
    """
    values = {title: as_array(panel, title).astype(np.float64) for title, panel in panels.items()}
    fit = all(row.shape == (len(steps),) and np.isfinite(row).all() for row in values.values())
    if not values or len(steps) < 2 or not fit:
        raise InputError("Give every panel a number for each step, and two steps at least.")
    with style():
        figure, grid = new_figure(1, len(values), (WIDTH, 1.6 + 0.42 * len(steps)))
        # One scale for all: a bar of the same length is the same gain in every panel.
        span = visible(max(float(np.ptp(row)) for row in values.values()))
        for axes, (title, row) in zip(grid[0], values.items(), strict=True):
            _panel(axes, row, span)
            axes.set_title(wrapped(title, 0.75 * WIDTH / len(values)), fontsize=SMALL)
            axes.set_xlabel(label)
        names = [wrapped(step, 1.3) for step in (*steps, _END)]
        grid[0, 0].set_yticks(range(len(names)), names)
        return finish(
            figure,
            f"{label} after each step, as bars from the step before, in "
            f"{counted(len(values), 'panel')}: {listed(list(values))}; steps: {listed(steps)}.",
        )


def _panel(axes: Axes, row: NDArray[np.float64], span: float) -> None:
    """The steps of one measure: dots at both ends, bars between them, and numbers beside them."""
    places, gains = np.arange(len(row) + 1), np.diff(row)
    axes.plot(row[[0, -1]], places[[0, -1]], "o", color=BLACK)
    colours = np.where(gains < 0, VERMILION, BLUE)
    axes.barh(places[1:-1], gains, left=row[:-1], height=0.6, color=colours)
    axes.vlines(row, places[:-1], places[1:], color="#999999", linewidth=1, zorder=0)
    changes = [two_decimals(gain, signed=True) for gain in gains]
    texts = [two_decimals(row[0]), *changes, two_decimals(row[-1])]
    beside = axes.get_yaxis_transform()  # to the right of the panel, where no bar covers them
    for place, text in enumerate(texts):
        axes.text(1.03, place, text, va="center", fontsize=SMALL, transform=beside)
    end = row.max() + 0.06 * span
    axes.set(xlim=(end - 1.12 * span, end), ylim=(len(row) + 0.5, -0.5))
    axes.set_yticks(places, [""] * len(places))
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=4)
