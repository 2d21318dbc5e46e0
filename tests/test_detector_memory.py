"""Images that are cut into tiles are never all in memory, whatever is done with them."""

import weakref

import numpy as np
import pytest
from detectors import save, stripes

from aesc.detector import FitSettings, Preprocessing, fit, limit, survey
from aesc.training import TrainingSettings

WIDTH, HEIGHT, TILE = 100, 80, 64
MOST = 4
"""Whole images at a time: of the caller, and read ahead."""


@pytest.mark.parametrize("method", ["aesc", "aesc_plus"])
def test_a_tiled_fit_holds_a_few_whole_images(tmp_path, monkeypatch, method):
    rng = np.random.default_rng(0)
    paths = [save(tmp_path / f"{i:02}.png", stripes(rng, WIDTH, HEIGHT)) for i in range(18)]
    read, living, most = Preprocessing.read, [], 0

    def counted(self, source, name=None):
        nonlocal most
        picture = read(self, source, name)
        living.append(weakref.ref(picture.pixels))
        most = max(most, sum(pixels() is not None for pixels in living))
        return picture

    monkeypatch.setattr(Preprocessing, "read", counted)
    monkeypatch.setattr(limit, "SIZES", (1 / 8,))  # as many images, less time
    settings = FitSettings(method=method, tile=TILE, device="cpu")
    found = survey(paths)
    made = fit(found, settings, TrainingSettings(1, 1, 2), progress=False)
    assert len(made.images) == len(found.calibration) > MOST
    assert 0 < most <= MOST < len(found.train)
