"""The strip above a page's title has the pages of the main line, in order, and marks one."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

pytest.importorskip("sphinx")

ROOT = Path(__file__).resolve().parent.parent
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
BACKGROUND = "Background"


def documents(entries: list[dict]) -> Iterator[str]:
    """The documents of a part in reading order, each before those of its sections."""
    for entry in entries:
        yield entry["file"]
        yield from documents(entry.get("sections", []))


def pages(*, background: bool) -> list[str]:
    """The documents of the background, or of all other parts."""
    parts = [part for part in TOC["parts"] if (part["caption"] == BACKGROUND) == background]
    return [name for part in parts for name in documents(part["chapters"])]


MAIN = pages(background=False)


@pytest.fixture
def extension(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "book" / "extensions"))
    return importlib.import_module("strip")


def marked(html: str) -> list[tuple[str, str]]:
    """Each page that a strip marks as the current one, and how."""
    return re.findall(r'<a href="([^"]+)" aria-current="(\w+)">', html)


def linked(html: str) -> list[str]:
    return re.findall(r'<li><a href="([^"]+)"', html)


def test_labels_are_the_chapters_of_the_main_line_in_the_order_of_the_contents(extension):
    assert pages(background=True)
    assert list(extension.LABELS) == [n for n in MAIN if not n.startswith(extension.CATEGORIES)]


def test_every_numbered_notebook_outside_the_background_is_a_step(extension):
    numbered = {f"notebooks/{path.stem}" for path in ROOT.glob("notebooks/[0-9][0-9]_*.ipynb")}
    steps = {name for name in extension.LABELS if extension.is_step(name)}
    assert steps == numbered - set(pages(background=True))
    assert len(steps) >= 10


def test_labels_are_short_and_differ(extension):
    labels = list(extension.LABELS.values())
    assert len(set(labels)) == len(labels)
    assert all(re.fullmatch(r"[a-z ]{4,16}", label) for label in labels)


def test_a_page_of_the_main_line_is_marked_in_its_strip(extension):
    for name in extension.LABELS:
        html = extension.strip(name, str)
        assert marked(html) == [(name, "page")]
        assert html.startswith('<nav class="strip" aria-label="You are here"><ol><li>')
        shown = [each for each in extension.LABELS if extension.is_step(each) or each == name]
        assert linked(html) == shown


def test_a_category_marks_the_results_as_its_section(extension):
    categories = [name for name in MAIN if name.startswith(extension.CATEGORIES)]
    assert len(categories) == len(list(ROOT.glob("notebooks/categories/*.ipynb")))
    for name in categories:
        assert marked(extension.strip(name, str)) == [("notebooks/07_results_table", "true")]


def test_the_introduction_and_the_background_have_no_strip(extension):
    for name in [TOC["root"], *pages(background=True), "search"]:
        assert extension.strip(name, str) == ""


def test_the_book_uses_the_extension_and_its_style():
    sphinx = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]
    assert sphinx["local_extensions"]["strip"] == "book/extensions"
    assert "strip.css" in sphinx["config"]["html_css_files"]
