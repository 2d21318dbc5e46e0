"""Charts of numbers: lines, and tables as heat maps."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogFormatterSciNotation, NullFormatter
from numpy.typing import ArrayLike, NDArray

from aesc._checks import counted
from aesc.errors import InputError
from aesc.plots._input import numbers, scalar
from aesc.plots._style import (
    FAINT,
    SMALL,
    WIDTH,
    finish,
    legend_below,
    listed,
    new_figure,
    plain,
    style,
    two_decimals,
    visible,
    wrapped,
)

_DARK = 0.55
"""Share of the colour range below which text on a cell is light."""


class _PlainLog(LogFormatterSciNotation):
    """Labels where the scientific notation has them, as plain numbers."""

    def __call__(self, value: float, position: int | None = None) -> str:
        return f"{value:g}" if super().__call__(value, position) else ""


def lines(
    x: Sequence[float],
    series: Mapping[str, ArrayLike],
    x_label: str,
    y_label: str,
    *,
    log: bool = False,
    reference: str | None = None,
) -> Figure:
    """Draw one line per series over common values of ``x``.

    Args:
        x: N numbers, rising; every one gets a tick where the scale is logarithmic.
        series: N numbers by name, at least one series; NaN leaves a gap.
        x_label: what ``x`` is, with its unit.
        y_label: what the numbers are, with their unit.
        log: logarithmic scales, for numbers above 0.
        reference: name of a series that is drawn faint, such as an ideal or chance.

    Raises:
        InputError: no ``x``, series of another length or without a number, infinite values, or
            numbers that a logarithmic scale cannot show.
    """
    places, values = _series(x, series)
    if log and min(places.min(), *(np.nanmin(y, initial=np.inf) for y in values.values())) <= 0:
        raise InputError("A logarithmic scale shows numbers above 0 only: leave log out.")
    with style():
        figure, grid = new_figure(1, 1, (WIDTH * 0.8, 4.2))
        axes = grid[0, 0]
        for name, y in values.items():
            look = {**FAINT, "zorder": 1} if name == reference else {"marker": "o", "markersize": 4}
            axes.plot(places, y, label=plain(name), **look)
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.grid(True)
        if log:
            axes.set(xscale="log", yscale="log")
            axes.xaxis.set_major_locator(FixedLocator(list(places)))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.yaxis.set_major_formatter(_PlainLog(labelOnlyBase=False))
            axes.yaxis.set_minor_formatter(_PlainLog(labelOnlyBase=False))
        legend_below(axes)
        return finish(
            figure,
            f"{y_label} over {x_label}, {counted(len(values), 'line')}: {listed(list(values))}.",
        )


def heat_table(
    values: ArrayLike, rows: Sequence[str], columns: Sequence[str], label: str, center: float
) -> Figure:
    """Draw a table whose cells are coloured by their value, each with its number.

    Args:
        values: rows x columns numbers; NaN leaves a cell empty.
        rows: names of the rows.
        columns: names of the columns.
        label: what the numbers are.
        center: value without colour, such as 0.5 for an AUROC; above is violet, below orange.

    Raises:
        InputError: a table of another shape than its names, without a number, or with infinite
            ones.
    """
    table = numbers(values, "values", gaps=True)
    center = scalar("center", center)
    if table.shape != (len(rows), len(columns)):
        raise InputError(
            f"values is of shape {table.shape}: give a number for each cell of "
            f"{counted(len(rows), 'row')} and {counted(len(columns), 'column')}."
        )
    if np.isnan(table).all():
        raise InputError("values holds no number: give one at least.")
    reach = visible(float(np.nanmax(np.abs(table - center))))
    with style():
        size = (min(WIDTH, 1.6 + 0.8 * len(columns)), 1.3 + 0.42 * len(rows))
        figure, grid = new_figure(1, 1, size)
        axes = grid[0, 0]
        picture = axes.imshow(
            table, cmap="PuOr", vmin=center - reach, vmax=center + reach, aspect="auto"
        )
        axes.set_xticks(range(len(columns)), [wrapped(name, 0.9) for name in columns])
        axes.set_yticks(range(len(rows)), [plain(name) for name in rows])
        axes.tick_params(length=0)
        axes.tick_params(axis="x", labelsize=SMALL)
        axes.spines[:].set_visible(False)
        for (row, column), value in np.ndenumerate(table):
            if np.isfinite(value):
                strong = abs(value - center) > _DARK * reach
                axes.text(
                    column, row, two_decimals(value), ha="center", va="center", fontsize=SMALL,
                    color="white" if strong else "black",
                )  # fmt: skip
        figure.colorbar(picture, label=label)
        return finish(figure, f"{label} as a table: {listed(rows)} against {listed(columns)}.")


def _series(
    x: Sequence[float], series: Mapping[str, ArrayLike]
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """The places and the numbers of every series over them."""
    places = numbers(x, "x")
    values = {name: numbers(y, name, gaps=True) for name, y in series.items()}
    if places.ndim != 1 or places.size == 0:
        raise InputError(f"x is of shape {places.shape}: give a list of one number at least.")
    if not values or any(y.shape != places.shape for y in values.values()):
        raise InputError(f"Give every series {counted(len(places), 'number')}, one for each x.")
    if all(np.isnan(y).all() for y in values.values()):
        raise InputError("series holds no number: give one at least.")
    return places, values
