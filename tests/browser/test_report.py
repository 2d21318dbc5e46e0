"""The page that `aesc predict` writes, in a headless browser: offline, slider, accessibility."""

import numpy as np
import pytest

from aesc.detector import Detector, Familiar, Preprocessing
from aesc.detector.report import write_results
from aesc.model import AESc

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Twelve images judged by an untrained network, three of them with a bright patch."""
    import torch
    from PIL import Image

    folder = tmp_path_factory.mktemp("report")
    images = RNG.integers(90, 110, (32, 64, 64)).astype(np.uint8)
    images[-3:, 20:40, 20:40] = 255
    model = AESc(width=2, generator=torch.Generator().manual_seed(0)).eval()
    detector = Detector(
        model, "aesc", Preprocessing((64, 64), 1, 255), false_rejects=0.1, review=0.2
    )
    pictures = [detector.preprocessing.read(image) for image in images[:20]]
    detector = detector.calibrated_on(pictures, familiar=Familiar.of(pictures))
    paths = []
    for index, image in enumerate(images[20:]):
        paths.append(folder / f"part {index}.png")
        Image.fromarray(image).save(paths[-1])
    list(write_results(detector, paths, folder / "out"))
    return folder / "out" / "report.html", detector


@pytest.fixture(params=["light", "dark"])
def page(browser, report, request):
    opened = browser.new_page(color_scheme=request.param)
    problems = []
    opened.on("console", lambda message: problems.append(message.text))
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("request", lambda r: r.url.startswith(("file:", "data:")) or problems.append(r.url))
    opened.goto(report[0].as_uri())
    yield opened
    assert not problems
    opened.close()


def test_the_slider_recounts_rejects_and_what_is_promised(page, report):
    detector = report[1]
    assert page.locator("#cards li").count() == 12
    assert "of 12 would be rejected" in page.inner_text("#counts")
    assert f"{detector.images.promise(0.1).expected:.1%}"[:2] in page.inner_text("#counts")
    slider = page.locator("#threshold")
    slider.focus()
    slider.press("Home")
    assert page.inner_text("#counts").startswith("12 images of 12 would be rejected")
    assert "(20 of 20 calibration images above)" in page.inner_text("#counts")
    slider.press("End")
    assert page.inner_text("#counts").startswith("0 images of 12 would be rejected")
    page.get_by_role("button").click()
    assert page.inner_text("#counts").startswith(
        "3 images of 12"
    ) or "0 of 20" not in page.inner_text("#counts")


def test_the_worst_come_first(page):
    names = page.locator("#cards .name").all_inner_texts()
    assert {name.split("/")[-1] for name in names[:3]} == {
        "part 9.png",
        "part 10.png",
        "part 11.png",
    }


def test_it_fits_a_telephone(page):
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_axe_finds_no_serious_violation(page, axe):
    page.evaluate(axe)
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [v["id"] for v in result["violations"] if v["impact"] in ("serious", "critical")]
    assert serious == []
