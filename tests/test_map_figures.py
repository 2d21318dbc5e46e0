"""Figures that compare maps: overlays side by side, and numbers of two kinds in rows."""

import io
import math
from collections.abc import Callable

import matplotlib
import numpy as np
import pytest
import torch
from figure_checks import fits_its_page
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from aesc import plots
from aesc.errors import InputError

matplotlib.use("Agg")

RNG = np.random.default_rng(3)
SIZE = 48
IMAGES = np.linspace(0.3, 0.6, 5 * SIZE).reshape(5, SIZE, 1).repeat(SIZE, axis=2)
MASKS = np.zeros((5, SIZE, SIZE))
MASKS[1:, 10:20, 15:30] = 1
MAPS = {"residual": IMAGES / 10 + 0.2 * MASKS, "uncertainty": MASKS * 1e-4}
VMAX = {"residual": 0.2, "uncertainty": 5e-5}
TITLES = ["good", "broken_large", "metal_contamination", "cut", "bent"]
NAMES = [f"metal_nut_{index:02d} (object)" for index in range(15)]
PANELS = {
    level: {"residual": RNG.random(15), "uncertainty": RNG.random(15)}
    for level in ("images", "pixels")
}
STEPS = ["as published", "rich corruption", "edges in the loss", "score of the highest pixels"]
GAINS = {"image AUROC": [0.9, 0.85, 0.88, 0.95], "AUPRO": [0.4, 0.5, 0.8, 0.8]}
FIGURES: dict[str, Callable[[], Figure]] = {
    "overlays": lambda: plots.overlays(IMAGES, MAPS, VMAX, MASKS, TITLES),
    "overlays of one map in colour": lambda: plots.overlays(
        torch.from_numpy(np.stack([IMAGES[:1]] * 3, axis=1)),
        {"residual": MAPS["residual"][:1]},
        VMAX,
        MASKS[:1],
        ["good"],
    ),
    "dumbbells": lambda: plots.dumbbells(NAMES, PANELS, "AUROC", reference=0.5),
    "waterfall": lambda: plots.waterfall(STEPS, GAINS, "mean of six categories"),
    "dumbbells of one row": lambda: plots.dumbbells(["a"], {"images": {"residual": [0.7]}}, "AUC"),
}


pytestmark = pytest.mark.usefixtures("nothing_left_open")


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_fits_its_page_is_described_and_the_only_one_left_open(name: str) -> None:
    before = dict(plt.rcParams)
    figure = FIGURES[name]()
    assert plt.get_fignums() == [figure.number]
    assert figure.get_label().endswith(".") and len(figure.get_label()) > 30
    fits_its_page(figure)
    file = io.BytesIO()
    figure.savefig(file, dpi=100)
    assert 2_000 < file.tell() < 300_000
    assert dict(plt.rcParams) == before


def test_overlays_show_each_map_over_its_image_on_the_given_scale() -> None:
    figure = plots.overlays(IMAGES, MAPS, VMAX, MASKS, TITLES)
    grid = np.array(figure.axes[:15]).reshape(5, 3)
    for column, (kind, values) in enumerate(MAPS.items(), start=1):
        for row in range(5):
            background, foreground = grid[row, column].images
            assert np.array_equal(background.get_array(), IMAGES[row])
            assert np.array_equal(foreground.get_array(), values[row])
            assert foreground.get_clim() == (0.0, VMAX[kind])
            expected = np.clip(values[row] / VMAX[kind], 0, 1)
            assert np.array_equal(foreground.get_alpha(), expected)
    assert [bool(axes.collections) for axes in grid[:, 0]] == [False, True, True, True, True]
    assert [axes.get_title() for axes in grid[0]] == ["input", "residual", "uncertainty"]
    assert [bar.get_xlim()[1] for bar in figure.axes[15:]] == list(VMAX.values())


def test_dumbbells_mark_every_number_and_join_those_of_a_name() -> None:
    figure = plots.dumbbells(NAMES, PANELS, "AUROC", reference=0.5)
    for axes, panel in zip(figure.axes, PANELS.values(), strict=True):
        residual, uncertainty, chance = axes.lines
        assert np.array_equal(residual.get_xdata(), panel["residual"])
        assert np.array_equal(uncertainty.get_xdata(), panel["uncertainty"])
        assert residual.get_marker() != uncertainty.get_marker()
        assert set(chance.get_xdata()) == {0.5}
        ends = np.sort(np.array([line[:, 0] for line in axes.collections[0].get_segments()]))
        assert np.allclose(ends, np.sort(np.array(list(panel.values())), axis=0).T)
        assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first name is at the top"
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == [name.replace("_", " ") for name in NAMES]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(PANELS["images"])


def test_dumbbells_leave_a_gap_where_a_number_is_missing() -> None:
    panel = {"residual": [0.7, 0.8, math.nan], "uncertainty": [0.6, math.nan, math.nan]}
    figure = plots.dumbbells(["a", "b", "c"], {"images": panel}, "AUROC")
    first, second, third = figure.axes[0].collections[0].get_segments()
    assert first[:, 0].tolist() == [0.6, 0.7]
    assert second[:, 0].tolist() == [0.8, 0.8]
    assert third.size == 0


def test_a_waterfall_has_a_bar_from_each_step_to_the_next_and_one_scale() -> None:
    figure = plots.waterfall(STEPS, GAINS, "mean")
    for axes, values in zip(figure.axes, GAINS.values(), strict=True):
        (ends,) = axes.lines
        assert list(ends.get_xdata()) == [values[0], values[-1]]
        assert list(ends.get_ydata()) == [0, len(values)]
        before = values[0]
        for place, (bar, value) in enumerate(zip(axes.patches, values[1:], strict=True), start=1):
            assert bar.get_x() == before
            assert bar.get_x() + bar.get_width() == pytest.approx(value)
            assert bar.get_y() < place < bar.get_y() + bar.get_height()
            before = value
        assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first step is at the top"
    image, aupro = figure.axes
    assert [text.get_text() for text in image.texts] == [
        "0.90", "\N{MINUS SIGN}0.05", "+0.03", "+0.07", "0.95"
    ]  # fmt: skip
    loss, gain, _ = (bar.get_facecolor() for bar in image.patches)
    assert loss != gain
    assert np.ptp(image.get_xlim()) == pytest.approx(np.ptp(aupro.get_xlim()))


@pytest.mark.parametrize(
    ("draw", "named"),
    [
        (lambda: plots.overlays(IMAGES, {}, {}, MASKS, TITLES), "maps"),
        (lambda: plots.overlays(IMAGES, MAPS, {"residual": 0.2}, MASKS, TITLES), "uncertainty"),
        (lambda: plots.overlays(IMAGES, MAPS, {**VMAX, "residual": 0}, MASKS, TITLES), "residual"),
        (lambda: plots.overlays(IMAGES[:2], MAPS, VMAX, MASKS, TITLES), "residual"),
        (lambda: plots.overlays(IMAGES, MAPS, VMAX, MASKS[:2], TITLES), "masks"),
        (lambda: plots.overlays(IMAGES, MAPS, VMAX, MASKS, TITLES[:2]), "titles"),
        (lambda: plots.dumbbells(NAMES, {}, "AUROC"), "kinds"),
        (lambda: plots.dumbbells([], {"images": {"residual": []}}, "AUROC"), "one at least"),
        (lambda: plots.dumbbells(["a"], {"images": {"residual": [1, 2]}}, "AUROC"), "1 numbers"),
        (lambda: plots.dumbbells(["a"], {"x": {"r": [1]}, "y": {"u": [1]}}, "AUROC"), "same"),
        (lambda: plots.waterfall(["a", "b"], {}, "AUROC"), "two steps"),
        (lambda: plots.waterfall(["a"], {"x": [0.5]}, "AUROC"), "two steps"),
        (lambda: plots.waterfall(["a", "b"], {"x": [0.5]}, "AUROC"), "each step"),
        (lambda: plots.waterfall(["a", "b"], {"x": [0.5, math.nan]}, "AUROC"), "each step"),
        (lambda: plots.dumbbells(["a"], {"x": {k: [1] for k in "abcd"}}, "AUROC"), "three"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_a_figure_is_opened(
    draw: Callable[[], Figure], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        draw()
    assert plt.get_fignums() == []
