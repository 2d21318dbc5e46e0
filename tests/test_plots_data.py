"""The figures of the pages on data and stains: outlines in the making, histograms of pixels."""

from collections.abc import Callable

import matplotlib
import numpy as np
import pytest
from figure_checks import fits_its_page
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from aesc import plots
from aesc.errors import InputError
from aesc.plots import Outline

matplotlib.use("Agg")

ANGLES = np.linspace(0, 2 * np.pi, 12, endpoint=False)
CIRCLE = 20 * np.stack([np.sin(ANGLES), np.cos(ANGLES)], axis=1)
MOVED = CIRCLE + np.random.default_rng(0).uniform(-4, 4, CIRCLE.shape)
DISC = np.hypot(*np.mgrid[-24:25, -30:31]) < 20
VALUES = np.linspace(0, 1, 400).reshape(4, 10, 10)
MASKS = VALUES > 0.8

FIGURES: dict[str, Callable[[], Figure]] = {
    "points": lambda: plots.outlines({"points": Outline(CIRCLE, guide=CIRCLE)}),
    "moves": lambda: plots.outlines({"moves": Outline(MOVED, before=CIRCLE)}),
    "two": lambda: plots.outlines({"a": Outline(line=MOVED), "b": Outline(CIRCLE, pixels=DISC)}),
    "pixels": lambda: plots.pixel_histograms({"wood": (VALUES, MASKS)}, "grey value"),
    "three panels": lambda: plots.pixel_histograms(
        {name: (VALUES, MASKS) for name in ("one", "two", "missing_yarn")}, "grey value"
    ),
}


pytestmark = pytest.mark.usefixtures("nothing_left_open")


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_fits_its_page_and_is_described(name: str) -> None:
    before = dict(plt.rcParams)
    figure = FIGURES[name]()
    assert plt.get_fignums() == [figure.number]
    assert dict(plt.rcParams) == before
    fits_its_page(figure)
    assert figure.get_label().endswith(".") and len(figure.get_label()) > 20


def test_points_are_numbered_in_their_order_and_drawn_where_they_are() -> None:
    (axes,) = FIGURES["points"]().axes
    assert [text.get_text() for text in axes.texts] == [str(i) for i in range(1, 13)]
    assert np.array_equal(axes.lines[1].get_xydata(), CIRCLE[:, ::-1])
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "y points down, as in images"


def test_lines_are_closed_and_panels_share_a_scale() -> None:
    left, right = FIGURES["two"]().axes
    drawn = left.lines[0].get_xydata()
    assert np.array_equal(drawn[0], drawn[-1]) and len(drawn) == 13
    assert left.get_xlim() == right.get_xlim() and left.get_ylim() == right.get_ylim()


def test_the_middle_pixel_lies_at_the_centre() -> None:
    right = FIGURES["two"]().axes[1]
    assert right.images[0].get_extent() == [-30.5, 30.5, 24.5, -24.5]


def test_a_raster_with_nothing_filled_is_shown_as_a_whole() -> None:
    (axes,) = plots.outlines({"empty": Outline(pixels=np.zeros((9, 9)))}).axes
    assert axes.get_xlim()[1] > 4 and axes.get_ylim()[0] > 4


def test_a_flat_outline_gets_a_flat_figure() -> None:
    flat = plots.outlines({"flat": Outline(CIRCLE * [0.3, 1.0])})
    whole = plots.outlines({"round": Outline(CIRCLE)})
    assert flat.get_size_inches()[1] < whole.get_size_inches()[1]


def test_every_move_has_an_arrow() -> None:
    (axes,) = FIGURES["moves"]().axes
    arrows = [text for text in axes.texts if getattr(text, "arrow_patch", None) is not None]
    assert len(arrows) == len(CIRCLE)


def test_both_histograms_of_a_panel_have_the_same_area() -> None:
    figure = FIGURES["pixels"]()
    (axes,) = figure.axes
    for bars in axes.containers:
        if len(bars) > 1:
            assert sum(bar.get_height() * bar.get_width() for bar in bars) == pytest.approx(1)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["good", "defective"]


def test_values_all_alike_still_have_a_scale() -> None:
    figure = plots.pixel_histograms({"flat": (np.ones(4), [0, 0, 1, 1])}, "grey value")
    low, high = figure.axes[0].get_xlim()
    assert high > low


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plots.outlines({}), "one or two"),
        (lambda: plots.outlines(dict.fromkeys("abc", Outline(CIRCLE))), "one or two"),
        (lambda: plots.outlines({"a": Outline()}), "empty"),
        (lambda: plots.outlines({"a": Outline(CIRCLE.T)}), "P x 2"),
        (lambda: plots.outlines({"a": Outline(pixels=[1, 0])}), "H x W"),
        (lambda: plots.outlines({"a": Outline(before=CIRCLE)}), "differ"),
        (lambda: plots.outlines({"a": Outline(CIRCLE[:3], before=CIRCLE)}), "differ"),
        (lambda: plots.pixel_histograms({}, "grey"), "at least one"),
        (lambda: plots.pixel_histograms({"a": ([1.0, 2.0], [0, 0])}, "grey"), "one class"),
        (lambda: plots.pixel_histograms({"a": ([1.0, 2.0], [0])}, "grey"), "shape"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_a_figure_is_opened(
    call: Callable[[], Figure], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        call()
    assert plt.get_fignums() == []
