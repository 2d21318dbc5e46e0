"""Odd input of every figure: names, values that are alike, and what cannot be drawn."""

import io
import math
from collections.abc import Callable

import matplotlib
import numpy as np
import pytest
import torch
from figure_checks import fits_its_page
from matplotlib import cbook
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Text

from aesc import plots
from aesc.errors import InputError
from aesc.plots import Outline
from aesc.plots._style import SMALL, wrapped

matplotlib.use("Agg")
pytestmark = pytest.mark.usefixtures("nothing_left_open")

NAN, INF = math.nan, math.inf
GREY = np.full((1, 8, 8), 0.5)
MASK = np.zeros((1, 8, 8))
MASK[0, 2:4, 2:4] = 1
LABELS = [0, 0, 1, 1]
SCORED = ([1.0, 2.0, 3.0, 4.0], LABELS)
HISTORY = {"loss": [0.2, 0.1], "validation_psnr": [-20.0, -30.0], "learning_rate": [0.1, 0.1]}

# Matplotlib would set what stands between two dollars as a formula, and leave out of a legend what
# starts with an underscore.
NAME, SHOWN = "_part_$a$", "part $a$"
NAMED: dict[str, tuple[Callable[[], Figure], int]] = {
    "lines": (lambda: plots.lines([1, 2], {NAME: [1, 2]}, "x", "y"), 1),
    "heat table": (lambda: plots.heat_table([[1]], [NAME], [NAME], "change", 0), 2),
    "dumbbells": (lambda: plots.dumbbells([NAME], {NAME: {NAME: [1]}}, "AUROC"), 3),
    "ranked cells": (lambda: plots.ranked_cells({NAME: {NAME: 0.5}}, "AUROC", 0, 1), 2),
    "named points": (lambda: plots.named_points([1], [1], [NAME], "x", "y"), 1),
    "curves": (lambda: plots.curves({NAME: SCORED}, {NAME: (GREY, MASK)}), 3),
    "histograms": (lambda: plots.histograms({NAME: SCORED}), 1),
    "bars": (lambda: plots.per_defect_bars([{"defect_type": NAME, "count": 1, NAME: 1.0}]), 2),
    "gallery": (lambda: plots.gallery(GREY, [NAME]), 1),
    "corruption": (lambda: plots.corruption_figure(GREY, GREY, GREY, [NAME]), 1),
    "detections": (lambda: plots.detections(GREY, GREY, {NAME: MASK}, MASK, [NAME]), 2),
    "overlays": (lambda: plots.overlays(GREY, {NAME: MASK}, {NAME: 1}, MASK, [NAME]), 2),
    "outlines": (lambda: plots.outlines({NAME: Outline([[0, 1]])}), 1),
    "pixels": (lambda: plots.pixel_histograms({NAME: SCORED}, "grey value"), 1),
    "waterfall": (lambda: plots.waterfall([NAME, "b"], {NAME: [0, 1]}, "AUROC"), 2),
}


def letters(figure: Figure) -> list[str]:
    """The texts that are drawn letter by letter, each on one line."""
    texts = [text.get_text() for text in figure.findobj(Text) if text.get_visible()]
    plain = [text.replace(r"\$", "$") for text in texts if not cbook.is_math_text(text)]
    return [" ".join(text.split()) for text in plain]


@pytest.mark.parametrize("kind", NAMED)
def test_a_name_is_drawn_letter_by_letter_wherever_it_stands(kind: str) -> None:
    draw, places = NAMED[kind]
    figure = draw()
    assert sum(SHOWN in text for text in letters(figure)) == places
    fits_its_page(figure)


def test_names_of_a_table_may_be_numbers() -> None:
    figure = plots.heat_table([[0.5, 1.0]], [7], [8, 9], "AUROC", 0.5)
    assert {"7", "8", "9"} <= set(letters(figure))


def test_letters_as_wide_as_they_are_high_are_wrapped_sooner() -> None:
    inches = 1.2
    lines = wrapped("検査" * 9, inches).split("\n")
    assert "".join(lines) == "検査" * 9
    assert max(map(len, lines)) * SMALL <= inches * 72 < (max(map(len, lines)) + 1) * SMALL


ALIKE = {
    "rounding": np.nextafter(1.0, [0.0, 2.0, 0.0, 2.0]),
    "rounding of float32": np.float32([2, 2, 2, 2]) + np.float32([0, 2e-7, 0, 2e-7]),
    "large": np.full(4, 1e17),
    "large float32": np.full(4, 1e9, np.float32),
    "small": np.array([0.0, 5e-324, 0.0, 5e-324]),
    "equal": np.full(4, 0.25),
}


@pytest.mark.parametrize("kind", ALIKE)
def test_scores_that_differ_by_rounding_only_make_one_bar(kind: str) -> None:
    figure = plots.histograms({"residual": (ALIKE[kind], LABELS)})
    good, bad = (bars for bars in figure.axes[0].containers if len(bars) > 1)
    for bars in (good, bad):
        assert sorted(bar.get_height() for bar in bars)[-2:] == [0, 2]
    fits_its_page(figure)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["rounding", "large", "small", "equal"])
def test_pixels_that_differ_by_rounding_only_make_one_bar(kind: str) -> None:
    figure = plots.pixel_histograms({"wood": (ALIKE[kind], LABELS)}, "grey value")
    for bars in (bars for bars in figure.axes[0].containers if len(bars) > 1):
        (full,) = (bar for bar in bars if bar.get_height() > 0)
        assert full.get_height() * full.get_width() == pytest.approx(1)


def test_scores_that_differ_keep_the_bins_of_numpy() -> None:
    scores = np.float32([0.1, 0.7, 0.3, 0.9])
    figure = plots.histograms({"residual": (scores, LABELS)})
    good = next(bars for bars in figure.axes[0].containers if len(bars) > 1)
    edges = np.histogram_bin_edges(scores, 24)
    assert [bar.get_x() for bar in good] == pytest.approx(edges[:-1].tolist(), abs=0)


@pytest.mark.parametrize("change", [0.0, 1e-17, 0.004])
def test_a_table_that_reads_as_its_centre_has_no_colour(change: float) -> None:
    figure = plots.heat_table([[change, -change]], ["a"], ["b", "c"], "change", 0)
    picture = figure.axes[0].images[0]
    assert list(picture.norm([change, -change])) == pytest.approx([0.5, 0.5], abs=0.01)
    assert {text.get_color() for text in figure.axes[0].texts} == {"black"}


def test_steps_that_read_as_no_change_are_no_long_bars() -> None:
    figure = plots.waterfall(["a", "b"], {"AUROC": [0.9, 0.9 + 1e-6]}, "mean")
    (bar,) = figure.axes[0].patches
    assert abs(bar.get_width()) < 0.01 * np.ptp(figure.axes[0].get_xlim())


@pytest.mark.parametrize("one", [1.0, np.array(1.0), np.float32(1), torch.tensor(1.0)])
def test_the_top_of_a_scale_may_be_what_the_maximum_of_a_map_is(one: object) -> None:
    figure = plots.overlay(GREY[0], MASK[0], one)  # type: ignore[arg-type]
    assert figure.axes


def test_a_strip_one_pixel_high_can_be_saved() -> None:
    figure = plots.gallery(np.zeros((3, 1, 500)))
    figure.savefig(io.BytesIO(), dpi=100)
    fits_its_page(figure)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plots.lines([], {"a": []}, "x", "y", log=True), r"x is of shape \(0,\)"),
        (lambda: plots.lines([], {"a": []}, "x", "y"), r"x is of shape \(0,\)"),
        (lambda: plots.lines(1, {"a": 1}, "x", "y"), r"x is of shape \(\)"),
        (lambda: plots.lines([1, NAN], {"a": [1, 2]}, "x", "y"), "x holds NaN"),
        (lambda: plots.lines([1, 2], {"a": [NAN, NAN]}, "x", "y"), "series holds no number"),
        (lambda: plots.lines([1, 2], {"a": [1, INF]}, "x", "y"), "a holds infinite"),
        (lambda: plots.heat_table([[1, INF]], ["a"], ["b", "c"], "AUROC", 0), "values holds inf"),
        (lambda: plots.heat_table([[1]], ["a"], ["b"], "AUROC", NAN), "center is nan"),
        (lambda: plots.heat_table(np.zeros((0, 1)), [], ["b"], "AUROC", 0), "holds no number"),
        (lambda: plots.dumbbells(["a"], {"x": {"kind": [INF]}}, "AUROC"), "kind holds infinite"),
        (lambda: plots.ranked_cells({"a": {"b": None}}, "AUROC", 0, 1), "b of a is None"),
        (lambda: plots.ranked_cells({"a": {"b": 1}}, "AUROC", -INF, 1), "low is -inf"),
        (lambda: plots.ranked_cells({"a": {"b": 1}}, "AUROC", 1, 1), "high is 1"),
        (lambda: plots.named_points([NAN], [1], ["a"], "x", "y"), "x holds NaN"),
        (lambda: plots.named_points([1], ["b"], ["a"], "x", "y"), "y is of type"),
        (lambda: plots.learning_curves({**HISTORY, "loss": [0.1, -1]}), "loss holds the value -1"),
        (
            lambda: plots.learning_curves({**HISTORY, "validation_psnr": [1, NAN]}),
            "^validation_psn",
        ),
        (lambda: plots.histograms({"a": SCORED}, NAN), "threshold of a is nan"),
        (lambda: plots.histograms({"a": SCORED}, {"a": "b"}), "threshold of a is 'b'"),
        (
            lambda: plots.per_defect_bars([{"defect_type": "a", "count": 1, "kind": "b"}]),
            "the AUROC of kind is 'b'",
        ),
        (lambda: plots.gallery(GREY, columns=1.5), "columns is 1.5"),
        (lambda: plots.overlay(GREY[0], GREY[0], None), "vmax is None"),
        (lambda: plots.overlays(GREY, {"a": GREY}, {"a": "b"}, MASK, ["c"]), "vmax of a is 'b'"),
        (lambda: plots.outlines({"a": Outline([[0, NAN]])}), "points holds NaN"),
        (lambda: plots.network([(1, NAN, 8), (2, 4, 4)], [(1, 8, 8)]), "nan . 8 cannot be drawn"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_sentence(
    call: Callable[[], Figure], words: str
) -> None:
    with pytest.raises(InputError, match=words) as refusal:
        call()
    assert str(refusal.value).endswith(".") and ". " not in str(refusal.value)
    assert plt.get_fignums() == []
