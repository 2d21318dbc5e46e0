"""The benchmarks of AESc+: its steps, what it trusts, other light; on small sizes."""

import argparse
import json

import numpy as np
import pytest
import torch

from aesc.experiment import Experiment, RunConfig
from aesc.metrics import auroc
from aesc.plus import AEScPlus
from aesc.training import TrainingSettings
from benchmarks import harness, relit, steps, trust

ONE_BATCH = TrainingSettings(epochs=1, batches=1, batch_size=4, decay="cosine")


def test_every_step_is_measured_once_and_anew_with_another_schedule(tmp_path, monkeypatch):
    steps.measure("mesh", 0, ONE_BATCH, tmp_path)
    (path,) = tmp_path.iterdir()
    cases = harness.kept([path])["cases"]
    expected = [step for training in steps.TRAININGS for step in training.steps]
    assert [case["step"] for case in cases] == expected
    assert all(case["category"] == "mesh" and 0 <= case["image"] <= 1 for case in cases)
    # A step of its own is another network or another way to read it.
    networks = [case["pixel"] for case in cases if case["step"] != "turns"]
    assert len(set(networks)) >= len(networks) - 1  # the last changes the image score alone
    again = []
    monkeypatch.setattr(steps, "cases_of", lambda *given: again.append(given) or [])
    steps.measure("mesh", 0, ONE_BATCH, tmp_path)
    assert again == [] and harness.kept([path])["cases"] == cases
    longer = TrainingSettings(epochs=1, batches=2, batch_size=4, decay="cosine")
    steps.measure("mesh", 0, longer, tmp_path)
    assert again == [("mesh", 0, longer)]
    assert harness.kept([path], steps.made_of(ONE_BATCH))["cases"] == []


def test_a_real_category_is_measured_beside_a_generated_one_of_its_name(
    stripes, tmp_path, monkeypatch
):
    read = []
    case = steps.Case("stripes", "judge", 0, 0.5, 0.5, 0.5, 1.0)
    monkeypatch.setattr(
        steps, "measured", lambda _, category, *rest: read.append(category) or [case]
    )
    steps.measure(stripes, 0, ONE_BATCH, tmp_path)
    (path,) = tmp_path.iterdir()
    assert path.name == "real-stripes-1epochs-seed0.json"
    assert all(kept["real"] for kept in harness.kept([path])["cases"])
    assert {category.root for category in read} == {stripes.resolve()}
    assert {tuple(category.train.shape[1:]) for category in read} == {(3, steps.SIZE, steps.SIZE)}


def test_cases_say_where_each_was_measured(tmp_path, monkeypatch):
    case = trust.Case("mesh", "quick", 0, True, {}, {})
    paths = []
    for number, machine in enumerate(["old", "new", "old"]):
        monkeypatch.setattr(harness, "environment", lambda machine=machine: {"device": machine})
        paths.append(tmp_path / f"{number}.json")
        harness.keep(paths[-1], lambda: "the same", lambda: [case])
    monkeypatch.setattr(harness, "RESULTS", tmp_path)
    harness.write(argparse.Namespace(quick=False), "study", [], **harness.kept(paths))
    written = json.loads((tmp_path / "study.json").read_text("utf-8"))
    assert written["environments"] == [{"device": "old"}, {"device": "new"}]
    assert [each["environment"] for each in written["cases"]] == [0, 1, 0]
    assert "environment" not in written, "the machine that wrote it measured nothing"


@pytest.fixture
def config(stripes, one_batch) -> RunConfig:
    return RunConfig.checked(category="stripes", data=str(stripes.parent), model="aesc_plus")


def test_a_network_is_scored_both_ways_once(config, tmp_path, monkeypatch):
    trust.measure(config, tmp_path)  # trains the network, which is not there
    path = tmp_path / "cases" / f"{config.name}.json"
    (case,) = harness.kept([path])["cases"]
    Experiment(config, tmp_path / "again", progress=False).run()
    record = json.loads((tmp_path / "again" / f"{config.name}.json").read_text("utf-8"))
    scores = record["metrics"]["defect"]
    assert case["decided"]["image"] == pytest.approx(scores["image"]["top"]["auroc"])
    assert case["decided"]["pixel"] == pytest.approx(scores["pixel"]["auroc"])
    assert case["decided"] != case["otherwise"]

    asked = []
    monkeypatch.setattr(
        trust,
        "case_of",
        lambda *given: asked.append(given) or trust.Case("stripes", "quick", 0, True, {}, {}),
    )
    trust.measure(config, tmp_path)
    assert asked == []
    weights = tmp_path / f"{config.name}.safetensors"
    weights.write_bytes(weights.read_bytes() + b"another network")
    trust.measure(config, tmp_path)
    assert len(asked) == 1
    weights.unlink()
    trust.measure(config, tmp_path)
    assert len(asked) == 1, "what was measured of a network that is gone still counts"


def test_good_images_alone_are_lit_anew(config, tmp_path, monkeypatch):
    lights = {"dark": relit.Lighting((0.2, 0.2), (1.0, 1.0), 0.0)}
    monkeypatch.setattr(relit, "LIGHTS", lights)
    seen = []

    def darkness(self, model, images, *_):
        seen.append(images)
        maps = 1 - images.mean(1)
        return type("Maps", (), {"maps": {self.kind: maps}})

    monkeypatch.setattr("aesc.experiment.method.Method.maps", darkness)
    case = relit.case_of(config, tmp_path)
    category = Experiment(config, tmp_path).category
    good = category.labels == 0
    lit, plain = seen
    assert torch.equal(plain, category.test) and torch.equal(lit[~good], plain[~good])
    assert torch.allclose(lit[good], 0.2 * plain[good])
    top = np.sort((1 - lit.mean(1)).flatten(1), 1)
    scores = top[:, -20:].mean(1) - top[:, 2047]
    assert case.lit["dark"] == pytest.approx(auroc(scores, category.labels.numpy()))
    assert case.model == "aesc_plus" and isinstance(
        relit.trained(Experiment(config, tmp_path)), AEScPlus
    )
