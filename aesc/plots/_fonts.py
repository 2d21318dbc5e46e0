"""Fonts for names in any script, since users name their categories and defect types."""

import warnings
from collections.abc import Iterable
from functools import cache

from matplotlib import font_manager

MAIN = "DejaVu Sans"
"""Comes with Matplotlib, so that figures look the same everywhere."""

FALLBACKS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR", "Noto Sans JP", "Noto Sans SC",
    "Noto Sans KR", "Source Han Sans", "Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo",
    "Yu Gothic", "Meiryo", "Microsoft YaHei", "Malgun Gothic", "SimHei", "WenQuanYi Zen Hei",
    "IPAexGothic", "NanumGothic", "Noto Sans Devanagari", "Noto Sans Thai", "Arial Unicode MS",
)  # fmt: skip
"""Asked in this order for what the main font lacks, where they are installed."""


@cache
def families() -> list[str]:
    """The main font and the fallbacks that are installed."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [MAIN, *(name for name in FALLBACKS if name in installed)]


def tell_missing(texts: Iterable[str]) -> None:
    """Warn, in one sentence, of characters that no font has; they are drawn as boxes.

    Matplotlib's own warning, one for each character of each drawing, is silenced from then on.
    """
    characters = {character for text in texts for character in text if not character.isspace()}
    missing = {each for each in characters if ord(each) > 127 and ord(each) not in _known()}
    if missing:
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from")
        warnings.warn(
            f"No font has {''.join(sorted(missing))}: install one that does, such as Noto Sans "
            "CJK, or boxes are drawn in their place.",
            stacklevel=2,
        )


@cache
def _known() -> frozenset[int]:
    """Code points that some family has."""
    paths = [font_manager.findfont(family) for family in families()]
    return frozenset(point for path in paths for point in font_manager.get_font(path).get_charmap())
