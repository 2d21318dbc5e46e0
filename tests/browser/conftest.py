"""A headless browser on the built book: ``make book`` first, then these tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import offline

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def built_pages() -> list[str]:
    """Every page of the built book that a reader comes to, relative to its folder."""
    return sorted(
        path.relative_to(HTML).as_posix()
        for folder in ("book", "notebooks")
        for path in (HTML / folder).rglob("*.html")
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """A running Chromium; skips where there is none, or no book."""
    if not (HTML / "index.html").exists():
        pytest.skip("there is no built book: run `make book` first")
    api = pytest.importorskip("playwright.sync_api")
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    with api.sync_playwright() as playwright:
        executable = executable or playwright.chromium.executable_path
        if not Path(executable).exists():
            pytest.skip("there is no Chromium: install the package chromium of your system")
        running = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def open_page(browser):
    """Open a page of the book with the network blocked; collects what it asked for outside."""
    contexts = []

    def call(name: str, width: int = 1280, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.outside = []

        def route(handler) -> None:
            if handler.request.url.startswith(("file:", "data:", "blob:")):
                handler.continue_()
            else:
                page.outside.append(handler.request.url)
                handler.abort()

        page.route("**/*", route)
        path, question, query = name.partition("?")
        page.goto((HTML / path).as_uri() + question + query)
        return page

    yield call
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core; skips where it cannot be fetched."""
    vendor = ROOT / "_build" / "vendor"
    try:
        offline.fetch(offline.AXE, vendor)
    except OSError as error:
        pytest.skip(f"axe-core cannot be fetched: {error}")
    return (vendor / "axe" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def own_scripts() -> None:
    """Skips where the book was built without its own copies of the scripts."""
    if not (HTML / "_static" / "mathjax").is_dir():
        pytest.skip("the book was built where its scripts could not be fetched")
