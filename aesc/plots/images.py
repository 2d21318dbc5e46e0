"""Figures that show pictures and anomaly maps."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike, NDArray

from aesc._checks import as_array, counted, whole
from aesc.errors import InputError
from aesc.plots._input import check_titles, image_batch, map_batch, scalar
from aesc.plots._style import (
    MAP_COLOURS,
    SKY,
    SMALL,
    WIDTH,
    finish,
    new_figure,
    plain,
    style,
    wrapped,
)

_PERCENTILE = 99.5
_LINE = 0.2
"""Height of one line of small text above an image, in inches."""

_LARGEST = 2.2
"""Width of a picture where few of them share the figure, in inches."""

_LABEL = 0.3
"""Width of a row's upright label, in inches."""

_NAME = 1.2
"""Width of a row's level label, in inches; upright it would be longer than a small picture."""

_CELL = 1.42
"""Width of one picture of `detections`, in inches."""


def gallery(
    images: ArrayLike,
    titles: Sequence[str] | None = None,
    masks: ArrayLike | None = None,
    columns: int = 6,
) -> Figure:
    """Draw a contact sheet, filled row by row.

    Args:
        images: N x H x W, or N x C x H x W with 1 or 3 channels, in [0, 1].
        titles: One name for each image, written above it.
        masks: N x H x W, nonzero where defective; outlined on the image.
        columns: Images in a row, at least 1.

    Raises:
        InputError: shapes or values that do not fit.
    """
    pictures = image_batch(images, "images")
    outlines = None if masks is None else map_batch(masks, "masks", pictures.shape[:3]) != 0
    names = check_titles(titles, len(pictures))
    columns = min(whole("columns", columns), len(pictures))
    rows = -(-len(pictures) // columns)
    side = min(WIDTH / columns, _LARGEST)
    names = [wrapped(name, side) for name in names]
    with style():
        size = _grid_size(pictures, rows, columns, side, _lines(names))
        figure, grid = new_figure(rows, columns, size, "compressed")
        for axes in grid.flat[len(pictures) :]:
            axes.set_axis_off()
        for index, picture in enumerate(pictures):
            axes = grid.flat[index]
            _show(axes, picture)
            axes.set_title(names[index], fontsize=SMALL)
            if outlines is not None:
                _outline(axes, outlines[index])
        return finish(figure, _gallery_text(len(pictures), rows, outlines))


def corruption_figure(
    clean: ArrayLike,
    corrupted: ArrayLike,
    reconstructed: ArrayLike,
    titles: Sequence[str] | None = None,
) -> Figure:
    """Draw clean, corrupted and reconstructed images as three rows, one column for each image.

    Args:
        clean: N x H x W, or N x C x H x W with 1 or 3 channels, in [0, 1].
        corrupted: The network's input, of the same shape and range.
        reconstructed: The network's output, of the same shape and range.
        titles: One name for each column.

    Raises:
        InputError: shapes or values that do not fit.
    """
    stacks = {"clean": clean, "corrupted": corrupted, "reconstructed": reconstructed}
    pictures = {name: image_batch(stack, name) for name, stack in stacks.items()}
    for name, stack in pictures.items():
        _same_shape(stack, pictures["clean"], name, "clean")
    count = len(pictures["clean"])
    names = check_titles(titles, count)
    side = min((WIDTH - _NAME) / count, _LARGEST)
    names = [wrapped(name, side) for name in names]
    with style():
        width, height = _grid_size(pictures["clean"], 3, count, side)
        size = (width + _NAME, height + _LINE * _lines(names))
        figure, grid = new_figure(3, count, size, "compressed")
        for row, (name, stack) in enumerate(pictures.items()):
            for axes, picture in zip(grid[row], stack, strict=True):
                _show(axes, picture)
            grid[row, 0].set_ylabel(name, rotation=0, ha="right", va="center")
        for axes, name in zip(grid[0], names, strict=True):
            axes.set_title(name, fontsize=SMALL)
        return finish(
            figure,
            f"Three rows of {counted(count, 'image')}: clean, corrupted, "
            "and reconstructed by the network.",
        )


def detections(
    images: ArrayLike,
    reconstructions: ArrayLike,
    maps: Mapping[str, ArrayLike],
    masks: ArrayLike,
    titles: Sequence[str],
) -> Figure:
    """Draw each sample as a row: input with the true outline, reconstruction, anomaly maps.

    A kind of map has one colour scale over all rows, from 0 to the 99.5th percentile of all their
    values. A scale of its own for every image would paint good parts as if they were defective.

    Args:
        images: N x H x W, or N x C x H x W with 1 or 3 channels, in [0, 1].
        reconstructions: Of the same shape and range.
        maps: N x H x W by the name of the kind, at least one.
        masks: N x H x W, nonzero where defective; all zero for a good image.
        titles: One name for each row.

    Raises:
        InputError: shapes or values that do not fit, or no map.
    """
    inputs = image_batch(images, "images")
    outputs = image_batch(reconstructions, "reconstructions")
    _same_shape(outputs, inputs, "reconstructions", "images")
    shape = inputs.shape[:3]
    if not maps:
        raise InputError("There are no anomaly maps to draw: give at least one.")
    stacks = {name: map_batch(stack, name, shape) for name, stack in maps.items()}
    outlines = map_batch(masks, "masks", shape) != 0
    names = check_titles(titles, len(inputs))
    with style():
        columns = 2 + len(stacks)
        width, height = _grid_size(inputs, len(inputs), columns, _CELL)
        size = (width + 2 * _LABEL, height + 0.8)
        figure, grid = new_figure(len(inputs), columns, size, "compressed")
        for row in range(len(inputs)):
            _show(grid[row, 0], inputs[row])
            _outline(grid[row, 0], outlines[row])
            _show(grid[row, 1], outputs[row])
            grid[row, 0].set_ylabel(wrapped(names[row], height / len(inputs)), fontsize=SMALL)
        for column, stack in enumerate(stacks.values(), start=2):
            _map_column(figure, grid[:, column], stack)
        for axes, name in zip(grid[0], ("input", "reconstruction", *stacks), strict=True):
            axes.set_title(plain(name))
        return finish(
            figure,
            f"{counted(len(inputs), 'sample')}, one a row: input with the true defect outlined, "
            f"reconstruction, {' map and '.join(stacks)} map; each kind of map has one scale.",
        )


def overlay(image: ArrayLike, anomaly_map: ArrayLike, vmax: float) -> Figure:
    """Draw an anomaly map over its image; the higher the value, the less the image shows through.

    Args:
        image: H x W, or C x H x W with 1 or 3 channels, in [0, 1].
        anomaly_map: H x W; 0 and below is transparent.
        vmax: The value drawn opaque, above 0. Give all images of a category the same.

    Raises:
        InputError: shapes or values that do not fit.
    """
    picture = image_batch(as_array(image, "image")[None], "image (as a batch of one)")
    batch = as_array(anomaly_map, "anomaly_map")[None]
    values = map_batch(batch, "anomaly_map (as a batch of one)", picture.shape[:3])[0]
    vmax = scalar("vmax", vmax, 0, above=True)
    with style():
        size = _grid_size(picture, 1, 1, 4.0)
        figure, grid = new_figure(1, 1, (size[0] + 1.0, size[1]), "compressed")
        _show(grid[0, 0], picture[0])
        _show_map(grid[0, 0], values, vmax, np.clip(values / vmax, 0.0, 1.0))
        _colour_bar(figure, vmax, grid[0, 0], "right")
        return finish(
            figure,
            f"An image under its anomaly map, transparent at 0 and opaque from {vmax:.3g}.",
        )


def _show(axes: Axes, picture: NDArray[Any]) -> None:
    axes.imshow(picture.astype(np.float64).clip(0.0, 1.0), vmin=0.0, vmax=1.0)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _show_map(
    axes: Axes,
    values: NDArray[Any],
    vmax: float,
    alpha: NDArray[np.floating] | None = None,
) -> None:
    axes.imshow(values, cmap=MAP_COLOURS, vmin=0.0, vmax=vmax, alpha=alpha)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _outline(axes: Axes, mask: NDArray[np.bool_]) -> None:
    if not mask.any():
        return
    # The frame of zeros closes outlines that touch the border of the image.
    height, width = mask.shape
    x, y = np.arange(-1, width + 1), np.arange(-1, height + 1)
    lines = axes.contour(x, y, np.pad(mask, 1), levels=[0.5], colors=SKY, linewidths=1.5)
    lines.set_path_effects([withStroke(linewidth=3.5, foreground="black")])
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))


def _map_column(figure: Figure, column: NDArray[Any], maps: NDArray[Any]) -> None:
    # A map that is zero nearly everywhere still needs a scale, and so does one that is all zero.
    tops = (np.percentile(maps, _PERCENTILE), maps.max(), 1.0)
    vmax = next(float(top) for top in tops if top > 0)
    for axes, values in zip(column, maps, strict=True):
        _show_map(axes, values, vmax)
    _colour_bar(figure, vmax, list(column), "bottom")


def _colour_bar(figure: Figure, vmax: float, axes: Axes | list[Axes], place: str) -> None:
    scale = ScalarMappable(Normalize(0.0, vmax), MAP_COLOURS)
    bar = figure.colorbar(
        scale, ax=axes, location=place, extend="max", ticks=[0, vmax], aspect=15, pad=0.02
    )
    bar.set_ticklabels(["0", f"{vmax:.2g}"])
    if place == "bottom":
        # Inwards, or the last number of a bar would run into the first of the next.
        first, last = bar.ax.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")
    bar.outline.set_visible(False)


def _grid_size(
    pictures: NDArray[Any], rows: int, columns: int, side: float, lines: int = 0
) -> tuple[float, float]:
    """Inches of a grid whose cells are ``side`` wide, with ``lines`` of small text above each."""
    height, width = pictures.shape[1:3]
    # A strip a few pixels high would leave a figure of no height.
    return columns * side, rows * (max(side * height / width, _LINE) + lines * _LINE)


def _lines(names: Sequence[str]) -> int:
    return max((name.count("\n") + 1 for name in names if name), default=0)


def _same_shape(pictures: NDArray[Any], others: NDArray[Any], name: str, other: str) -> None:
    if pictures.shape != others.shape:
        raise InputError(
            f"{name} and {other} differ in number, size or channels: give one for each, alike."
        )


def _gallery_text(count: int, rows: int, outlines: NDArray[np.bool_] | None) -> str:
    text = f"Contact sheet of {counted(count, 'image')} in {counted(rows, 'row')}"
    if outlines is None:
        return f"{text}."
    marked = int(outlines.any(axis=(1, 2)).sum())
    return f"{text}; defects are outlined on {marked} of them."
