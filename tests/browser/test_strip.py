"""The strip that says where the reader is: seen in both themes, on a telephone, and on paper."""

from __future__ import annotations

import pytest

CASES = {
    "notebooks/01_data.html": ("data", "page"),
    "notebooks/aesc_from_scratch.html": ("from scratch", "page"),
    "notebooks/10_your_own_images.html": ("your own images", "page"),
    "notebooks/categories/wood.html": ("results", "true"),
}
_STYLE = "element => ({...getComputedStyle(element)})"


@pytest.fixture(autouse=True)
def _has_a_browser(browser) -> None:
    """Every test of this file needs one."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("name", CASES)
def test_the_strip_shows_where_the_reader_is(open_page, axe, name, width, scheme):
    page = open_page(name, width=width, color_scheme=scheme)
    strip = page.get_by_role("navigation", name="You are here")
    current = strip.locator("[aria-current]")
    label, kind = CASES[name]
    assert current.inner_text() == label and current.get_attribute("aria-current") == kind
    style = current.evaluate(_STYLE)
    assert style["fontWeight"] == "700" and "underline" in style["textDecorationLine"]
    for link in strip.get_by_role("link").all():
        box = link.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["height"] >= 24
    page.evaluate(axe)
    result = page.evaluate("axe.run('.strip', {resultTypes: ['violations']})")
    assert [violation["id"] for violation in result["violations"]] == []


def test_each_step_leads_to_its_page_without_scripts(open_page):
    page = open_page("notebooks/categories/wood.html", java_script_enabled=False)
    page.get_by_role("navigation", name="You are here").get_by_text("results").click()
    strip = page.get_by_role("navigation", name="You are here")
    assert page.url.endswith("07_results_table.html")
    assert strip.locator("[aria-current=page]").inner_text() == "results"


def test_the_strip_is_not_printed(open_page):
    page = open_page("notebooks/01_data.html")
    page.emulate_media(media="print")
    assert not page.locator("nav.strip").is_visible()


@pytest.mark.parametrize("name", ["book/intro.html", "book/glossary.html"])
def test_pages_beside_the_main_line_have_no_strip(open_page, name):
    assert open_page(name).locator("nav.strip").count() == 0
