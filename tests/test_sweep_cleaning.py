"""What an executed notebook is freed of: bytes of its figures."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from aesc.sweep.cleaning import smaller_png, without_folders


def encoded(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def decoded(png: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")).astype(int)


def test_figure_of_few_colours_keeps_every_pixel():
    pixels = np.zeros((40, 256, 3), np.uint8)
    pixels[..., 0] = np.arange(256)
    assert (decoded(smaller_png(encoded(pixels)))[..., :3] == pixels).all()


def test_figure_of_many_colours_moves_none_by_more_than_two_of_255_and_takes_fewer_bytes():
    rng = np.random.default_rng(0)
    grain = (120 + rng.normal(0, 6, (200, 200, 3))).clip(0, 255).astype(np.uint8)
    grain[:20], grain[20:40] = 255, 0
    before = encoded(grain)
    after = smaller_png(before)
    moved = np.abs(decoded(after)[..., :3] - grain)
    assert moved.max() <= 2 and moved[:40].max() == 0
    assert len(after) < 0.75 * len(before)


@pytest.mark.parametrize("given", [{}, {"data": "/a/b"}, {"out": "/c/d"}])
def test_folders_are_shortened_where_there_are_any(given):
    shown = {"seed": 0, **{name: folder[-1] for name, folder in given.items()}}
    assert without_folders({"seed": 0, **given}) == shown


def test_transparent_figure_keeps_every_pixel():
    pixels = np.random.default_rng(0).integers(0, 256, (30, 30, 4), np.uint8)
    assert (decoded(smaller_png(encoded(pixels))) == pixels).all()
