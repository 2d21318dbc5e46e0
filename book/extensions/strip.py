"""Sphinx extension for the strip above a page's title: the steps of the method, and "you are here".

A numbered page is a step and always in the strip. A page without a number is a detour: it is in the
strip at its place in the reading order, but only while the reader is on it. The page of a category
stands for itself in no strip; its section, the results, is marked instead.
"""

import re
from collections.abc import Callable
from typing import Any

from docutils.nodes import document
from sphinx.application import Sphinx

# Each page of the main line, in the order of the table of contents, by a name short enough that
# all fit one line. The introduction, the pages of categories and the background have none.
LABELS = {
    "notebooks/01_data": "data",
    "notebooks/02_stain_noise": "stain noise",
    "notebooks/03_model": "network",
    "notebooks/04_training": "training",
    "notebooks/05_residual_and_uncertainty": "maps",
    "notebooks/aesc_from_scratch": "from scratch",
    "notebooks/06_evaluate_category": "evaluation",
    "notebooks/07_results_table": "results",
    "notebooks/08_ablation": "ablation",
    "notebooks/09_past_the_paper": "past the paper",
    "notebooks/scale": "running at scale",
    "notebooks/speed": "speed",
    "notebooks/10_your_own_images": "your own images",
}
CATEGORIES, RESULTS = "notebooks/categories/", "notebooks/07_results_table"


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the handler below."""
    app.connect("html-page-context", add_strip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def add_strip(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: document | None
) -> None:
    """Put the strip of a page above its title."""
    if doctree is not None:
        context["body"] = strip(page, context["pathto"]) + context["body"]


def strip(page: str, link: Callable[[str], str]) -> str:
    """The strip of a page as HTML, with the links that ``link`` makes; empty for pages without."""
    if page.startswith(CATEGORIES):
        here, kind = RESULTS, "true"
    elif page in LABELS:
        here, kind = page, "page"
    else:
        return ""
    items = []
    for name, label in LABELS.items():
        if is_step(name) or name == here:
            current = f' aria-current="{kind}"' if name == here else ""
            items.append(f'<li><a href="{link(name)}"{current}>{label}</a></li>')
    return f'<nav class="strip" aria-label="You are here"><ol>{"".join(items)}</ol></nav>\n'


def is_step(name: str) -> bool:
    """Whether a page is a numbered one."""
    return re.match(r"notebooks/\d\d_", name) is not None
