"""Figures: what is in them, that they share scales, fit their page, and leave nothing behind."""

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
from numpy.typing import NDArray
from scipy import ndimage

from aesc import metrics, plots
from aesc.errors import InputError

matplotlib.use("Agg")

RNG = np.random.default_rng(7)
SIZE = 96
Array = NDArray[np.float64]


def smooth(shape: tuple[int, ...], width: float) -> Array:
    """Return noise blurred over the last two axes, scaled to [0, 1]."""
    noise = ndimage.gaussian_filter(RNG.normal(size=shape), (0,) * (len(shape) - 2) + (width,) * 2)
    return (noise - noise.min()) / np.ptp(noise)


MASKS = smooth((8, SIZE, SIZE), 8.0) > 0.7
MASKS[::4] = False
MASKS[1, :9, :9] = True
GREY = 0.3 + 0.3 * smooth((1, SIZE, SIZE), 6.0) + 0.05 * smooth((8, SIZE, SIZE), 1.0) + 0.3 * MASKS
COLOUR = np.stack((GREY, 0.9 * GREY, 0.7 * GREY), axis=1)
RESIDUAL = 0.02 * smooth((8, SIZE, SIZE), 1.0) + 0.2 * MASKS * smooth((8, SIZE, SIZE), 3.0)
UNCERTAINTY = RESIDUAL**2 / 50
LABELS = np.repeat([0, 1], [20, 40])
SCORES = {
    "residual": (RNG.normal(10, 2, 60) + 3 * LABELS, LABELS),
    "uncertainty": (RNG.normal(1e-3, 1e-4, 60) + 1e-4 * LABELS, LABELS),
}
PIXEL = {"residual": (RESIDUAL, MASKS), "uncertainty": (UNCERTAINTY, MASKS)}
TITLES = [f"metal_contamination {number:03d}" for number in range(8)]
ROWS = [
    {"defect_type": "broken_large", "count": 20, "residual": 0.98, "uncertainty": 1.0},
    {"defect_type": "metal_contamination", "count": 7, "residual": 0.43, "uncertainty": None},
    {"defect_type": "cut", "count": 9, "residual": 0.0, "uncertainty": math.nan},
]
CORRUPTIONS = ["none", "gaussian", "scratch", "drops", "stain", "mix1", "mix2"]
AUROC = np.array([np.linspace(0.3, 1, 7), [0.5, 0.9, np.nan, 0.2, 0.95, 0.97, 0.7]])
EPOCHS = np.arange(1, 61)
HISTORY = {
    "loss": (0.02 / EPOCHS).tolist(),
    "validation_psnr": (20 + 8 * (1 - np.exp(-EPOCHS / 15)) - (EPOCHS > 50)).tolist(),
    "learning_rate": np.where(EPOCHS < 30, 1e-3, np.where(EPOCHS < 45, 5e-4, 2.5e-4)).tolist(),
}

FIGURES: dict[str, Callable[[], Figure]] = {
    "gallery of grey": lambda: plots.gallery(GREY, TITLES, MASKS),
    "gallery of colour": lambda: plots.gallery(COLOUR, None, MASKS, columns=4),
    "gallery of one": lambda: plots.gallery(GREY[:1]),
    "corruption in grey": lambda: plots.corruption_figure(GREY, GREY, GREY, TITLES),
    "corruption in colour": lambda: plots.corruption_figure(COLOUR[:3], COLOUR[:3], COLOUR[:3]),
    "detections in grey": lambda: detections(GREY, 4),
    "detections in colour": lambda: detections(COLOUR, 3),
    "overlay on grey": lambda: plots.overlay(GREY[1], RESIDUAL[1], 0.2),
    "overlay on colour": lambda: plots.overlay(COLOUR[1], RESIDUAL[1], 0.2),
    "curves": lambda: plots.curves(SCORES, PIXEL),
    "curves without masks": lambda: plots.curves(SCORES, {}),
    "histograms": lambda: plots.histograms(SCORES, {"residual": 12.0, "uncertainty": 1.1e-3}),
    "histogram of one": lambda: plots.histograms({"residual": SCORES["residual"]}, 12.0),
    "histograms of three": lambda: plots.histograms({**SCORES, "mean": SCORES["residual"]}),
    "bars": lambda: plots.per_defect_bars(ROWS),
    "learning curves": lambda: plots.learning_curves(HISTORY),
    "lines": lambda: plots.lines(
        [1, 8, 64],
        {"measured": [60.0, 8.0, 1.5], "ideal": [60.0, 7.5, 0.94]},
        "workers",
        "hours",
        log=True,
        reference="ideal",
    ),
    "heat table": lambda: plots.heat_table(AUROC, ["AE", "AESc"], CORRUPTIONS, "image AUROC", 0.5),
    "one epoch": lambda: plots.learning_curves({name: v[:1] for name, v in HISTORY.items()}),
}


def detections(images: Array, count: int) -> Figure:
    """Draw the first ``count`` samples."""
    maps = {"residual": RESIDUAL[:count], "uncertainty": UNCERTAINTY[:count]}
    chosen = images[:count]
    return plots.detections(chosen, chosen, maps, MASKS[:count], TITLES[:count])


def legend_texts(figure: Figure, panel: int) -> list[str]:
    """Return the legend entries of one panel."""
    return [text.get_text() for text in figure.axes[panel].get_legend().get_texts()]


pytestmark = pytest.mark.usefixtures("nothing_left_open")


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_fits_its_page_and_is_small_enough_to_commit(name: str) -> None:
    figure = FIGURES[name]()
    fits_its_page(figure)
    file = io.BytesIO()
    figure.savefig(file, dpi=100)
    assert 2_000 < file.tell() < 300_000


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_described_white_and_the_only_one_left_open(name: str) -> None:
    before = dict(plt.rcParams)
    figure = FIGURES[name]()
    assert plt.get_fignums() == [figure.number]
    assert figure.get_label().endswith(".") and len(figure.get_label()) > 30
    assert figure.get_facecolor() == (1.0, 1.0, 1.0, 1.0)
    assert figure.dpi == 100
    plt.close(figure)
    assert plt.get_fignums() == []
    assert dict(plt.rcParams) == before


@pytest.mark.parametrize(
    "name", ["detections in colour", "curves", "histograms", "bars", "learning curves"]
)
def test_the_style_around_does_not_matter(name: str) -> None:
    def pixels() -> bytes:
        figure = FIGURES[name]()
        figure.canvas.draw()
        return bytes(figure.canvas.buffer_rgba())

    expected = pixels()
    with plt.style.context("dark_background"), plt.rc_context({"font.size": 30}):
        assert pixels() == expected


@pytest.mark.parametrize("name", ["gallery of grey", "corruption in grey", "curves"])
def test_no_text_overlaps_another(name: str) -> None:
    figure = FIGURES[name]()
    figure.canvas.draw()
    texts = [
        text
        for axes in figure.axes
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label)
        if text.get_text()
    ]
    boxes = [text.get_window_extent() for text in texts]
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])


def test_gallery_has_a_cell_for_each_image_and_outlines_where_there_is_a_defect() -> None:
    figure = plots.gallery(GREY[:5], TITLES[:5], MASKS[:5], columns=3)
    shown = [axes for axes in figure.axes if axes.axison]
    assert len(figure.axes) == 6 and len(shown) == 5
    assert [bool(axes.collections) for axes in shown] == MASKS[:5].any(axis=(1, 2)).tolist()
    assert all(axes.get_xlim() == (-0.5, SIZE - 0.5) for axes in shown)
    assert np.array_equal(shown[2].images[0].get_array(), GREY[2])
    assert shown[0].images[0].cmap.name == "gray"


def test_an_outline_closes_around_a_defect_at_the_border() -> None:
    mask = np.zeros((1, 10, 10))
    mask[0, :3, :4] = 1
    figure = plots.gallery(np.zeros((1, 10, 10)), masks=mask)
    (path,) = figure.axes[0].collections[0].get_paths()
    assert path.vertices[:, 0].min() == -0.5 and path.vertices[:, 0].max() == 3.5
    assert np.array_equal(path.vertices[0], path.vertices[-1])


def test_channels_first_tensors_are_drawn_with_channels_last() -> None:
    figure = plots.gallery(torch.from_numpy(COLOUR[:2]))
    assert np.array_equal(figure.axes[1].images[0].get_array(), np.moveaxis(COLOUR[1], 0, 2))
    figure = plots.gallery(GREY[:2, None], masks=MASKS[:2, None])
    assert np.array_equal(figure.axes[1].images[0].get_array(), GREY[1])


def test_a_title_keeps_its_dollar_signs() -> None:
    figure = plots.gallery(GREY[:1], ["a$b$c"])
    figure.canvas.draw()
    width = figure.axes[0].title.get_window_extent().width
    figure.axes[0].set_title("a$b$c", fontsize=10, parse_math=False)
    assert figure.axes[0].title.get_window_extent().width == pytest.approx(width, rel=0.05)


def test_corruption_rows_are_in_order_and_labelled_at_the_left() -> None:
    figure = plots.corruption_figure(GREY[:2], GREY[2:4], GREY[4:6])
    drawn = [axes.images[0].get_array() for axes in figure.axes]
    assert len(drawn) == 6
    assert all(np.array_equal(a, b) for a, b in zip(drawn, GREY[:6], strict=True))
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ["clean", "", "corrupted", "", "reconstructed", ""]


def test_detections_share_one_scale_over_all_rows_of_a_kind() -> None:
    figure = detections(GREY, 4)
    assert len(figure.axes) == 4 * 4 + 2
    grid = np.array(figure.axes[:16]).reshape(4, 4)
    for column, maps in ((2, RESIDUAL[:4]), (3, UNCERTAINTY[:4])):
        limits = {axes.images[0].get_clim() for axes in grid[:, column]}
        assert limits == {(0.0, np.percentile(maps, 99.5))}
    assert figure.axes[16].get_xlim() == (0.0, np.percentile(RESIDUAL[:4], 99.5))
    assert [bool(axes.collections) for axes in grid[:, 0]] == MASKS[:4].any(axis=(1, 2)).tolist()
    assert not any(axes.collections for axes in grid[:, 1:].flat)
    titles = [axes.get_title() for axes in grid[0]]
    assert titles == ["input", "reconstruction", "residual", "uncertainty"]


@pytest.mark.parametrize(("spike", "top"), [(0.0, 1.0), (0.25, 0.25)])
def test_maps_of_zeros_still_have_a_scale(spike: float, top: float) -> None:
    maps = np.zeros((2, SIZE, SIZE))
    maps[1, 0, 0] = spike
    figure = plots.detections(GREY[:2], GREY[:2], {"residual": maps}, MASKS[:2], ["a", "b"])
    assert figure.axes[2].images[0].get_clim() == (0.0, top)


def test_overlay_hides_more_the_higher_the_value() -> None:
    figure = plots.overlay(GREY[0], np.linspace(-1, 3, SIZE * SIZE).reshape(SIZE, SIZE), 2.0)
    background, foreground = figure.axes[0].images
    alpha = foreground.get_alpha().ravel()
    assert np.array_equal(background.get_array(), GREY[0])
    assert alpha[0] == 0.0 and alpha[-1] == 1.0 and np.all(np.diff(alpha) >= 0)
    assert foreground.get_clim() == (0.0, 2.0)


def test_curve_legends_hold_the_areas_of_the_metrics() -> None:
    figure = plots.curves(SCORES, PIXEL)
    assert len(figure.axes) == 3
    expected = [
        [f"{name} {metrics.auroc(*pair):.3f}" for name, pair in SCORES.items()],
        [f"{name} {metrics.auroc(*pair):.3f}" for name, pair in PIXEL.items()],
        [f"{name} {metrics.aupro(*pair, 0.3):.3f}" for name, pair in PIXEL.items()],
    ]
    for panel, texts in enumerate(expected):
        assert legend_texts(figure, panel) == [*texts, "chance"]
        assert all(text.split()[1] in figure.get_label() for text in texts)
    assert figure.axes[2].get_xlim() == (0.0, 0.3)


def test_long_curves_are_thinned_without_being_moved() -> None:
    maps = RNG.random((4, 64, 64))
    masks = RNG.random(maps.shape) < 0.4
    figure = plots.curves(SCORES, {"noise": (maps + 0.3 * masks, masks)})
    exact = metrics.roc_curve(maps + 0.3 * masks, masks)
    x, y = figure.axes[1].lines[0].get_data()
    assert len(exact.thresholds) > 3000 > 1000 >= len(x) > 500
    assert (x[0], y[0], x[-1], y[-1]) == (0.0, 0.0, 1.0, 1.0)
    points = set(zip(exact.false_positive_rate, exact.true_positive_rate, strict=True))
    assert set(zip(x, y, strict=True)) <= points
    # At the same way along the curve, the drawn line is where the exact one is.
    way = exact.false_positive_rate + exact.true_positive_rate
    assert np.abs(np.interp(way, x + y, x) - exact.false_positive_rate).max() < 0.002


def test_a_kind_keeps_its_colour_in_every_panel() -> None:
    figure = plots.curves(SCORES, {"uncertainty": PIXEL["uncertainty"]})
    colours = [
        axes.lines[place].get_color() for axes, place in zip(figure.axes, (1, 0, 0), strict=True)
    ]
    assert len(set(colours)) == 1
    assert figure.axes[0].lines[0].get_color() != colours[0]


def test_curves_without_masks_are_those_of_images_alone() -> None:
    figure = plots.curves(SCORES, {})
    assert [axes.get_title() for axes in figure.axes] == ["ROC per image"]
    plt.close(figure)


def test_curves_of_one_class_are_named_undefined() -> None:
    maps = RNG.random((2, 64, 64))
    figure = plots.curves({"residual": ([1.0, 2.0], [0, 0])}, {"residual": (maps, maps > 2)})
    figure.canvas.draw()
    for panel in range(3):
        assert legend_texts(figure, panel)[0] == "residual undefined"


def test_histograms_count_every_image_in_shared_bins() -> None:
    figure = plots.histograms(SCORES, {"residual": 12.0})
    assert len(figure.axes) == 2
    values, bad = (np.asarray(part) for part in SCORES["residual"])
    good_above, bad_above = ((values > 12) & (bad == of) for of in (0, 1))
    marked = f"threshold 12, above it\n{good_above.sum()} good, {bad_above.sum()} defective"
    assert 0 < good_above.sum() + bad_above.sum() < 60
    assert legend_texts(figure, 0) == ["good (20)", "defective (40)", marked]
    assert marked in figure.get_label()
    assert legend_texts(figure, 1) == ["good (20)", "defective (40)"]
    for axes in figure.axes:
        good, bad = (c for c in axes.containers if len(c) > 1)
        assert sum(bar.get_height() for bar in good) == 20
        assert sum(bar.get_height() for bar in bad) == 40
        assert [bar.get_x() for bar in good] == [bar.get_x() for bar in bad]


def test_bars_have_the_given_lengths_and_say_what_is_undefined() -> None:
    (axes,) = plots.per_defect_bars(ROWS).axes
    assert [[bar.get_width() for bar in bars] for bars in axes.containers] == [
        [0.98, 0.43, 0.0],
        [1.0, 0.0, 0.0],
    ]
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["0.980", "0.430", "0.000", "1.000", "undefined", "undefined"]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["broken large (20)", "metal contamination (7)", "cut (9)"]
    assert axes.get_xlim() == (0.0, 1.0)
    assert axes.lines[0].get_xdata()[0] == 0.5


def test_learning_curves_say_what_is_true_of_any_loss() -> None:
    """SSIM and the absolute error are minimised too, and a PSNR may be below 0."""
    history = {"loss": [0.9, 0.4], "validation_psnr": [-7.0, -3.504], "learning_rate": [0.1, 0.1]}
    figure = plots.learning_curves(history)
    left = figure.axes[0]
    assert (left.get_title(), left.get_ylabel()) == ("training loss", "loss")
    assert legend_texts(figure, 1)[1] == "best: epoch 2, \N{MINUS SIGN}3.50 dB"
    assert "error" not in figure.get_label() and "\N{MINUS SIGN}3.50 dB" in figure.get_label()


def test_learning_curves_mark_the_best_epoch_and_the_lowered_rates() -> None:
    figure = plots.learning_curves(HISTORY)
    left, right = figure.axes
    best = max(range(60), key=lambda epoch: HISTORY["validation_psnr"][epoch])
    assert right.lines[1].get_xdata()[0] == best + 1 == 50
    assert legend_texts(figure, 1)[1].startswith("best: epoch 50, ")
    assert legend_texts(figure, 0) == ["training", "learning rate down to 0.00025"]
    places = [line.get_xdata()[0] for line in left.lines[1:] if len(line.get_xdata())]
    assert places == [30, 45]
    assert left.get_yscale() == "log"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plots.gallery(GREY * 255), r"\[0, 1\]"),
        (lambda: plots.gallery(np.full((1, 4, 4), np.nan)), r"\[0, 1\]"),
        (lambda: plots.gallery(GREY[:0]), "at least one image"),
        (lambda: plots.gallery(GREY[0]), "N x H x W"),
        (lambda: plots.gallery(np.zeros((2, 2, 8, 8))), "1 or 3 channels"),
        (lambda: plots.gallery(GREY, ["only one"]), "titles"),
        (lambda: plots.gallery(GREY, None, MASKS[:2]), "masks"),
        (lambda: plots.gallery(GREY, columns=0), "columns"),
        (lambda: plots.corruption_figure(GREY, COLOUR, GREY), "corrupted and clean"),
        (lambda: plots.detections(GREY, GREY, {"odd": RESIDUAL + np.inf}, MASKS, TITLES), "odd"),
        (lambda: plots.detections(GREY, GREY, {}, MASKS, TITLES), "at least one"),
        (lambda: plots.overlay(GREY[0], RESIDUAL[0], 0.0), "vmax"),
        (lambda: plots.overlay(GREY[0], RESIDUAL[0, :5], 1.0), "anomaly_map"),
        (lambda: plots.curves({}, PIXEL), "image_scores"),
        (lambda: plots.curves(SCORES, {"residual": (RESIDUAL, MASKS[:1])}), "shape"),
        (lambda: plots.histograms({}), "scores"),
        (lambda: plots.per_defect_bars([]), "empty"),
        (lambda: plots.per_defect_bars([ROWS[0], {"defect_type": "cut", "count": 1}]), "keys"),
        (lambda: plots.per_defect_bars([{**ROWS[0], "residual": 98.0}]), "98"),
        (lambda: plots.learning_curves({"loss": [1.0]}), "validation_psnr"),
        (lambda: plots.learning_curves({**HISTORY, "loss": [1.0]}), "lengths|length"),
        (lambda: plots.learning_curves({**HISTORY, "loss": [math.nan] * 60}), "NaN"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_a_figure_is_opened(
    call: Callable[[], Figure], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        call()
    assert plt.get_fignums() == []


def test_heat_table_breaks_names_between_words_alone() -> None:
    figure = plots.heat_table([[1, 2]], ["a"], ["rich corruption", "second network"], "change", 0)
    shown = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert shown == ["rich\ncorruption", "second\nnetwork"]


def test_heat_table_writes_every_number_and_leaves_gaps_empty() -> None:
    figure = plots.heat_table(AUROC, ["AE", "AESc"], CORRUPTIONS, "image AUROC", 0.5)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == [f"{value:.2f}" for value in AUROC.ravel() if np.isfinite(value)]
    low, high = figure.axes[0].images[0].get_clim()
    assert (low + high) / 2 == pytest.approx(0.5) and low <= np.nanmin(AUROC) < 1 <= high


def test_heat_table_writes_no_sign_before_what_is_rounded_to_zero() -> None:
    figure = plots.heat_table([[-0.004, -0.006, 0.004]], ["a"], ["b", "c", "d"], "change", 0)
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert shown == ["0.00", "\N{MINUS SIGN}0.01", "0.00"]


def test_heat_table_rounds_as_the_tables_of_the_book_do() -> None:
    values = np.arange(5, 1000, 10) / 1000  # halves, of which NumPy rounds some the other way
    assert any(f"{value:.2f}" != f"{np.round(value, 2):.2f}" for value in values)
    for row in values.reshape(-1, 10):
        figure = plots.heat_table([row], ["a"], CORRUPTIONS[:1] * 10, "AUROC", 0.5)
        assert [text.get_text() for text in figure.axes[0].texts] == [f"{v:.2f}" for v in row]
        plt.close(figure)


def test_lines_show_every_series_and_the_reference_faintly() -> None:
    figure = FIGURES["lines"]()
    measured, ideal = figure.axes[0].lines
    assert measured.get_ydata().tolist() == [60.0, 8.0, 1.5]
    assert ideal.get_marker() == "None" and measured.get_marker() == "o"
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["1", "8", "64"]
    assert legend_texts(figure, 0) == ["measured", "ideal"]


@pytest.mark.parametrize(
    ("draw", "named"),
    [
        (lambda: plots.lines([1, 2], {}, "x", "y"), "2 numbers"),
        (lambda: plots.lines([1, 2], {"a": [1.0]}, "x", "y"), "2 numbers"),
        (lambda: plots.lines([0, 2], {"a": [1.0, 2.0]}, "x", "y", log=True), "logarithmic"),
        (lambda: plots.heat_table(AUROC, ["AE"], CORRUPTIONS, "AUROC", 0.5), "1 row "),
        (lambda: plots.heat_table([[np.nan]], ["a"], ["b"], "AUROC", 0.5), "no number"),
    ],
)
def test_charts_of_what_cannot_be_drawn_are_refused(draw: Callable, named: str) -> None:
    with pytest.raises(InputError, match=named):
        draw()
    assert plt.get_fignums() == []


def frames(widget: object) -> list[str]:
    """The pictures below a slider."""
    return [picture.value for picture in widget.children[1].children]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What `plots.explorer` displays."""
    shown: list[object] = []
    monkeypatch.setattr("IPython.display.display", lambda *objects: shown.extend(objects))
    return shown


def grey_square(level: float, side: int) -> Figure:
    return plots.gallery(np.linspace(0, level, side * side).reshape(1, side, side))


def test_explorer_links_every_slider_to_its_pictures_in_the_browser(shown: list) -> None:
    plots.explorer(grey_square, level=[0.1, 0.5, 0.9], side=[8, 16])
    fallback, tab = shown
    assert fallback.data.startswith("<noscript><img alt=") and "data:image/png" in fallback.data
    for page, count in zip(tab.children, (3, 2), strict=True):
        slider, stack = page.children
        assert len(set(frames(page))) == count == len(slider.options)
        assert stack.selected_index == slider.index == count // 2
    assert plt.get_fignums() == []


def test_explorer_draws_anew_with_all_sliders_where_they_are(shown: list) -> None:
    plots.explorer(grey_square, level=[0.1, 0.5, 0.9], side=[8, 16])
    level, side = shown[1].children
    before = frames(side)
    level.children[0].index = 0
    side.children[0].index = 0
    assert frames(side)[0] != before[0] and frames(side)[1] == before[1]


def test_explorer_of_one_parameter_needs_no_tabs(shown: list) -> None:
    plots.explorer(lambda level: grey_square(level, 8), level=[0.0, 1.0])
    assert len(frames(shown[1])) == 2


@pytest.mark.parametrize("values", [{}, {"level": [0.5]}])
def test_explorer_without_a_choice_is_refused(values: dict) -> None:
    with pytest.raises(InputError, match="two values"):
        plots.explorer(grey_square, **values)


def test_explorer_in_an_old_notebook_changes_the_picture_with_the_kernel(
    shown: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ipywidgets 7, as in Colab, has no Stack."""
    import ipywidgets

    monkeypatch.delattr(ipywidgets, "Stack")
    plots.explorer(lambda level: grey_square(level, 8), level=[0.0, 1.0])
    slider, box = shown[1].children
    first = box.children[0].value
    slider.index = 0
    assert len(box.children) == 1 and box.children[0].value != first
