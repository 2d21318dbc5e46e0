"""Named numbers, each row in its own order, and named points."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from aesc._checks import counted, quoted
from aesc.errors import InputError
from aesc.plots._input import numbers, scalar
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
    two_decimals,
    wrapped,
)

_DARK = 0.55
"""Share of the colour range below which text on a cell is light."""


def ranked_cells(
    rows: Mapping[str, Mapping[str, float]], label: str, low: float, high: float
) -> Figure:
    """Draw each row's named numbers from the lowest to the highest, as coloured cells.

    Args:
        rows: for each row its numbers by name; rows may differ in names and in length.
        label: what the numbers are.
        low: value of the darkest orange, such as 0.4 for an AUROC.
        high: value of the darkest blue; the middle between both has no colour.

    Raises:
        InputError: no rows, a row without a number, one that is not finite, or ``low >= high``.
    """
    if not rows:
        raise InputError("rows is empty: give one at least.")
    for name, row in rows.items():
        if not row:
            raise InputError(f"row {quoted(name)} is empty: give it at least one number.")
        for each, value in row.items():
            scalar(f"{each} of {name}", value)
    low = scalar("low", low)
    high = scalar("high", high, low, above=True)
    columns = max(map(len, rows.values()))
    table = np.full((len(rows), columns), np.nan)
    middle, reach = (low + high) / 2, (high - low) / 2
    with style():
        figure, grid = new_figure(1, 1, (WIDTH, 1.0 + 0.52 * len(rows)))
        axes = grid[0, 0]
        for y, row in enumerate(rows.values()):
            for x, (name, value) in enumerate(sorted(row.items(), key=lambda item: item[1])):
                table[y, x] = value
                axes.text(
                    x, y, f"{wrapped(name, 0.95)}\n{two_decimals(value)}", ha="center", va="center",
                    fontsize=SMALL - 2, linespacing=1.05,
                    color="white" if abs(value - middle) > _DARK * reach else "black",
                )  # fmt: skip
        picture = axes.imshow(table, cmap="PuOr", vmin=low, vmax=high, aspect="auto")
        axes.set_yticks(range(len(rows)), [plain(name) for name in rows])
        axes.set_xticks([0, columns - 1], ["lowest", "highest"])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        figure.colorbar(picture, label=label, pad=0.02)
        return finish(figure, f"{label}, from the lowest to the highest: {_lowest(rows)}.")


def named_points(
    x: Sequence[float],
    y: Sequence[float],
    names: Sequence[str],
    x_label: str,
    y_label: str,
    *,
    marked: Sequence[bool] | None = None,
) -> Figure:
    """Draw points, the marked ones in another colour and with their names.

    Args:
        x: N numbers.
        y: N numbers.
        names: N names.
        x_label: what ``x`` is, with its unit.
        y_label: what ``y`` is, with its unit.
        marked: N truth values; by default all points are marked.

    Raises:
        InputError: lists of different or no length, or numbers that are not finite.
    """
    places, heights = numbers(x, "x"), numbers(y, "y")
    marked = [True] * len(names) if marked is None else marked
    if not len(names) or not places.shape == heights.shape == (len(names),) == (len(marked),):
        raise InputError("Give as many numbers of both axes, names and marks, one at least.")
    with style():
        figure, grid = new_figure(1, 1, (WIDTH, 4.2))
        axes = grid[0, 0]
        middle = (places.min() + places.max()) / 2
        for across, up, name, named in zip(places, heights, names, marked, strict=True):
            axes.plot(across, up, "s" if named else "o", color=VERMILION if named else BLUE)
            if named:
                left = across > middle
                axes.annotate(
                    plain(name), (across, up), xytext=(-7 if left else 7, -4),
                    textcoords="offset points", ha="right" if left else "left", fontsize=SMALL,
                )  # fmt: skip
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.grid(True)
        chosen = [name for name, named in zip(names, marked, strict=True) if named]
        return finish(
            figure,
            f"{y_label} against {x_label}, {counted(len(names), 'point')}; "
            f"named: {listed(chosen) or 'none'}.",
        )


def _lowest(rows: Mapping[str, Mapping[str, float]]) -> str:
    """The lowest number of every row, for the description."""
    found = []
    for name, row in rows.items():
        lowest = min(row, key=row.__getitem__)
        found.append(f"{name} {lowest} {two_decimals(row[lowest])}")
    return listed(found).replace("_", " ")
