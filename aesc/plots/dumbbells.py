"""Two or three numbers of each name side by side, such as the AUROC of both maps by category."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from aesc._checks import counted
from aesc.errors import InputError
from aesc.plots._input import numbers
from aesc.plots._style import (
    BLUE,
    FAINT,
    GREEN,
    SMALL,
    VERMILION,
    WIDTH,
    finish,
    listed,
    new_figure,
    plain,
    style,
    wrapped,
)

_LOOKS = ((BLUE, "o"), (VERMILION, "D"), (GREEN, "s"))
"""Colour and marker of each kind; they differ in shape too, for prints without colour."""

Panel = Mapping[str, ArrayLike]
"""N numbers by the name of their kind; NaN leaves a gap."""


def dumbbells(
    names: Sequence[str],
    panels: Mapping[str, Panel],
    label: str,
    *,
    reference: float | None = None,
) -> Figure:
    """Draw a row for each name with a mark for each kind, joined by a line; panels side by side.

    Args:
        names: N names, from the top.
        panels: one or more by title, all with the same kinds, one to three.
        label: what the numbers are.
        reference: a value to mark faintly in every panel, such as 0.5 for chance.

    Raises:
        InputError: no name or panel, more than three kinds, kinds or lengths that differ, or
            infinite values.
    """
    tables = {title: _table(panel, len(names)) for title, panel in panels.items()}
    kinds = list(next(iter(panels.values()), {}))
    if not kinds or len(kinds) > len(_LOOKS) or any(list(p) != kinds for p in panels.values()):
        raise InputError("Give every panel numbers of the same one, two or three kinds.")
    rows = np.arange(len(names))
    with style():
        size = (WIDTH, 1.4 + 0.3 * len(names))
        figure, grid = new_figure(1, len(panels), size)
        for axes, (title, table) in zip(grid[0], tables.items(), strict=True):
            low, high = np.fmin.reduce(table), np.fmax.reduce(table)  # NaN only where all are
            axes.hlines(rows, low, high, color="#999999", linewidth=2.5, zorder=2)
            for kind, values, (colour, marker) in zip(kinds, table, _LOOKS, strict=False):
                axes.plot(
                    values, rows, marker, color=colour, label=plain(kind), linestyle="", zorder=3
                )
            if reference is not None:
                axes.axvline(reference, **FAINT, zorder=1)
            axes.set_title(wrapped(title, 0.75 * WIDTH / len(panels)), fontsize=SMALL)
            axes.set(xlabel=label, ylim=(len(names) - 0.5, -0.5))
            axes.set_yticks(rows, [""] * len(names))
            axes.tick_params(axis="y", length=0)
            axes.grid(True)
        grid[0, 0].set_yticks(rows, [plain(name) for name in names])
        handles = grid[0, 0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper center", ncols=len(kinds))
        return finish(
            figure,
            f"{label} of {listed(kinds)} for {counted(len(names), 'name')}, a row each, in "
            f"{counted(len(panels), 'panel')}: {listed(list(panels))}.",
        )


def _table(panel: Panel, count: int) -> NDArray[np.float64]:
    """Kinds x names."""
    rows = [numbers(values, kind, gaps=True) for kind, values in panel.items()]
    if count == 0 or any(row.shape != (count,) for row in rows):
        raise InputError(f"Give every kind {count} numbers, one for each name, and one at least.")
    return np.array(rows)
