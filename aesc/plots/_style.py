"""The one look of all figures."""

import textwrap
import unicodedata
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

from cycler import cycler
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation
from numpy.typing import NDArray

from aesc.plots._fonts import families, tell_missing

WIDTH = 7.0
"""Widest figure in inches. A text of 11.5 points in it is 9 pixels high on a 390 pixel screen."""

SMALL = 10
"""Font size in points for what stands in narrow places: tick labels, legends, picture titles."""

MAP_COLOURS = "magma"
"""Perceptually uniform, from black (nothing) to pale yellow (the upper limit)."""

# The palette of M. Okabe and K. Ito, "Color Universal Design" (2008), without its yellow, which is
# too pale on white. Lines differ in dash too, for prints without colour.
BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, BLACK = "#CC79A7", "#56B4E9", "#000000"

FAINT: dict[str, Any] = {"color": "#777777", "linestyle": (0, (1, 1.5)), "linewidth": 1.5}
"""The line of a reference: chance, or a change of learning rate."""

_INK = "#222222"
_SETTINGS = {
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "image.cmap": "gray",
    "axes.facecolor": "white",
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.titlesize": 12,
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=[BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK])
    + cycler(linestyle=["-", "--", "-.", ":", "-", "--", "-."]),
    "grid.color": "#dddddd",
    "font.size": 11.5,
    "axes.formatter.limits": (-2, 4),
    "axes.formatter.use_mathtext": True,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.title_fontsize": SMALL,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}


def style() -> AbstractContextManager[None]:
    """Return a context with the look of the book, whatever style was in force around it.

    Every function of `aesc.plots` draws inside it already; use it for a figure of your own.
    """
    return plt.style.context({**_SETTINGS, "font.family": families()}, after_reset=True)


def new_figure(
    rows: int, columns: int, size: tuple[float, float], layout: str = "constrained"
) -> tuple[Figure, NDArray[Any]]:
    """Open a pyplot figure of ``size`` inches and return it with its rows x columns axes."""
    return plt.subplots(rows, columns, figsize=size, layout=layout, squeeze=False)


def finish(figure: Figure, description: str) -> Figure:
    """Attach the description and lay the figure out; call it inside `style`.

    Matplotlib makes tick labels when it first lays out, in the style that is then in force.
    """
    figure.set_label(description)
    tell_missing(text.get_text() for text in figure.findobj(Text))
    figure.draw_without_rendering()
    return figure


def legend_below(axes: Axes, title: str | None = None) -> None:
    """Put the legend under the axes and their labels, where it hides no data."""
    # In inches, not in shares of the axes: it must clear the labels whatever the panel's height.
    drop = ScaledTranslation(0.0, -0.48, axes.figure.dpi_scale_trans)
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=axes.transAxes + drop,
        borderaxespad=0.0,
        title=title,
    )


def plain(name: object) -> str:
    """A name as it is drawn: spaces for underscores, and dollar signs that start no formula.

    Matplotlib leaves a name with an underscore in front out of a legend.
    """
    return str(name).replace("_", " ").replace("$", r"\$")


def wrapped(name: object, inches: float) -> str:
    """A name as `plain` gives it, over lines of about ``inches`` at the small font size."""
    text = str(name).replace("_", " ")
    wide = any(unicodedata.east_asian_width(each) in "WF" for each in text)
    characters = max(6, int(inches * 72 / ((1.0 if wide else 0.62) * SMALL)))
    return plain(textwrap.fill(text, characters))


def two_decimals(value: float, signed: bool = False) -> str:
    """A number for a figure, with a true minus sign, and no sign on what is rounded to zero."""
    # NumPy would round 2.675 up, which Python's formatting, and so every table, rounds down.
    rounded = round(float(value), 2) or 0.0
    return f"{rounded:{'+' if signed and rounded else ''}.2f}".replace("-", "\N{MINUS SIGN}")


def visible(spread: float) -> float:
    """A spread as the reach of a scale; 1 where two decimals show nothing of it."""
    return spread if spread >= 0.005 else 1.0


def listed(words: Iterable[object]) -> str:
    """Join words for a sentence of a figure's description."""
    return ", ".join(map(str, words))
