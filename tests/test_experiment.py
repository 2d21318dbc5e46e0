"""Configurations, records and the whole run on a tiny data set."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score

from aesc.errors import InputError
from aesc.experiment import PRESETS, Experiment, Record, RunConfig
from aesc.experiment.config import Preset
from aesc.scoring import image_scores
from aesc.sweep import Store
from aesc.training import TrainingSettings


@pytest.fixture
def tiny_preset(monkeypatch):
    settings = TrainingSettings(epochs=2, batches=3, batch_size=4, patience=1)
    monkeypatch.setitem(PRESETS, "quick", Preset(64, 0.1, settings))


@pytest.fixture
def config(stripes, tiny_preset) -> RunConfig:
    return RunConfig.checked(category="stripes", data=str(stripes.parent), passes=3, device="cpu")


def test_a_run_from_images_to_record(config, tmp_path):
    experiment = Experiment(config, tmp_path, progress=False)
    record = experiment.run()
    assert record == Record.load(tmp_path / f"{config.name}.json")
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".safetensors"]
    assert (record.data.train, record.data.validation) == (8, 2)
    assert (record.data.test_good, record.data.test_defective) == (4, 6)
    assert record.training.images_seen == 2 * 3 * 4
    assert record.metrics.keys() == {"residual", "uncertainty"}
    assert record.metrics["residual"].defects.keys() == {"bright", "dark"}
    saved = load_file(tmp_path / f"{config.name}.safetensors")
    assert all(torch.equal(saved[k], v) for k, v in experiment.model.state_dict().items())


def test_metrics_of_the_record_are_those_of_scikit_learn(config, tmp_path):
    experiment = Experiment(config, tmp_path, progress=False)
    record, images = experiment.record, experiment.category
    for kind, maps in experiment.maps.by_kind().items():
        metrics = record.metrics[kind]
        for norm, detection in metrics.image.items():
            scores = image_scores(maps, norm)
            assert detection.auroc == pytest.approx(roc_auc_score(images.labels, scores), abs=1e-12)
        pixel = roc_auc_score(images.masks.flatten(), maps.flatten())
        assert metrics.pixel.auroc == pytest.approx(pixel, abs=1e-12)
        for defect, value in metrics.defects.items():
            chosen = [i for i, t in enumerate(images.defect_types) if t in ("good", defect)]
            scores = image_scores(maps[chosen])
            expected = roc_auc_score(images.labels[chosen], scores)
            assert value.image_auroc == pytest.approx(expected, abs=1e-12) and value.count == 3


def test_same_seed_identical_record_but_for_the_time(config, tmp_path):
    first, second = (
        Experiment(config, tmp_path / name, progress=False).run().model_dump(exclude={"duration"})
        for name in ("a", "b")
    )
    assert first == second
    other = config.model_copy(update={"seed": 1})
    assert Experiment(other, tmp_path, progress=False).run().metrics != first["metrics"]


def test_interrupted_before_the_record_does_not_train_again(config, tmp_path, monkeypatch):
    whole = Experiment(config, tmp_path / "whole", progress=False).run()
    experiment = Experiment(config, tmp_path / "cut", progress=False)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("aesc.experiment.methods.anomaly_maps", _interrupt)
        experiment.run()
    assert experiment.path(".checkpoint").exists() and not experiment.path(".json").exists()
    monkeypatch.setattr("aesc.training.loop.Trainer._epoch", _interrupt)
    resumed = Experiment(config, tmp_path / "cut", progress=False).run()
    assert resumed.model_dump(exclude={"duration"}) == whole.model_dump(exclude={"duration"})


def _interrupt(*_, **__):
    raise KeyboardInterrupt


def test_colour_and_the_plain_autoencoder(config, tmp_path):
    config = config.model_copy(update={"channels": 3, "model": "ae", "corruption": "mix1"})
    record = Experiment(config, tmp_path, progress=False).run()
    assert record.method.channels == 3 and "-ae-mix1-" in record.name and "-colour-" in record.name


def test_without_masks_there_are_no_pixel_metrics(config, stripes, tmp_path):
    folder = tmp_path / "plain"
    shutil.copytree(stripes, folder, ignore=shutil.ignore_patterns("ground_truth"))
    config = config.model_copy(update={"category": "plain", "data": str(folder)})
    record = Experiment(config, tmp_path / "out", progress=False).run()
    assert record.metrics["residual"].pixel is None
    assert record.metrics["residual"].defects["dark"].pixel_auroc is None
    assert record.metrics["residual"].image["l2"].auroc is not None


def test_a_folder_without_test_images_is_refused(config, stripes, tmp_path):
    shutil.copytree(stripes / "train", tmp_path / "only" / "train")
    config = config.model_copy(update={"category": "only", "data": str(tmp_path / "only")})
    with pytest.raises(InputError, match="no good or no defective test images"):
        Experiment(config, tmp_path / "out", progress=False).run()


def test_read_only_output_is_refused_before_any_work(config, tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    with pytest.raises(
        InputError, match=r"Cannot write .*file.*: free some space or choose another"
    ):
        Experiment(config, blocker / "out")


def test_full_disk_leaves_no_half_record(config, tmp_path, monkeypatch):
    experiment = Experiment(config, tmp_path, progress=False)
    record = experiment.record

    def full(self, text, **_):
        self.write_bytes(text.encode()[: len(text) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError, match="No space left on device"):
        record.save(experiment.path(".json"))
    assert not [p for p in tmp_path.iterdir() if p.suffix in (".json", ".tmp")]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"preset": "fast"}, "quick, standard, paper"),
        ({"model": "unet"}, "aesc, ae"),
        ({"corruption": "coffee"}, "none, gaussian, scratch"),
        ({"size": 63}, "63 pixels"),
        ({"size": -5}, "size=-5"),
        ({"epochs": 0}, "epochs=0"),
        ({"passes": 1}, "passes=1"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": "x"}, "seed='x'"),
        ({"channels": 2}, "channels=2"),
        ({"device": "abacus"}, "abacus"),
        ({"device": "cuda:99"}, "cuda:99"),
        ({"sized": 3}, "sized=3"),
    ],
)
def test_absurd_configurations_are_refused_in_one_sentence(values, named):
    with pytest.raises(InputError, match=r"^[^\n]+\.$") as caught:
        RunConfig.checked(category="washer", **values)
    assert named in str(caught.value)


def test_presets():
    config = RunConfig.checked(category="washer", preset="paper", size=None, epochs=None)
    assert (config.size, config.epochs) == (256, 250)
    settings = config.training_settings()
    assert (settings.batches, settings.batch_size, settings.patience) == (125, 16, 30)
    assert (
        RunConfig.checked(category="washer", preset="paper", epochs=7).training_settings().epochs
        == 7
    )


def test_names_are_unique_and_hold_no_path(tmp_path):
    base = {"category": "washer"}
    variants = [
        {}, {"seed": 1}, {"size": 96}, {"epochs": 3}, {"model": "ae"}, {"corruption": "drops"},
        {"channels": 3}, {"passes": 5}, {"preset": "standard"}, {"data": str(tmp_path)},
    ]  # fmt: skip
    names = {RunConfig.checked(**base, **variant).name for variant in variants}
    assert len(names) == len(variants) and not any("/" in name for name in names)


def test_damaged_and_foreign_records_are_refused(config, tmp_path):
    record = Experiment(config, tmp_path, progress=False).run()
    path = tmp_path / f"{config.name}.json"
    whole = json.loads(path.read_text())
    for content, named in [
        (json.dumps({**whole, "schema_version": 2}), "schema version 2, this package reads 1"),
        (json.dumps([1, 2]), "schema version None"),
        (path.read_text()[:200], "is not JSON"),
        (json.dumps({k: v for k, v in whole.items() if k != "metrics"}), "metrics"),
        (json.dumps({**whole, "extra": 1}), "extra=1"),
    ]:
        path.write_text(content)
        with pytest.raises(InputError, match=r"^[^\n]+\.$") as caught:
            Store(tmp_path).records()
        assert named in str(caught.value) and str(path) in str(caught.value)
    record.save(path)
    assert Store(tmp_path).records() == [record]
    with pytest.raises(InputError, match="no records"):
        Store(tmp_path / "missing").records()
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no records"):
        Store(tmp_path / "empty").records()


def test_card_names_what_made_the_record(config, tmp_path):
    record = Experiment(config, tmp_path, progress=False).run()
    card = record.card()
    for fact in (record.data.fingerprint[:16], record.environment.torch, "| seed | 0 |", "stripes"):
        assert fact in card
