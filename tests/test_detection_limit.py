"""The smallest marks that a detector finds."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from detectors import good_folder, refused, small_detector

from aesc.detector import (
    Calibration,
    DetectionLimit,
    Detector,
    Preprocessing,
    detection_limit,
    limit,
)
from aesc.detector.inputs import Picture
from aesc.detector.limit import CONTRASTS, DRAW, MARKS, SIZES, marked

SIDE = 64


class Grey(torch.nn.Module):
    """Reconstructs a flat grey, so the residual is the mark itself."""

    config: dict = {}  # noqa: RUF012

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.full_like(images, 0.5)

    def for_inference(self) -> "Grey":
        return self


def picture(box: int = SIDE, valid: np.ndarray | None = None) -> Picture:
    pixels = np.full((1, SIDE, SIDE), 0.5, np.float32)
    looked_at = np.ones((SIDE, SIDE), np.bool_) if valid is None else valid
    return Picture("x", pixels, looked_at, (box, box), (0, 0, box, box), "L", "")


def detector(threshold: float) -> Detector:
    """Rejects where the L2 norm of the mark is above the threshold."""
    scores = Calibration.of(np.linspace(0, threshold, 99))
    return Detector(
        Grey(), "aesc", Preprocessing((SIDE, SIDE), 1, 255), images=scores, pixels=scores
    )


def table(*rows: tuple[float, ...]) -> DetectionLimit:
    sizes = tuple(4.0 * 2**i for i in range(len(rows)))
    return DetectionLimit(sizes, (15, 30), rows, false_rejects=0.01)


def test_limit_is_the_size_from_which_all_larger_ones_are_found():
    limit = table((1.0, 0.2), (0.5, 0.95), (0.9, 0.9), (1.0, 1.0))
    assert (limit.smallest(15), limit.smallest(30)) == (16.0, 8.0)
    assert table((0.0, 1.0), (0.85, 1.0)).smallest(15) is None
    assert table((0.0, 1.0), (0.85, 1.0)).smallest(30) == 4.0


def test_sentence_says_what_is_found_and_what_is_not():
    text = table((0.0, 0.2), (0.5, 0.95)).sentence()
    assert "none up to 8 px at 15 grey levels, from 8 px at 30" in text
    assert text.startswith("at 1 % false rejects, 90 %") and "optimistic" in text


def test_detector_that_rejects_everything_or_nothing():
    eager = detection_limit(detector(1e-9), [picture()])
    assert np.array(eager.found).min() == 1.0
    assert [eager.smallest(c) for c in CONTRASTS] == [eager.sizes[0]] * 3
    blind = detection_limit(detector(1e9), [picture()])
    assert np.array(blind.found).max() == 0.0
    assert [blind.smallest(c) for c in CONTRASTS] == [None] * 3


def test_larger_and_stronger_marks_are_found_more_often_and_sizes_are_of_the_original():
    limit = detection_limit(detector(0.4), [picture(box=4 * SIDE)])
    assert limit.sizes == tuple(4 * SIDE * size for size in SIZES)
    found = np.array(limit.found)
    assert 0 < found.mean() < 1
    # A mark at the border is cut off, so two shares may change places by a few marks.
    assert (np.diff(found, axis=0) >= -0.15).all() and (np.diff(found, axis=1) >= -0.15).all()


def test_one_seed_gives_one_limit():
    first, second = (detection_limit(detector(0.4), [picture()], seed=3) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("draw", DRAW)
def test_mark_has_its_contrast_its_size_and_lies_where_it_is_looked_at(draw):
    valid = np.zeros((SIDE, SIDE), np.bool_)
    valid[20:50, 10:40] = True
    rng = np.random.default_rng(0)
    for size in (4.0, 12.0):
        for _ in range(20):
            changed = marked(picture(valid=valid), size, 0.2, draw, rng).pixels[0] - 0.5
            assert not changed[~valid].any()
            assert np.abs(changed).max() <= 0.2 + 1e-6
        whole = marked(picture(), size, 0.2, draw, np.random.default_rng(1)).pixels[0] - 0.5
        rows, columns = np.nonzero(np.abs(whole) > 0.02)
        extent = max(np.ptp(rows), np.ptp(columns)) + 1
        assert 0.5 * size <= extent <= 1.6 * size + 4
        assert np.abs(whole).max() > 0.15


def test_network_was_not_trained_on_the_marks():
    """A dent is lit on one side and dark on the other; stains are of one grey."""
    change = marked(picture(), 12, 0.2, DRAW[0], np.random.default_rng(0)).pixels - 0.5
    assert change.max() > 0.1 and change.min() < -0.1


@pytest.mark.parametrize("count", [4, 7, 24])
def test_every_image_gets_both_kinds_of_marks_and_none_twice_before_all(monkeypatch, count):
    pictures = [picture() for _ in range(count)]
    drawn = []

    def noted(on, size, contrast, draw, rng):
        drawn.append((pictures.index(on), DRAW.index(draw)))
        return marked(on, size, contrast, draw, rng)

    monkeypatch.setattr(limit, "marked", noted)
    detection_limit(detector(0.4), pictures)
    assert set(drawn) == {(place, kind) for place in range(count) for kind in range(len(DRAW))}
    for start in range(0, len(drawn), MARKS):
        one = drawn[start : start + MARKS]
        assert [kind for _, kind in one].count(0) == MARKS / 2
        often = [[place for place, _ in one].count(each) for each in range(count)]
        assert max(often) - min(often) <= 1


def test_what_cannot_be_measured_is_refused():
    refused(lambda: detection_limit(detector(1.0), []), "pictures is empty")
    bare = replace(detector(1.0), images=None)
    refused(lambda: detection_limit(bare, [picture()]), "no threshold")


def test_card_of_a_fit_holds_the_limit_and_a_calibration_measures_it_anew(tmp_path):
    folder = good_folder(tmp_path / "good", count=24)
    made = small_detector(folder, licence="CC0-1.0")
    assert made.card["licence"] == "CC0-1.0"
    assert made.card["detection limit"].startswith("at 1 % false rejects")
    again = made.calibrate(sorted(folder.glob("*.png")), false_rejects=0.2, review=0.3)
    assert again.card["detection limit"].startswith("at 20 % false rejects")
    assert made.card["detection limit"].startswith("at 1 % false rejects")
