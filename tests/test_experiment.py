"""Configurations, records and the whole run on a tiny data set."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from records_by_hand import record
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score

from aesc.baselines import ssim_loss
from aesc.errors import InputError
from aesc.experiment import (
    LOSSES,
    METHODS,
    PRESETS,
    Experiment,
    Preset,
    RunConfig,
    ScoringOptions,
)
from aesc.experiment.run import KEEP_CHECKPOINT
from aesc.files import temporary_beside
from aesc.records import Record
from aesc.scoring import image_scores
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
    for kind, maps in experiment.maps.maps.items():
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
        patch.setattr("aesc.experiment.method.map_batches", _interrupt)
        experiment.run()
    assert experiment.path(".checkpoint").exists() and not experiment.path(".json").exists()
    monkeypatch.setattr("aesc.training.loop.Trainer._epoch", _interrupt)
    resumed = Experiment(config, tmp_path / "cut", progress=False).run()
    assert resumed.model_dump(exclude={"duration"}) == whole.model_dump(exclude={"duration"})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"schema_version": 2}, "has schema version 2, this package reads 1: use the package"),
        ({"later": {"precious": 1}}, r"is not whole \(later is not known\): move it away"),
        ({"training": None}, r"is not whole \(training is None\): move it away"),
    ],
)
def test_record_that_cannot_be_read_is_not_replaced(config, tmp_path, change, sentence):
    path = tmp_path / f"{config.name}.json"
    made = record(data={"dataset": config.dataset, "category": config.category})
    path.write_text(json.dumps({**made.model_dump(mode="json"), **change}))
    before = path.read_bytes()
    with pytest.raises(InputError, match=rf"^Record .* {sentence}.*\.$"):
        Experiment(config, tmp_path, progress=False)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_record_that_the_system_does_not_give_is_not_replaced(config, tmp_path):
    (tmp_path / f"{config.name}.json").mkdir()
    with pytest.raises(InputError, match=r"^Cannot read record .* \(Is a directory\): check"):
        Experiment(config, tmp_path)


def test_half_a_record_is_replaced(config, tmp_path):
    path = tmp_path / f"{config.name}.json"
    path.write_text(record().model_dump_json()[:500])
    whole = Experiment(config, tmp_path, progress=False).run()
    assert Record.load(path) == whole


def test_what_a_killed_process_left_of_the_run_is_removed(config, tmp_path):
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=-1)
    mine = temporary_beside(tmp_path / f"{config.name}.checkpoint")
    half = mine.with_name(mine.name.replace(f"-{os.getpid()}-", f"-{int(ended.stdout)}-"))
    for path in (mine, half):
        path.write_text("half")
    Experiment(config, tmp_path)
    assert list(tmp_path.iterdir()) == [mine]


def test_checkpoint_is_kept_where_more_than_the_record_has_to_be_written(
    config, tmp_path, monkeypatch
):
    monkeypatch.setenv(KEEP_CHECKPOINT, "1")
    experiment = Experiment(config, tmp_path, progress=False)
    experiment.run()
    assert experiment.path(".checkpoint").exists() and experiment.path(".json").exists()


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
    with pytest.raises(InputError, match="only has no good test images"):
        Experiment(config, tmp_path / "out", progress=False).run()


def test_read_only_output_is_refused_before_any_work(config, tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    with pytest.raises(InputError, match=r"Cannot write .*file.*: choose another folder"):
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
        ({"size": 63}, "size is 63: give at least 64 pixels for AESc."),
        ({"size": 15, "model": "itae"}, "size is 15: give at least 16 pixels for ITAE."),
        ({"size": 31, "model": "ae_l2"}, "size is 31: give at least 32 pixels for AE_L2."),
        ({"size": -5}, "size is -5"),
        ({"size": 64.0}, "size is 64.0"),
        ({"size": "64.0"}, "size is '64.0'"),
        ({"size": "9" * 5000}, "size is '999"),
        ({"epochs": 0}, "epochs is 0"),
        ({"epochs": True}, "epochs is True"),
        ({"passes": 1}, "passes is 1"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": "-1"}, "seed is -1"),
        ({"seed": "x"}, "seed is 'x'"),
        ({"seed": False}, "seed is False"),
        ({"channels": 2}, "channels is 2"),
        ({"channels": True}, "channels is True"),
        ({"corruption": "erasing"}, "corruption is 'erasing': choose one of stain"),
        ({"preset": ["quick"]}, "preset"),
        ({"data": "/somewhere/embedded"}, "rename the folder"),
        ({"device": "abacus"}, "abacus"),
        ({"device": "cuda:99"}, "cuda:99"),
        ({"sized": 3}, "sized is not known: leave it out."),
    ],
)
def test_absurd_configurations_are_refused_in_one_sentence(values, named):
    with pytest.raises(InputError, match=r"^[^\n]+\.$") as caught:
        RunConfig.checked(category="washer", **values)
    assert named in str(caught.value)


def test_numbers_may_be_text_of_digits_as_from_a_command_line():
    config = RunConfig.checked(category="washer", size="96", seed="3", channels="3")
    assert (config.size, config.seed, config.channels) == (96, 3, 3)
    assert config.name == "embedded-washer-aesc-stain-quick-96px-colour-seed3"


def test_every_method_can_be_trained_at_its_least_size():
    for name, method in METHODS.items():
        config = RunConfig.checked(category="washer", model=name, size=method.smallest)
        network = method.build(config.channels, config.size, 0.1, torch.Generator())
        images = torch.rand(1, config.channels, config.size, config.size)
        options = ScoringOptions(2, 0, torch.device("cpu"))
        scored = method.maps(network, images, images, options)
        for found in scored.maps.values():
            assert found.shape == (1, config.size, config.size)


def test_losses_are_given_the_mask_and_plain_ones_ignore_it():
    images, mask = torch.rand(2, 1, 16, 16), torch.zeros(2, 1, 16, 16, dtype=torch.bool)
    other = images.flip(3)
    expected = {
        "mse": ((images - other) ** 2).mean(),
        "l1": (images - other).abs().mean(),
        "ssim": ssim_loss(images, other),
    }
    assert LOSSES.keys() == {*expected, "repair_and_mark"}
    for name, value in expected.items():
        torch.testing.assert_close(LOSSES[name](images, other, mask), value)
        torch.testing.assert_close(LOSSES[name](images, other, ~mask), value)


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


def test_card_names_what_made_the_record(config, tmp_path):
    record = Experiment(config, tmp_path, progress=False).run()
    card = record.card()
    for fact in (record.data.fingerprint[:16], record.environment.torch, "| seed | 0 |", "stripes"):
        assert fact in card
