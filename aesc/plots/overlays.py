"""Several anomaly maps drawn over their images, side by side."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from aesc._checks import counted
from aesc.errors import InputError
from aesc.plots._input import check_titles, image_batch, map_batch, scalar
from aesc.plots._style import SMALL, WIDTH, finish, new_figure, plain, style, wrapped
from aesc.plots.images import _colour_bar, _grid_size, _outline, _show, _show_map

_CELL = 1.5
"""Width of one picture, in inches, where the columns are few."""

_LABEL = 0.3
"""Width of a row's upright label, in inches."""

_BAR = 0.5
"""Height of the colour bars and of the titles, in inches each."""


def overlays(
    images: ArrayLike,
    maps: Mapping[str, ArrayLike],
    vmax: Mapping[str, float],
    masks: ArrayLike,
    titles: Sequence[str],
) -> Figure:
    """Draw each sample as a row: the input with the true outline, then every map over the input.

    A map is transparent at 0 and opaque from its ``vmax`` on, the same in all rows.

    Args:
        images: N x H x W, or N x C x H x W with 1 or 3 channels, in [0, 1].
        maps: N x H x W by the name of the kind, at least one; 0 and below is transparent.
        vmax: for each kind, the value drawn opaque, above 0.
        masks: N x H x W, nonzero where defective; all zero for a good image.
        titles: one name for each row.

    Raises:
        InputError: shapes or values that do not fit, no map, or one without its ``vmax``.
    """
    pictures = image_batch(images, "images")
    shape = pictures.shape[:3]
    if not maps:
        raise InputError("There are no anomaly maps to draw: give at least one.")
    vmax = {name: scalar(f"vmax of {name}", vmax.get(name), 0, above=True) for name in maps}
    stacks = {name: map_batch(stack, name, shape) for name, stack in maps.items()}
    outlines = map_batch(masks, "masks", shape) != 0
    names = check_titles(titles, len(pictures))
    columns = 1 + len(stacks)
    side = min(_CELL, (WIDTH - _LABEL) / columns)
    with style():
        width, height = _grid_size(pictures, len(pictures), columns, side)
        size = (width + _LABEL, height + 2 * _BAR)
        figure, grid = new_figure(len(pictures), columns, size, "compressed")
        for row, picture in enumerate(pictures):
            for axes in grid[row]:
                _show(axes, picture)
            _outline(grid[row, 0], outlines[row])
            label = wrapped(names[row], height / len(pictures))
            grid[row, 0].set_ylabel(label, fontsize=SMALL)
        for column, (name, stack) in enumerate(stacks.items(), start=1):
            top = float(vmax[name])
            for axes, values in zip(grid[:, column], stack, strict=True):
                _show_map(axes, values, top, np.clip(values / top, 0.0, 1.0))
            _colour_bar(figure, top, list(grid[:, column]), "bottom")
        for axes, name in zip(grid[0], ("input", *stacks), strict=True):
            axes.set_title(plain(name))
        return finish(
            figure,
            f"{counted(len(pictures), 'sample')}, one a row: input with the true defect outlined, "
            f"then the {' map and the '.join(stacks)} map over the input; each kind has one scale.",
        )
