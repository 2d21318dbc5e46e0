"""What an executed notebook is freed of before it is kept: times, progress bars, paths, bytes."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from papermill.translators import papermill_translators
from PIL import Image

_PALETTE = 256
"""Colours that a PNG with a palette can hold."""

_LEVELS = 52
"""Levels of red, green and blue that a figure of many colours keeps: no colour moves by more than 2
of 255, and the grain of photographs, which fills most of the file, takes far fewer bytes."""


def cleaned(
    notebook: nbformat.NotebookNode, parameters: Mapping[str, Any] | None = None
) -> nbformat.NotebookNode:
    """The notebook without what tells nothing later, and with its figures in fewer bytes.

    Args:
        notebook: an executed one; changed in place.
        parameters: what the cell of the injected parameters is to say, for parameters that name
            folders of this machine.
    """
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if parameters and "injected-parameters" in cell.metadata.get("tags", []):
            translator = papermill_translators.find_translator("python3", "python")
            cell.source = translator.codify(parameters, "Parameters")
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
            for data in (output.get("data", {}) for output in cell.outputs):
                if "image/png" in data:
                    data["image/png"] = smaller_png(data["image/png"])
    return _with_stable_widgets(notebook)


def without_folders(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a run whose folders are named without the way there, which is the user's own.

    Example:
        >>> without_folders({"data": "/home/ada/mvtec_ad", "out": "/home/ada/runs", "seed": 0})
        {'data': 'mvtec_ad', 'out': 'runs', 'seed': 0}
    """
    named = parameters.keys() & {"data", "out"}
    folders = {name: Path(parameters[name]).name for name in named}
    return {**parameters, **folders}


def smaller_png(png: str) -> str:
    """The same picture in fewer bytes, if possible; no colour moves by more than 2 of 255.

    Args:
        png: a PNG file, in base64.

    Returns:
        Another one, in base64: with a palette where there are few colours, with 52 levels of each
        channel where there are many, without transparency where nothing is transparent.

    Example:
        >>> file = io.BytesIO()
        >>> Image.new("RGBA", (64, 64), (0, 114, 178, 255)).save(file, "PNG")
        >>> small = smaller_png(base64.b64encode(file.getvalue()).decode())
        >>> picture = Image.open(io.BytesIO(base64.b64decode(small)))
        >>> picture.mode, picture.convert("RGB").getpixel((0, 0))
        ('P', (0, 114, 178))
    """
    before = base64.b64decode(png)
    figure = Image.open(io.BytesIO(before)).convert("RGBA")
    if figure.getchannel("A").getextrema() == (255, 255):
        figure = _with_fewer_colours(figure.convert("RGB"))
    after = io.BytesIO()
    figure.save(after, "PNG", optimize=True)
    return base64.b64encode(min(after.getvalue(), before, key=len)).decode()


def _with_fewer_colours(figure: Image.Image) -> Image.Image:
    """The same figure with one byte a pixel if it has few colours, else with rounded channels."""
    pixels = np.asarray(figure)  # H x W x 3
    if figure.getcolors(_PALETTE) is None:
        step = 255 / (_LEVELS - 1)
        return Image.fromarray((np.round(np.round(pixels / step) * step)).astype(np.uint8))
    colours, index = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    small = Image.fromarray(index.reshape(pixels.shape[:2]).astype(np.uint8), "P")
    small.putpalette(colours.astype(np.uint8).tobytes())
    return small


def _with_stable_widgets(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Number the widgets; their names would otherwise change with every execution."""
    text = nbformat.writes(notebook)
    for kind in notebook.metadata.get("widgets", {}).values():
        for number, name in enumerate(kind.get("state", {})):
            text = text.replace(name, f"{number:032x}")
    return nbformat.reads(text, as_version=4)
