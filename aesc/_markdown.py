"""Text that stands in Markdown without being taken for a part of it."""

from __future__ import annotations


def cell(text: object) -> str:
    r"""A text as a cell of a table, on one line and with no end of the cell in it.

    Example:
        >>> print(cell("left | right"))
        left \| right
    """
    return " ".join(str(text).splitlines()).replace("|", r"\|")
