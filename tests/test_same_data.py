"""A result stands for the images it was made from, and for no others of the same name."""

import os
import shutil
from pathlib import Path

import pytest

import aesc.experiment.config as config_module
from aesc.data import content_fingerprint, load_category, quick_fingerprint
from aesc.errors import InputError
from aesc.experiment import EMBEDDED, Experiment, RunConfig
from aesc.records import Record, Store

pytestmark = pytest.mark.usefixtures("one_batch")


def copied(stripes: Path, folder: Path) -> Path:
    return Path(shutil.copytree(stripes, folder, copy_function=shutil.copy))


def config_of(folder: Path, data: Path | None = None) -> RunConfig:
    return RunConfig.checked(
        category=folder.name, data=str(data or folder.parent), passes=2, device="cpu"
    )


def trained(config: RunConfig, out: Path) -> Record:
    """A finished run: its record, its weights, and something for its notebook."""
    record = Experiment(config, out, progress=False).run()
    (out / f"{config.name}.ipynb").write_text("{}")
    return record


# Fingerprints


def test_quick_fingerprint_changes_with_every_file_and_content_with_what_is_in_it(
    stripes, tmp_path
):
    folder = copied(stripes, tmp_path / "a")
    quick, content = quick_fingerprint(folder), content_fingerprint(folder)
    assert content == load_category(folder, size=8).fingerprint == content_fingerprint(stripes)
    assert quick == quick_fingerprint(str(folder)) != quick_fingerprint(stripes)
    for name in ("train/good/000.png", "test/dark/001.png", "ground_truth/dark/001_mask.png"):
        path = folder / name
        before = path.stat()
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        assert quick_fingerprint(folder) != quick
        assert content_fingerprint(folder) == content
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert quick_fingerprint(folder) == quick
    path.with_name("Thumbs.db").write_text("of no category")
    assert quick_fingerprint(folder) == quick
    (folder / "train/good/009.png").unlink()
    assert quick_fingerprint(folder) != quick and content_fingerprint(folder) != content


def test_quick_fingerprint_opens_no_file(stripes, monkeypatch):
    monkeypatch.setattr("builtins.open", None)
    monkeypatch.setattr("io.open", None)
    assert len(quick_fingerprint(stripes)) == 64


# Finished, or not


def test_the_same_data_are_finished_before_also_as_a_copy_elsewhere(stripes, tmp_path):
    config = config_of(copied(stripes, tmp_path / "here" / "line" / "shoe"))
    record = trained(config, tmp_path / "runs")
    store = Store(tmp_path / "runs")
    assert record.data.quick_fingerprint == config.quick_fingerprint()
    assert store.finished(config) == record
    there = config_of(copied(stripes, tmp_path / "there" / "line" / "shoe"))
    assert there.quick_fingerprint() != record.data.quick_fingerprint
    assert store.finished(there) == record


def test_record_older_than_the_quick_fingerprint_is_compared_by_content(stripes, tmp_path):
    config = config_of(copied(stripes, tmp_path / "line" / "shoe"))
    record = trained(config, tmp_path / "runs")
    data = record.data.model_copy(update={"quick_fingerprint": ""})
    old = record.model_copy(update={"data": data})
    old.save(tmp_path / "runs" / f"{config.name}.json")
    assert Store(tmp_path / "runs").finished(config) == old


@pytest.mark.parametrize("change", ["replaced", "added", "deleted", "test image", "mask"])
def test_changed_data_are_refused_and_the_result_kept(stripes, tmp_path, change):
    folder = copied(stripes, tmp_path / "line" / "shoe")
    config = config_of(folder)
    trained(config, tmp_path / "runs")
    path = tmp_path / "runs" / f"{config.name}.json"
    before = path.read_bytes()
    train, other = folder / "train/good", folder / "test/dark"
    if change == "replaced":
        shutil.copy(train / "000.png", train / "001.png")
    elif change == "added":
        shutil.copy(train / "000.png", train / "100.png")
    elif change == "deleted":
        (train / "009.png").unlink()
    elif change == "test image":
        shutil.copy(other / "000.png", other / "001.png")
    else:
        masks = folder / "ground_truth/dark"
        shutil.copy(masks / "000_mask.png", masks / "001_mask.png")
    for again in (
        lambda: Store(tmp_path / "runs").finished(config),
        lambda: Experiment(config, tmp_path / "runs"),
    ):
        with pytest.raises(InputError) as refused:
            again()
        assert str(refused.value) == (
            f"Record {path} was made from other images than {folder} holds now: choose another "
            "--out, or remove the files of that run to train again."
        )
    assert path.read_bytes() == before


def test_without_its_notebook_a_run_is_not_finished(stripes, tmp_path):
    config = config_of(copied(stripes, tmp_path / "line" / "shoe"))
    trained(config, tmp_path / "runs")
    (tmp_path / "runs" / f"{config.name}.ipynb").unlink()
    assert Store(tmp_path / "runs").finished(config) is None


def test_data_that_are_not_on_this_machine_are_left_to_a_worker(stripes, tmp_path):
    config = config_of(copied(stripes, tmp_path / "line" / "shoe"))
    trained(config, tmp_path / "runs")
    shutil.rmtree(tmp_path / "line")
    assert Store(tmp_path / "runs").finished(config) is None


# Names that two data sets share


def test_folders_of_one_name_do_not_share_a_result(stripes, tmp_path):
    first = config_of(copied(stripes, tmp_path / "a" / "line" / "shoe"))
    other = copied(stripes, tmp_path / "b" / "line" / "shoe")
    (other / "train/good/009.png").unlink()
    trained(first, tmp_path / "runs")
    second = config_of(other)
    assert second.name == first.name
    with pytest.raises(InputError) as refused:
        Store(tmp_path / "runs").finished(second)
    assert str(other) in str(refused.value) and f"{first.name}.json" in str(refused.value)


def test_hyphens_do_not_make_two_runs_one(stripes, tmp_path):
    """The same images even: a result names its data set and its category."""
    first = config_of(copied(stripes, tmp_path / "x" / "a-b" / "c"))
    second = config_of(copied(stripes, tmp_path / "x" / "a" / "b-c"))
    assert first.name == second.name
    trained(first, tmp_path / "runs")
    with pytest.raises(InputError) as refused:
        Store(tmp_path / "runs").finished(second)
    assert str(refused.value) == (
        f"Record {tmp_path / 'runs' / first.name}.json is of category 'c' of data set 'a-b': "
        "choose another --out for category 'b-c' of 'a', a run of the same name."
    )


def test_category_folder_and_data_set_of_one_name_do_not_share_a_result(stripes, tmp_path):
    alone = copied(stripes, tmp_path / "p" / "s")
    within = copied(stripes, tmp_path / "q" / "s" / "s")
    (within / "train/good/009.png").unlink()
    first, second = config_of(alone, data=alone), config_of(within)
    assert first.name == second.name
    trained(first, tmp_path / "runs")
    with pytest.raises(InputError, match="was made from other images"):
        Store(tmp_path / "runs").finished(second)


def test_own_folder_cannot_be_called_as_the_generated_data(stripes, tmp_path):
    copied(stripes, tmp_path / "embedded" / "washer")
    with pytest.raises(InputError, match=r"^data is '.*embedded': rename the folder, .*\.$"):
        RunConfig.checked(category="washer", data=str(tmp_path / "embedded"))
    (tmp_path / "link").symlink_to(tmp_path / "embedded")
    with pytest.raises(InputError, match="rename the folder"):
        RunConfig.checked(category="washer", data=str(tmp_path / "link"))


# The generated data, and checkpoints


def test_generated_data_are_the_same_until_their_version_changes_their_images(
    stripes, tmp_path, monkeypatch
):
    folder, asked = copied(stripes, tmp_path / "washer"), []

    def generated(size: int, names: list[str], progress: bool) -> Path:
        asked.append(names)
        return tmp_path

    monkeypatch.setattr(config_module, "embedded", generated)
    config = RunConfig.checked(category="washer", passes=2, device="cpu")
    record = trained(config, tmp_path / "runs")
    store = Store(tmp_path / "runs")
    asked.clear()
    assert record.data.quick_fingerprint.startswith(EMBEDDED)
    assert store.finished(config) == record and not asked  # the version tells: nothing generated
    monkeypatch.setattr(config_module, "VERSION", "another")
    assert store.finished(config) == record and asked  # it changed other categories than this one
    (folder / "train/good/009.png").unlink()
    assert store.finished(config) is None


@pytest.mark.parametrize("part", ["train", "validation"])
def test_training_is_not_resumed_with_other_images(stripes, tmp_path, part):
    folder = copied(stripes, tmp_path / "line" / "shoe")
    config = config_of(folder)
    experiment = Experiment(config, tmp_path / "runs", progress=False)
    assert experiment.history.loss and experiment.path(".checkpoint").exists()
    name = getattr(experiment.category, f"{part}_paths")[0]
    shutil.copy(folder / "test/bright/000.png", folder / name)
    with pytest.raises(InputError, match=r"Checkpoint .* another training"):
        Experiment(config, tmp_path / "runs", progress=False).run()
