"""Calibrating a detector anew: which images count, what they tell, and how often they are read."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from detectors import good_folder, refused, save, stripes
from exports import untrained

from aesc.detector import Preprocessing, Tiling, limit
from aesc.detector.inputs import Pictures


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return sorted(good_folder(tmp_path_factory.mktemp("good"), 12).iterdir())


@pytest.fixture(autouse=True)
def less_time(monkeypatch):
    """Marks of one size are drawn, on as many images."""
    monkeypatch.setattr(limit, "SIZES", (1 / 8,))


@pytest.fixture
def reads(monkeypatch):
    """How often each file is read."""
    counts: Counter[str] = Counter()
    read = Preprocessing.read

    def counted(self, source, name=None):
        counts[Path(source).name] += 1
        return read(self, source, name)

    monkeypatch.setattr(Preprocessing, "read", counted)
    return counts


def detector_of(paths, tiled=False):
    return untrained(paths, **({"size": None, "tiling": Tiling(64, 16)} if tiled else {}))


@pytest.mark.parametrize("tiled", [False, True])
def test_an_image_that_repeats_another_counts_once(good, tmp_path, tiled):
    copy = tmp_path / "copy.png"
    copy.write_bytes(good[3].read_bytes())
    detector = detector_of(good, tiled)
    refused(lambda: detector.calibrate([good[0]] * 120), "are 1:", "at least 10 different")
    refused(lambda: detector.calibrate([*good[:9], *good[:9]]), "are 9:")
    once = detector.calibrate(good)
    again = detector.calibrate([*good, copy, *good[:5]])
    assert again.images.scores.tolist() == once.images.scores.tolist()
    assert len(again.images) == 12 and again.quiet == once.quiet
    assert again.card["calibrated"] == "anew, on 12 good images"
    assert again.card == once.card and "calibrated" not in detector.card


def test_quiet_is_of_the_pixels_of_images_and_not_of_their_padding(tmp_path):
    rng = np.random.default_rng(0)
    paths = [save(tmp_path / f"{i:02}.png", stripes(rng, 128, 48)) for i in range(12)]
    detector = untrained(paths)
    pictures = [detector.preprocessing.read(path) for path in paths]
    assert all(picture.valid.mean() < 0.5 for picture in pictures)
    maps = [scored.map[8:-8] for scored in detector.scored(pictures)]
    inside = np.concatenate([m[p.valid[8:-8]] for m, p in zip(maps, pictures, strict=True)])
    assert np.mean(inside <= detector.quiet) == pytest.approx(0.95, abs=0.001)


def test_tiled_images_are_read_once_to_score_them_and_five_times_to_calibrate(good, reads):
    detector = detector_of(good, tiled=True)
    reads.clear()
    detector.calibrated_on(Pictures(detector.preprocessing, good))
    assert set(reads.values()) == {1}
    reads.clear()
    detector.calibrate(good)
    # To find what repeats, twice for what they have in common, to score, and to draw on.
    assert len(reads) == 12 and set(reads.values()) == {5}
