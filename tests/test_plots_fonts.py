"""Names in any script: a font that has them is taken where there is one, and else one sentence."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib import font_manager

from aesc import plots
from aesc.plots import _fonts

IMAGES = np.full((2, 8, 8), 0.5)


@pytest.fixture
def fonts(monkeypatch):
    """Forget what is installed; returns a function that says what is."""

    def installed(*names: str) -> None:
        _fonts.families.cache_clear()
        _fonts._known.cache_clear()
        known = [SimpleNamespace(name=name) for name in names]
        monkeypatch.setattr(font_manager.fontManager, "ttflist", known)

    with warnings.catch_warnings():
        yield installed
    _fonts.families.cache_clear()
    _fonts._known.cache_clear()


def test_installed_fallbacks_follow_the_main_font_in_their_order(fonts):
    fonts("Malgun Gothic", "Comic Sans MS", "Noto Sans CJK JP", "DejaVu Sans")
    assert _fonts.families() == ["DejaVu Sans", "Noto Sans CJK JP", "Malgun Gothic"]
    fonts("DejaVu Sans")
    assert _fonts.families() == ["DejaVu Sans"]


def test_characters_that_no_font_has_are_told_in_one_sentence(monkeypatch, nothing_left_open):
    monkeypatch.setattr(_fonts, "families", lambda: ["DejaVu Sans"])
    _fonts._known.cache_clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure = plots.gallery(IMAGES, ["ネジ", "größe"])
        figure.canvas.draw()
    _fonts._known.cache_clear()
    assert [str(each.message) for each in caught] == [
        "No font has ジネ: install one that does, such as Noto Sans CJK, or boxes are drawn in "
        "their place."
    ]


def test_names_that_the_main_font_has_are_drawn_without_a_word(nothing_left_open):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.gallery(IMAGES, ["größe", "čeština"]).canvas.draw()
