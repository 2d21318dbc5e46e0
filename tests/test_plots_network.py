"""The drawing of a network: every stage in its place, skips between equals, nothing cut off."""

import itertools

import matplotlib
import pytest
import torch
from figure_checks import fits_its_page
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Text
from torch import nn

from aesc import plots
from aesc.errors import InputError
from aesc.model import AESc
from aesc.plots import Stage

matplotlib.use("Agg")


TIMES = "\N{MULTIPLICATION SIGN}"


def stages(model: AESc, side: int) -> tuple[list[Stage], list[Stage]]:
    """Return the stages of a network for square images, read from the network itself."""

    def stage(x: torch.Tensor, layer: nn.Module) -> Stage:
        return Stage(*x.shape[1:], sum(p.numel() for p in layer.parameters()))

    x = torch.zeros(1, model.config["channels"], side, side)
    down, up = [Stage(*x.shape[1:])], []
    with torch.inference_mode():
        for layer in model.eval().encoder:
            x = layer(x)
            down.append(stage(x, layer))
        for layer in (*model.decoder, model.head):
            x = layer(x)
            up.append(stage(x, layer))
    return down, up


def texts(figure: Figure) -> list[str]:
    """Return what is written, with a plain x for the sign of multiplication."""
    return [text.get_text().replace(TIMES, "x") for text in figure.axes[0].texts]


pytestmark = pytest.mark.usefixtures("nothing_left_open")


@pytest.mark.parametrize(
    ("depth", "channels", "skips"), [(6, 1, True), (3, 3, False), (1, 1, True)]
)
def test_drawing_fits_the_page_and_is_described(depth: int, channels: int, skips: bool):
    before = dict(plt.rcParams)
    figure = plots.network(*stages(AESc(channels, depth), 64), skips)
    assert plt.get_fignums() == [figure.number]
    assert dict(plt.rcParams) == before
    fits_its_page(figure)
    assert figure.get_label().endswith(".")
    assert f"{channels} x 64 x 64" in figure.get_label().replace(TIMES, "x")


def test_text_fits_its_box_and_boxes_do_not_overlap():
    figure = plots.network(*stages(AESc(), 256))
    figure.canvas.draw()
    boxes = [patch.get_window_extent() for patch in figure.axes[0].patches[:13]]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    for text in filter(Text.get_text, figure.axes[0].texts):
        extent = text.get_window_extent()
        within = [box for box in boxes if box.overlaps(extent)]
        assert all(box.x0 < extent.x0 and extent.x1 < box.x1 for box in within), text.get_text()


def test_boxes_name_the_maps_and_the_parameters():
    model = AESc()
    down, up = stages(model, 256)
    assert sum(stage.parameters for stage in (*down, *up)) == 8_734_913
    shown = texts(plots.network(down, up))
    assert shown.count("16 x 128 x 128") == 2 and shown.count("512 x 4 x 4") == 1
    assert shown.count("3.28 M") == 2 and "448" in shown and "12.9 k" in shown
    assert "input" in shown and "reconstruction, 401" in shown


def test_one_addition_for_each_level_between_the_image_and_the_deepest():
    down, up = stages(AESc(), 64)
    assert texts(plots.network(down, up)).count("+") == 5
    without = texts(plots.network(down, up, skips=False))
    assert "+" not in without and "addition" not in without


@pytest.mark.parametrize(
    ("down", "up", "message"),
    [
        ([(1, 8, 8)], [], "do not fit"),
        ([(1, 8, 8), (2, 4, 4)], [(1, 8, 8), (1, 8, 8)], "do not fit"),
        ([(1, 8, 8), (2, 0, 4)], [(1, 8, 8)], "positive sizes"),
    ],
)
def test_stages_that_make_no_network_are_refused(down, up, message):
    with pytest.raises(InputError, match=message):
        plots.network(down, up)
    assert plt.get_fignums() == []
