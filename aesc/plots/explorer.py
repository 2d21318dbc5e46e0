"""Sliders that move without a kernel: the frames are drawn beforehand."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from aesc.errors import InputError

_COLOURS = 128


def explorer(draw: Callable[..., Figure], **values: Sequence[Any]) -> None:
    """Show a figure with one slider per parameter; in a notebook it belongs at a cell's end.

    Without a kernel, as on a web page, a slider steps through pictures drawn beforehand, with the
    other parameters at their middle values. With a kernel, a picture that a slider comes to is
    drawn anew with all sliders where they are. Where scripts are off, the first picture stands.

    Args:
        draw: called with one value for each parameter; returns a figure whose label is the
            alternative text, as those of `aesc.plots`.
        **values: for each parameter, the values of its slider, two at least; every figure is drawn
            once per value.

    Raises:
        InputError: no parameter, or one with fewer than two values.
    """
    if not values or any(len(choices) < 2 for choices in values.values()):
        raise InputError("A slider needs two values at least: give each parameter a list of them.")
    import ipywidgets
    from IPython.display import HTML, display

    middle = {name: choices[len(choices) // 2] for name, choices in values.items()}
    display(
        HTML(f"<noscript>{_picture(draw(**middle))}</noscript>"),
        _Sliders(ipywidgets, draw, values, middle).widget,
    )


class _Sliders:
    """The widgets, and the drawing behind them while there is a kernel."""

    def __init__(
        self,
        ipywidgets: Any,
        draw: Callable[..., Figure],
        values: Mapping[str, Sequence[Any]],
        middle: Mapping[str, Any],
    ) -> None:
        self.kit, self.draw, self.values = ipywidgets, draw, values
        self.sliders: dict[str, Any] = {}
        pages = [self._page(name, middle) for name in values]
        names = [name.replace("_", " ") for name in values]
        if len(pages) == 1:
            self.widget = pages[0]
            return
        self.widget = ipywidgets.Tab(children=pages)
        for index, name in enumerate(names):
            self.widget.set_title(index, name)

    def _page(self, name: str, middle: Mapping[str, Any]) -> Any:
        """One slider above the pictures of its values."""
        choices = self.values[name]
        pictures = [
            self.kit.HTML(_picture(self.draw(**{**middle, name: value}))) for value in choices
        ]
        slider = self.kit.SelectionSlider(
            options=[(_text(value), index) for index, value in enumerate(choices)],
            index=len(choices) // 2,
            description=name.replace("_", " "),
            continuous_update=False,
        )
        self.sliders[name] = slider
        shown = self._linked(slider, pictures)
        slider.observe(lambda change: self._redraw(pictures[change["new"]]), "index")
        return self.kit.VBox([slider, shown])

    def _linked(self, slider: Any, pictures: list[Any]) -> Any:
        """What shows the picture of the slider's value, in the browser where that is possible."""
        if hasattr(self.kit, "Stack"):
            stack = self.kit.Stack(children=pictures, selected_index=slider.index)
            self.kit.jslink((slider, "index"), (stack, "selected_index"))
            return stack
        # ipywidgets 7 has no Stack: a kernel must change the picture.
        box = self.kit.VBox([pictures[slider.index]])

        def turn(change: Mapping[str, Any]) -> None:
            box.children = [pictures[change["new"]]]

        slider.observe(turn, "index")
        return box

    def _redraw(self, picture: Any) -> None:
        """Draw a picture with all sliders where they are."""
        now = {name: self.values[name][s.index] for name, s in self.sliders.items()}
        picture.value = _picture(self.draw(**now))


def _picture(figure: Figure) -> str:
    """A figure as an HTML image of few colours, with its label; the figure is closed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    label = html.escape(str(figure.get_label()))
    plt.close(figure)
    buffer.seek(0)
    small = io.BytesIO()
    Image.open(buffer).convert("RGB").quantize(_COLOURS, Image.Quantize.MEDIANCUT).save(
        small, "PNG", optimize=True
    )
    encoded = base64.b64encode(small.getvalue()).decode()
    return f'<img alt="{label}" src="data:image/png;base64,{encoded}">'


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
