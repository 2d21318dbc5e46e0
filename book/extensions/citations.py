"""Sphinx extension for the references: roles that a screen reader understands.

Docutils marks the bibliography as a list whose entries are not list items, with a role that ARIA
has given up.
"""

from typing import Any

from docutils.nodes import document
from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the handler below."""
    app.connect("html-page-context", correct_roles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def correct_roles(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: document | None
) -> None:
    """Make the entries of the bibliography items of their list."""
    if doctree is not None:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')
