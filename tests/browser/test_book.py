"""What a reader without a network, without a mouse, or on a telephone finds in the built book."""

from __future__ import annotations

import re

import pytest

from .conftest import HTML, built_pages

PAGES = built_pages()
WITH_SLIDERS = [p for p in PAGES if "widget-view+json" in (HTML / p).read_text(encoding="utf-8")]
WITH_FORMULAS = [p for p in PAGES if 'class="math' in (HTML / p).read_text(encoding="utf-8")]


@pytest.fixture(autouse=True)
def _has_a_browser(browser) -> None:
    """Every test of this file needs one."""


def test_there_are_pages_to_look_at():
    assert "book/intro.html" in PAGES and len(PAGES) > 10
    assert WITH_FORMULAS


@pytest.mark.parametrize("name", PAGES)
def test_page_asks_for_nothing_outside_its_folder(open_page, own_scripts, name):
    page = open_page(name)
    page.wait_for_load_state("networkidle")
    assert page.outside == []


@pytest.mark.parametrize("name", WITH_FORMULAS)
def test_formulas_are_set_without_a_network(open_page, own_scripts, name):
    page = open_page(name)
    page.wait_for_selector("mjx-container", timeout=20_000)
    page.wait_for_function(
        "document.querySelectorAll('.math:not(:has(mjx-container))').length == 0"
    )
    assert page.locator("mjx-merror").count() == 0


@pytest.mark.parametrize("name", WITH_SLIDERS)
def test_sliders_change_the_picture_without_a_kernel(open_page, own_scripts, name):
    page = open_page(name)
    page.wait_for_selector(".noUi-handle:visible", timeout=20_000)
    sliders = page.locator(".noUi-handle:visible")
    for index in range(sliders.count()):
        box = sliders.nth(index).locator("xpath=ancestor::div[contains(@class, 'widget-vbox')][1]")
        picture = box.locator("img:visible")
        before = picture.get_attribute("src")
        sliders.nth(index).focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(300)
        assert picture.count() == 1 and picture.get_attribute("src") != before
        assert picture.get_attribute("alt")


@pytest.mark.parametrize("name", WITH_SLIDERS)
def test_a_figure_stands_where_scripts_are_off(open_page, name):
    page = open_page(name, java_script_enabled=False)
    pictures = page.locator("noscript img")
    assert pictures.count() >= 1
    for index in range(pictures.count()):
        assert pictures.nth(index).is_visible() and pictures.nth(index).get_attribute("alt")


def test_search_finds_a_term_in_the_glossary(open_page):
    page = open_page("search.html?q=receptive+field")
    page.wait_for_selector("#search-results li", timeout=20_000)
    found = " ".join(page.locator("#search-results li a").all_inner_texts())
    assert "Glossary" in found


@pytest.mark.parametrize("name", PAGES)
def test_page_fits_a_telephone(open_page, name):
    page = open_page(name, width=390)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def looked_at() -> list[tuple[str, str]]:
    """Every page in the light theme; in the dark one a page of a kind, as colours are common."""
    dark = ["book/intro.html", "notebooks/07_results_table.html", *WITH_SLIDERS[:1]]
    return [(name, "light") for name in PAGES] + [(name, "dark") for name in dark]


@pytest.mark.parametrize(("name", "scheme"), looked_at())
def test_axe_finds_no_serious_violation(open_page, axe, name, scheme):
    page = open_page(name, color_scheme=scheme)
    page.wait_for_load_state("networkidle")
    page.evaluate(axe)
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [
        f"{v['id']}: {v['help']} ({v['nodes'][0]['html'][:160]})"
        for v in result["violations"]
        if v["impact"] in ("serious", "critical")
    ]
    assert serious == []


@pytest.mark.parametrize("name", PAGES)
def test_internal_links_lead_somewhere(name):
    text = (HTML / name).read_text(encoding="utf-8")
    for target in re.findall(r'href="([^"#][^":]*?)(?:\?[^"#]*)?(?:#[^"]*)?"', text):
        assert ((HTML / name).parent / target).exists(), target
