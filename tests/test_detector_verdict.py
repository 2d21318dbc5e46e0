"""What a detector makes of scores that are no number, and of regions at the edge of an image."""

import asyncio
import csv
import json
from dataclasses import fields

import numpy as np
import pytest
import torch
from detectors import good_folder, save, stripes
from exports import untrained
from quick_detector import QUICK

from aesc.detector import Calibration, Detector, Preprocessing
from aesc.detector.report import as_json
from aesc.detector.scoring import Scored
from aesc.serve.scoring import Scorer as ServedScorer
from aesc.watch import WatchSettings, watch


class Fixed(Detector):
    """Gives every image the score and the map that it was given, instead of those of a network."""

    found = (0.1, 0.0)

    def scored(self, pictures):
        score, value = self.found
        for picture in pictures:
            yield Scored(score, np.where(picture.valid, value, 0).astype(np.float32))


def fixed(score: float, value: float, size: tuple[int, int] = (64, 64)) -> Fixed:
    calibration = Calibration.of(np.linspace(0.5, 1, 99))
    made = Fixed(
        torch.nn.Identity(),
        "aesc",
        Preprocessing(size, 1, 255),
        images=calibration,
        pixels=calibration,
    )
    object.__setattr__(made, "found", (score, value))
    return made


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return sorted(good_folder(tmp_path_factory.mktemp("good"), 12).iterdir())


@pytest.fixture(scope="module")
def damaged(paths):
    """One bad weight, as of a damaged memory, after the calibration."""
    detector = untrained(paths)
    with torch.no_grad():
        next(iter(detector.model.parameters())).view(-1)[0] = torch.nan
    return Detector(**{field.name: getattr(detector, field.name) for field in fields(detector)})


def test_an_image_whose_score_is_no_number_is_an_error_and_not_good(damaged, paths):
    picture = damaged.preprocessing.read(paths[0])
    results = [damaged.predict(paths[0]), *damaged.stream(paths[:3]), *damaged.judge([picture])]
    for result in results:
        assert result.verdict == "error" and np.isnan(result.score) and np.isnan(result.p_value)
        (note,) = result.notes
        assert note.startswith(str(result.image)) and "not finite" in note and note.endswith(".")
        assert json.loads(as_json(result))["score"] is None


def test_a_watched_folder_says_error_too(damaged, paths, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    save(folder / "a.png", stripes(np.random.default_rng(0)))
    results = list(watch(damaged, folder, out, WatchSettings(**QUICK, until=1)))
    assert [result.verdict for result in results] == ["error"]
    with (out / "results.csv").open(encoding="utf-8-sig") as file:
        assert [row["verdict"] for row in csv.DictReader(file)] == ["error"]


def test_a_served_image_says_error_with_the_same_note(damaged, paths):
    scorer = ServedScorer({"part": damaged}, queue=1)
    try:
        (result,) = asyncio.run(scorer.score("part", [("a.png", paths[0].read_bytes())]))
    finally:
        scorer.close()
    assert result.verdict == "error" and scorer.counts["part", "error"] == 1
    assert "not finite" in result.notes[0] and "p_value" not in result.notes[0]


@pytest.mark.parametrize(
    ("score", "value", "verdict"),
    [
        (0.1, 0.1, "good"),
        (0.1, np.nan, "error"),
        (0.1, np.inf, "error"),
        (0.1, -np.inf, "error"),
        (np.inf, 0.1, "error"),
        (np.nan, 2.0, "error"),
        (9.0, 2.0, "reject"),
    ],
)
def test_score_and_map_both_have_to_be_finite(score, value, verdict):
    assert fixed(score, value).predict(np.zeros((64, 64), np.uint8)).verdict == verdict


@pytest.mark.parametrize(
    ("image", "size"),
    # Padding that ends between two pixels of the map, and a map finer than the image.
    [((256, 132), (64, 64)), ((132, 256), (64, 64)), ((32, 32), (128, 128)), ((30, 13), (128, 64))],
)
def test_regions_lie_in_the_image(image, size):
    detector = fixed(9.0, 2.0, size)
    (region,) = detector.predict(np.zeros(image[::-1], np.uint8)).regions
    assert (region.x, region.y) == (0, 0)
    assert region.width <= image[0] and region.height <= image[1]
    assert region.width >= 0.97 * image[0] and region.height >= 0.97 * image[1]


def test_a_region_in_the_last_row_of_a_finer_map_lies_in_the_image(monkeypatch):
    detector = fixed(9.0, 2.0, (128, 128))

    def last_row(pictures):
        for scored in Fixed.scored(detector, pictures):
            scored.map[:-1] = 0
            yield scored

    object.__setattr__(detector, "scored", last_row)
    (region,) = detector.predict(np.zeros((32, 32), np.uint8)).regions
    assert (region.y, region.height) == (31, 1)
