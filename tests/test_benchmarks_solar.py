"""The benchmark on solar cells, on drawn ones."""

import sys
from types import ModuleType

import numpy as np
import pytest

from aesc.detector import FitSettings
from benchmarks import solar
from benchmarks.harness import RESULTS


@pytest.fixture
def drawn(monkeypatch):
    """Cells of two kinds: of the one sort, some good, some with a black square, some doubtful."""
    rng = np.random.default_rng(0)
    images = rng.integers(110, 140, (80, 48, 48), dtype=np.uint8)
    probability = np.repeat([0.0, 1.0, 1 / 3, 0.0], [50, 10, 10, 10])
    images[50:60, 10:30, 10:30] = 0
    kinds = np.array(["mono"] * 70 + ["poly"] * 10)
    package, module = ModuleType("elpv_dataset"), ModuleType("elpv_dataset.utils")
    module.load_dataset = lambda: (images, probability, kinds)
    monkeypatch.setitem(sys.modules, "elpv_dataset", package)
    monkeypatch.setitem(sys.modules, "elpv_dataset.utils", module)
    monkeypatch.setattr(solar, "FITTED", 40)


def test_doubtful_cells_and_those_of_another_kind_are_left_out(drawn):
    good, defective = solar.cells_by_label()
    assert (len(good), len(defective)) == (50, 10)
    assert min(cell.min() for cell in good) >= 110 and max(c.min() for c in defective) == 0


def test_cells_that_the_detector_was_made_of_are_not_judged(drawn):
    settings = FitSettings(minutes=0.02, false_rejects=0.05, review=0.1)
    case = solar.case_of(settings, solar.MIXED, *solar.cells_by_label())
    assert (case.good, case.defective) == (10, 10)
    assert case.image_auroc == 1 and case.defective_rejected == 1 and case.good_rejected < 0.5


def test_without_the_images_nothing_is_written(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["solar"])
    monkeypatch.setattr(solar.importlib.util, "find_spec", lambda name: None)
    before = set(RESULTS.iterdir())
    solar.main()
    assert "pip install elpv-dataset" in capsys.readouterr().out
    assert set(RESULTS.iterdir()) == before
