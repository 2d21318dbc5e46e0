"""Rows in their own order, and points with names."""

import math

import matplotlib
import pytest
from figure_checks import fits_its_page
from matplotlib import pyplot as plt

from aesc import plots
from aesc.errors import InputError

matplotlib.use("Agg")
pytestmark = pytest.mark.usefixtures("nothing_left_open")

ROWS = {
    "bottle": {"oval": 0.55, "broken_large": 1.0, "crack": 0.93},
    "screw": {"bent": 0.61, "head_chip": 0.42},
}


def test_every_row_is_in_its_own_order():
    figure = plots.ranked_cells(ROWS, "image AUROC", 0.4, 1.0)
    fits_its_page(figure)
    texts = [" ".join(text.get_text().split()) for text in figure.axes[0].texts]
    assert texts == ["oval 0.55", "crack 0.93", "broken large 1.00", "head chip 0.42", "bent 0.61"]
    assert [text.get_position() for text in figure.axes[0].texts[:3]] == [(0, 0), (1, 0), (2, 0)]
    assert figure.axes[0].images[0].get_clim() == (0.4, 1.0)
    assert "bottle oval 0.55" in figure.get_label() and "screw head chip" in figure.get_label()


def test_numbers_of_cells_have_a_true_minus_sign_and_none_on_zero():
    figure = plots.ranked_cells({"a": {"b": -0.256, "c": -0.004}}, "change", -1, 1)
    shown = [text.get_text().split()[-1] for text in figure.axes[0].texts]
    assert shown == ["\N{MINUS SIGN}0.26", "0.00"]
    assert figure.get_label().endswith("a b \N{MINUS SIGN}0.26.")


def test_marked_points_have_names():
    figure = plots.named_points(
        [1, 2, 3], [0.5, 0.7, 0.9], list("abc"), "strength", "AUROC", marked=[True, False, True]
    )
    fits_its_page(figure)
    assert [text.get_text() for text in figure.axes[0].texts] == ["a", "c"]
    assert [line.get_marker() for line in figure.axes[0].lines] == ["s", "o", "s"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.ranked_cells({}, "AUROC", 0, 1),
        lambda: plots.ranked_cells({"a": {}}, "AUROC", 0, 1),
        lambda: plots.ranked_cells({"a": {"b": math.nan}}, "AUROC", 0, 1),
        lambda: plots.ranked_cells(ROWS, "AUROC", 1, 1),
        lambda: plots.named_points([], [], [], "x", "y"),
        lambda: plots.named_points([1], [1, 2], ["a"], "x", "y"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_a_figure_is_opened(draw):
    with pytest.raises(InputError):
        draw()
    assert not plt.get_fignums()
