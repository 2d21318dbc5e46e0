"""Figures of how well good and defective samples are told apart."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from aesc._checks import counted, scores_and_labels
from aesc.errors import InputError
from aesc.metrics import PRO_LIMIT, aupro, auroc, pro_curve, roc_curve
from aesc.plots._input import bin_edges, scalar
from aesc.plots._style import (
    BLACK,
    BLUE,
    FAINT,
    SMALL,
    VERMILION,
    WIDTH,
    finish,
    legend_below,
    listed,
    new_figure,
    plain,
    style,
    wrapped,
)

Scored = Mapping[str, tuple[ArrayLike, ArrayLike]]
"""For each kind of anomaly map: scores with labels, or maps with masks."""

Points = tuple[NDArray[np.float64], NDArray[np.float64]]
Line = tuple[Points, float]
Look = dict[str, Any]

_POINTS = 1000
_BINS = 24
_TICKS = [0, 0.25, 0.5, 0.75, 1]
# Keeps the line of chance from crossing a number.
_BLANK = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}


def curves(image_scores: Scored, pixel: Scored) -> Figure:
    """Draw ROC per image, ROC per pixel, and per-region overlap up to a false-positive rate of 0.3.

    The legends give AUROC and AUPRO as `aesc.metrics` computes them; the shaded share of the right
    panel is the AUPRO. A kind with one class only is named in the legend and not drawn.

    Args:
        image_scores: For each kind of map, N scores and N labels (0 good, 1 defective).
        pixel: For each kind of map, anomaly maps and masks, both N x H x W; empty where there are
            no masks, and the first panel stands alone.

    Raises:
        InputError: nothing to draw, or arrays that `aesc.metrics` refuses.
    """
    _not_empty(image_scores, "image_scores")
    images = {name: (_roc(*pair), auroc(*pair)) for name, pair in image_scores.items()}
    pixels = {name: (_roc(*pair), auroc(*pair)) for name, pair in pixel.items()}
    regions = {name: (_pro(*pair), aupro(*pair, PRO_LIMIT)) for name, pair in pixel.items()}
    panels = [("ROC per image", "AUROC", images)]
    if pixel:
        panels.append(("ROC per pixel", "AUROC", pixels))
        panels.append((f"PRO up to {PRO_LIMIT}", "AUPRO", regions))
    width = WIDTH if pixel else WIDTH / 2
    with style():
        looks = _looks([*image_scores, *pixel])
        figure, grid = new_figure(
            1, len(panels), (width, 3.8 + 0.2 * max(len(images), len(pixels)))
        )
        for axes, (title, area, lines) in zip(grid[0], panels, strict=True):
            _curve_panel(axes, lines, looks)
            axes.set_title(title)
            legend_below(axes, area)
        grid[0, 0].set_ylabel("true-positive rate")
        if pixel:
            grid[0, 2].set(xlim=(0, PRO_LIMIT), xticks=[0, 0.1, 0.2, 0.3], ylabel="region overlap")
        for name, ((x, y), _) in regions.items():
            grid[0, 2].fill_between(x, y, color=looks[name]["color"], alpha=0.15, linewidth=0)
        areas = [f"{title}, {area} {_areas(lines)}" for title, area, lines in panels]
        return finish(figure, f"{counted(len(panels), 'panel')} of curves. {'; '.join(areas)}.")


def histograms(scores: Scored, threshold: float | Mapping[str, float] | None = None) -> Figure:
    """Draw how the image scores of good and defective images spread, one panel for each map kind.

    Args:
        scores: For each kind of map, N scores and N labels (0 good, 1 defective).
        threshold: A score to mark: one number for all panels, or one for each kind.

    Raises:
        InputError: nothing to draw, arrays that `aesc.metrics` refuses, or a threshold that is no
            finite number.
    """
    _not_empty(scores, "scores")
    checked = {name: scores_and_labels(*pair) for name, pair in scores.items()}
    marks = threshold if isinstance(threshold, Mapping) else dict.fromkeys(checked, threshold)
    marks = {
        name: None if mark is None else scalar(f"threshold of {name}", mark)
        for name, mark in marks.items()
    }
    columns = min(len(checked), 2)
    rows = -(-len(checked) // columns)
    with style():
        figure, grid = new_figure(rows, columns, (WIDTH, 3.8 * rows))
        for axes in grid.flat[len(checked) :]:
            axes.set_axis_off()
        counts = []
        for axes, (name, (values, bad)) in zip(grid.flat, checked.items(), strict=False):
            above = _threshold(values, bad, marks.get(name))
            _histogram_panel(axes, values, bad, marks.get(name), above)
            axes.set(title=plain(name), xlabel="image score", ylabel="images")
            counts.append(
                f"{name}: {(~bad).sum()} good, {bad.sum()} defective{above and f', {above}'}"
            )
        return finish(figure, f"Histograms of image scores. {'; '.join(counts)}.")


def per_defect_bars(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the image AUROC of each defect type as horizontal bars, one for each map kind.

    Args:
        rows: One mapping for each defect type: ``defect_type``, ``count`` (images), and under the
            name of each map kind its AUROC in [0, 1], or None or NaN where it is undefined.

    Raises:
        InputError: no row, rows with different keys, or an AUROC outside [0, 1].
    """
    kinds = _map_kinds(rows)
    areas = {kind: [_area(row[kind], kind) for row in rows] for kind in kinds}
    with style():
        looks = _looks(kinds)
        figure, grid = new_figure(1, 1, (WIDTH, 1.5 + len(rows) * (0.25 + 0.26 * len(kinds))))
        axes = grid[0, 0]
        thickness = 0.8 / len(kinds)
        for order, kind in enumerate(kinds):
            offset = (order - (len(kinds) - 1) / 2) * thickness
            places = np.arange(len(rows)) + offset
            bars = axes.barh(
                places,
                np.nan_to_num(areas[kind]),
                thickness * 0.92,
                color=looks[kind]["color"],
                label=plain(kind),
            )
            labels = [_shown(area) for area in areas[kind]]
            axes.bar_label(bars, labels, padding=4, fontsize=SMALL, zorder=4, bbox=_BLANK)
        axes.axvline(0.5, **FAINT, zorder=3, label="chance")
        names = [f"{wrapped(str(row['defect_type']), 1.8)} ({row['count']})" for row in rows]
        axes.set_yticks(range(len(rows)), names)
        axes.tick_params(axis="y", length=0)
        axes.set(xlim=(0, 1), xticks=_TICKS, xlabel="image AUROC")
        axes.set_ylim(len(rows) - 0.45, -0.55)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=4)
        return finish(
            figure,
            f"Bars of the image AUROC of {counted(len(rows), 'defect type')} for {listed(kinds)}.",
        )


def _curve_panel(axes: Axes, lines: Mapping[str, Line], looks: Mapping[str, Look]) -> None:
    for name, ((x, y), area) in lines.items():
        axes.plot(x, y, **looks[name], label=f"{plain(name)} {_shown(area)}")
    axes.plot([0, 1], [0, 1], **FAINT, label="chance")
    axes.set(xlim=(0, 1), xticks=[0, 0.5, 1], xlabel="false-positive rate")
    axes.set(ylim=(0, 1.02), yticks=_TICKS)
    axes.grid(True)


def _histogram_panel(
    axes: Axes,
    values: NDArray[np.floating],
    bad: NDArray[np.bool_],
    mark: float | None,
    above: str,
) -> None:
    edges = bin_edges(values, _BINS)
    for label, chosen, colour in (("good", ~bad, BLUE), ("defective", bad, VERMILION)):
        label = f"{label} ({chosen.sum()})"
        axes.hist(values[chosen], edges, color=colour, alpha=0.45, label=label)
        axes.hist(values[chosen], edges, color=colour, histtype="step", linestyle="-")
    if mark is not None:
        axes.axvline(mark, color=BLACK, linestyle="--", label=above)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    legend_below(axes)


def _threshold(values: NDArray[np.floating], bad: NDArray[np.bool_], mark: float | None) -> str:
    """A threshold in words, with what lies above it; without one, nothing."""
    if mark is None:
        return ""
    above = values > mark
    found = f"{(above & ~bad).sum()} good, {(above & bad).sum()} defective"
    return f"threshold {mark:.3g}, above it\n{found}"


def _roc(scores: ArrayLike, labels: ArrayLike) -> Points:
    curve = roc_curve(scores, labels)
    return _thinned(curve.false_positive_rate, curve.true_positive_rate)


def _pro(maps: ArrayLike, masks: ArrayLike) -> Points:
    curve = pro_curve(maps, masks)
    return _thinned(curve.false_positive_rate, curve.overlap)


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64]) -> Points:
    """Keep points evenly spread along a rising curve, and both its ends."""
    if len(x) <= _POINTS:
        return x, y
    way = x + y
    places = np.searchsorted(way, np.linspace(way[0], way[-1], _POINTS))
    kept = np.unique(np.append(0, places.clip(max=len(x) - 1)))
    return x[kept], y[kept]


def _looks(names: Sequence[str]) -> dict[str, Look]:
    """Give each name its line style, the same in every panel."""
    return dict(zip(dict.fromkeys(names), itertools.cycle(plt.rcParams["axes.prop_cycle"])))


def _areas(lines: Mapping[str, Line]) -> str:
    return listed([f"{_shown(area)} for {name}" for name, (_, area) in lines.items()])


def _shown(area: float) -> str:
    return "undefined" if math.isnan(area) else f"{area:.3f}"


def _area(value: float | None, kind: str) -> float:
    if value is None or value != value:  # NaN differs from itself
        return math.nan
    return scalar(f"the AUROC of {kind}", value, 0, 1)


def _map_kinds(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        raise InputError("rows are empty: give one for each defect type.")
    keys = set(rows[0])
    if (
        any(set(row) != keys for row in rows)
        or len(keys) < 3
        or not {"defect_type", "count"} <= keys
    ):
        raise InputError(
            "rows differ in their keys or lack some: give each one defect_type, count and at least "
            "one kind of map."
        )
    return [key for key in rows[0] if key not in ("defect_type", "count")]


def _not_empty(scored: Scored, name: str) -> None:
    if not scored:
        raise InputError(f"{name} is empty: give at least one kind of map.")
