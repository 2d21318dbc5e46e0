"""A third anomaly map is one function and one name: everything that shows maps follows."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from aesc.experiment import METHODS, Experiment, RunConfig, ScoringOptions
from aesc.records import (
    OWN_METHOD,
    Record,
    Store,
    format_mean,
    kinds,
    metric_columns,
    render,
    results_table,
)
from aesc.scoring import Compared
from tools import glance

KINDS = ["residual", "uncertainty", "contrast"]
NOTEBOOK = Path(__file__).resolve().parent.parent / "notebooks" / "06_evaluate_category.ipynb"


def contrast(images: Tensor) -> Tensor:
    """The third map: how far each pixel is from the mean of its image."""
    return (images - images.mean((2, 3), keepdim=True)).abs().mean(1)


def with_contrast(model: nn.Module, learned: dict, options: ScoringOptions):
    compare = PAPER.comparison(model, learned, options)

    def both(batch: Tensor) -> Compared:
        reconstruction, maps = compare(batch)
        return reconstruction, {"contrast": contrast(batch), **maps}

    return both


PAPER = METHODS["aesc"]


@pytest.fixture
def config(stripes, one_batch, monkeypatch) -> RunConfig:
    monkeypatch.setitem(METHODS, "aesc", replace(PAPER, comparison=with_contrast))
    return RunConfig.checked(category="stripes", data=str(stripes.parent), passes=2, device="cpu")


@pytest.fixture
def record(config, tmp_path) -> Record:
    return Experiment(config, tmp_path, progress=False).run()


def test_third_map_is_in_the_record_and_in_every_table(record, tmp_path):
    assert set(record.metrics) == set(KINDS) and Store(tmp_path).records() == [record]
    assert kinds([record]) == KINDS
    columns = [f"{level}_{kind}" for level in ("image", "pixel", "aupro") for kind in KINDS]
    assert metric_columns([record]) == columns
    table = results_table([record])
    found = record.metrics["contrast"]
    values = [found.image["l2"].auroc, found.pixel.auroc, found.pixel.aupro]
    assert [table[c][0] for c in columns[2::3]] == values
    head, _, row = render(table, "markdown").splitlines()
    cells = dict(zip(head.split("|"), row.split("|"), strict=True))
    cells = {name.strip(): text.strip() for name, text in cells.items()}
    assert [cells[c] for c in columns[2::3]] == [format_mean(value) for value in values]


def test_third_map_is_in_the_table_at_a_glance(record, tmp_path):
    assert (record.method.model, record.method.corruption) == OWN_METHOD
    text = glance.table(tmp_path)
    rows = [line.split("|") for line in text.splitlines() if "AESc," in line]
    assert [row[4].strip() for row in rows] == [f"AESc, {kind}" for kind in KINDS]
    (third,) = (row for row in rows if "contrast" in row[4])
    assert third[5].strip() == format_mean(record.image_metrics("contrast").auroc)


def test_third_map_is_in_the_figures_and_tables_of_the_category_notebook(
    config, tmp_path, monkeypatch, nothing_left_open
):
    """Its cells, run as they stand; `plots` is listened to for the kinds that it is given."""
    from aesc import plots

    drawn: dict[str, list[str]] = {}

    def listened(name, position):
        draw = getattr(plots, name)

        def call(*arguments, **options):
            drawn[name] = list(arguments[position])
            return draw(*arguments, **options)

        monkeypatch.setattr(plots, name, call)

    for name, position in {"detections": 2, "histograms": 0, "curves": 0}.items():
        listened(name, position)
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    names = {**config.model_dump(), "out": str(tmp_path)}
    for cell in cells:
        source, tags = "".join(cell["source"]), cell["metadata"].get("tags", ())
        if cell["cell_type"] == "code" and "parameters" not in tags and "%pip" not in source:
            exec(source, names)
    assert set(names["record"].metrics) == set(KINDS)
    assert len(drawn) == 3 and all(set(found) == set(KINDS) for found in drawn.values())


def test_method_is_one_entry(config, tmp_path, monkeypatch):
    """One that nothing else in the package knows, with a corruption of its own."""

    class Upside(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config: dict[str, object] = {}
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, images: Tensor) -> Tensor:
            return self.scale * images

    class Flipped(METHODS["ae"].corruptions["none"]):
        """A corruption that does nothing, under another name."""

    def comparison(*_: object):
        return lambda batch: (batch, {"residual": contrast(batch)})

    method = replace(
        PAPER,
        title="Upside",
        build=lambda channels, size, momentum, generator: Upside(),
        comparison=comparison,
        corruptions={"flipped": Flipped},
        smallest=8,
        norm="linf",
    )
    monkeypatch.setitem(METHODS, "upside", method)
    own = RunConfig.checked(**{**config.model_dump(), "model": "upside", "corruption": None})
    own = own.model_copy(update={"size": 16})
    record = Experiment(own, tmp_path, progress=False).run()
    assert (record.method.corruption, record.method.norm) == ("flipped", "linf")
    assert results_table(Store(tmp_path).records()).model.to_list() == ["upside"]
