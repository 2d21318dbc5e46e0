"""Tables as text: Markdown, HTML and LaTeX to be read, CSV to be computed with."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from aesc._checks import choice
from aesc._markdown import cell

DECIMALS = {"minutes": ".1f", "paper": ".2f", "difference": "+.3f"}
"""How a number of a column is written; any other fraction gets three digits after the point."""

MISSING = "—"

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: rf"\{sign}" for sign in "&%$#_{}"},
    }
)


def render(table: pd.DataFrame, format: str, notes: Sequence[str] = ()) -> str:
    """Write a table of `results_table` or `comparison_table` as text.

    Args:
        table: what to write.
        format: ``markdown``; ``html``, a ``<table>`` for a page; ``latex``, a ``table`` that needs
            the package booktabs; or ``csv``.
        notes: sentences under the table. CSV has no place for them.

    Returns:
        Text that ends with a line break. In CSV every column and digit. Otherwise a number and its
        spread share a cell, ``0.952 ± 0.004``, and what is missing is an em dash.

    Raises:
        InputError: a format that is not one of these.
    """
    return FORMATS[choice("format", format, FORMATS)](table, notes)


def format_mean(mean: float | None, spread: float | None = None, form: str = ".3f") -> str:
    """A mean and its spread as text, rounded as ``format`` rounds the number itself.

    `numpy.round` and `pandas.DataFrame.round` scale a number before they round it, which may move
    it over a half: 0.6375 is stored as 0.63749999…, yet rounds to 0.638. Every number in a table is
    written here instead.

    Args:
        mean: the number; NaN or None for one that is missing.
        spread: its standard deviation; NaN or None for none.
        form: format specification of both.

    Returns:
        ``0.952 ± 0.004``, ``0.952`` without a spread, or an em dash where there is no mean.

    Example:
        >>> format_mean(0.6375, 0.004)
        '0.637 ± 0.004'
        >>> format_mean(float("nan"))
        '—'
    """
    if mean is None or math.isnan(mean):
        return MISSING
    known = spread is not None and not math.isnan(spread)
    return format(mean, form) + (f" ± {format(spread, form)}" if known else "")


def _csv(table: pd.DataFrame, notes: Sequence[str]) -> str:
    return table.to_csv(index=False, lineterminator="\n")


def _markdown(table: pd.DataFrame, notes: Sequence[str]) -> str:
    cells = _cells(table).map(cell)
    # Without disable_numparse, tabulate reads 0.950 as a number and writes 0.95.
    text = cells.to_markdown(index=False, disable_numparse=True, colalign=_alignment(table, cells))
    return "\n".join([text, *([""] if notes else []), *(f"- {note}" for note in notes), ""])


def _html(table: pd.DataFrame, notes: Sequence[str]) -> str:
    cells = _cells(table)
    text = cells.to_html(index=False, border=0)
    # Content is escaped, so these tags are those of the table itself.
    text = text.replace("<th>", '<th scope="col">')
    caption = html.escape(_caption(table), quote=False)
    text = text.replace(">\n", f">\n  <caption>{caption}</caption>\n", 1)
    if notes:
        span = f'<td colspan="{cells.shape[1]}">'
        rows = (f"    <tr>{span}{html.escape(note, quote=False)}</td></tr>\n" for note in notes)
        text = text.replace("</table>", f"  <tfoot>\n{''.join(rows)}  </tfoot>\n</table>")
    return text + "\n"


def _latex(table: pd.DataFrame, notes: Sequence[str]) -> str:
    cells = _cells(table)
    text = (
        cells.map(_latex_escaped)
        .rename(columns=_latex_escaped)
        .to_latex(
            index=False,
            escape=False,
            column_format="".join(side[0] for side in _alignment(table, cells)),
            caption=_latex_escaped(_caption(table)),
        )
        .rstrip("\n")
    )
    lines = "".join(f"\\par\\footnotesize {_latex_escaped(note)}\n" for note in notes)
    end = "\\end{table}"
    return f"{text.removesuffix(end)}{lines}{end}\n"


FORMATS = {"markdown": _markdown, "html": _html, "csv": _csv, "latex": _latex}
"""The writers by the name of their format."""


def _cells(table: pd.DataFrame) -> pd.DataFrame:
    """Every cell as text; a spread joins the cell of its number and loses its own column."""
    spreads = {name: _spread_of(name) for name in table.columns}
    spreads = {name: spread for name, spread in spreads.items() if spread in table.columns}
    none = [math.nan] * len(table)
    cells = {}
    for name in table.columns.difference(list(spreads.values()), sort=False):
        found = table[spreads[name]] if name in spreads else none
        cells[name] = [_text(name, *pair) for pair in zip(table[name], found, strict=True)]
    return pd.DataFrame(cells, dtype=object)


def _spread_of(name: str) -> str:
    return "spread" if name == "ours" else f"{name}_spread"


def _text(name: str, value: Any, spread: float) -> str:
    if isinstance(value, float):
        return format_mean(value, spread, DECIMALS.get(name, ".3f"))
    return MISSING if pd.isna(value) else str(value)


def _alignment(table: pd.DataFrame, cells: pd.DataFrame) -> list[str]:
    return ["right" if is_numeric_dtype(table[name]) else "left" for name in cells.columns]


def _caption(table: pd.DataFrame) -> str:
    what = "AUROC beside the paper's" if "paper" in table.columns else "AUROC and AUPRO"
    return f"{what}; mean ± sample standard deviation over seeds."


def _latex_escaped(text: str) -> str:
    return text.translate(_LATEX)
