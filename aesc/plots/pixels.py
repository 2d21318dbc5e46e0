"""The figure of how pixel values spread."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from aesc._checks import counted, scores_and_labels
from aesc.errors import InputError
from aesc.plots._input import bin_edges
from aesc.plots._style import BLUE, VERMILION, WIDTH, finish, listed, new_figure, plain, style

_BINS = 40


def pixel_histograms(pixels: Mapping[str, tuple[ArrayLike, ArrayLike]], label: str) -> Figure:
    """Draw how the values of good and of defective pixels spread, one panel for each name.

    Both histograms of a panel have the same area, since defects are far fewer pixels than the rest.

    Args:
        pixels: For each panel, values of any shape and masks of the same shape, nonzero (1) where
            defective; all panels share one scale of values.
        label: What the values are.

    Raises:
        InputError: nothing to draw, one class only, or arrays that `aesc.metrics` refuses.
    """
    if not pixels:
        raise InputError("pixels is empty: give at least one set of values with its masks.")
    checked = {name: scores_and_labels(*pair) for name, pair in pixels.items()}
    for name, (_, bad) in checked.items():
        if bad.all() or not bad.any():
            raise InputError(f"{name} has pixels of one class only: give good and defective ones.")
    low = min(float(values.min()) for values, _ in checked.values())
    high = max(float(values.max()) for values, _ in checked.values())
    edges = bin_edges(np.array([low, high]), _BINS)
    columns = min(len(checked), 2)
    rows = -(-len(checked) // columns)
    with style():
        figure, grid = new_figure(rows, columns, (WIDTH * columns / 2, 0.8 + 2.3 * rows))
        for axes in grid.flat[len(checked) :]:
            axes.set_axis_off()
        for axes, (name, (values, bad)) in zip(grid.flat, checked.items(), strict=False):
            for kind, chosen, colour in (("good", ~bad, BLUE), ("defective", bad, VERMILION)):
                kept = values[chosen]
                axes.hist(kept, edges, density=True, color=colour, alpha=0.45, label=kind)
                axes.hist(kept, edges, density=True, color=colour, histtype="step", linestyle="-")
            axes.set(title=plain(name), xlabel=label, yticks=[])
            axes.xaxis.set_major_locator(MaxNLocator(5))
        grid[0, 0].set_ylabel("density")
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
        return finish(
            figure,
            f"Histograms of {label} of good and of defective pixels, "
            f"{counted(len(checked), 'panel')}: {listed(list(checked))}.",
        )
