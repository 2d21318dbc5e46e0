"""Every figure of the book, in one style, from plain arrays.

Images are N x H x W or N x C x H x W with 1 or 3 channels, in [0, 1]; maps and masks are N x H x W
or N x 1 x H x W. NumPy arrays, nested lists and CPU tensors are accepted. Nothing is computed here
but what `aesc.metrics` gives for a curve.

Each function returns an open pyplot figure, at most 7 inches wide at 100 dots per inch: a notebook
shows it with ``plt.show()``; a script saves it and calls ``plt.close(figure)``. The background is
white and the text dark, so that it can be read on a dark page too. ``figure.get_label()`` is a
sentence that says what is to be seen: use it as alternative text.

Input that cannot be drawn raises `aesc.errors.InputError`, before any figure is opened.
"""

from aesc.plots._style import style
from aesc.plots.charts import heat_table, lines
from aesc.plots.dumbbells import dumbbells
from aesc.plots.evaluation import curves, histograms, per_defect_bars
from aesc.plots.explorer import explorer
from aesc.plots.images import corruption_figure, detections, gallery, overlay
from aesc.plots.network import Stage, network
from aesc.plots.outlines import Outline, outlines
from aesc.plots.overlays import overlays
from aesc.plots.pixels import pixel_histograms
from aesc.plots.ranked import named_points, ranked_cells
from aesc.plots.training import learning_curves
from aesc.plots.waterfall import waterfall

__all__ = [
    "Outline",
    "Stage",
    "corruption_figure",
    "curves",
    "detections",
    "dumbbells",
    "explorer",
    "gallery",
    "heat_table",
    "histograms",
    "learning_curves",
    "lines",
    "named_points",
    "network",
    "outlines",
    "overlay",
    "overlays",
    "per_defect_bars",
    "pixel_histograms",
    "ranked_cells",
    "style",
    "waterfall",
]
