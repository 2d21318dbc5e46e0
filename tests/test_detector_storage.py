"""A detector in a file: whole, or refused in one sentence."""

import hashlib
import json

import numpy as np
import pytest
import torch
from detectors import good_folder, refused, small_detector, spoiled, stripes
from safetensors import safe_open
from safetensors.torch import save_file

from aesc.detector import RegionOfInterest, load, save
from aesc.experiment import METHODS
from aesc.training import load_tensors, save_tensors


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    folder = good_folder(tmp_path_factory.mktemp("good"))
    roi = RegionOfInterest.rectangle((8, 8, 48, 40), (64, 64))
    return small_detector(folder, false_rejects=0.1, review=0.2, roi=roi)


@pytest.fixture(scope="module")
def path(detector, tmp_path_factory):
    path = tmp_path_factory.mktemp("detector") / "part.aesc"
    save(detector, path)
    return path


def content(path):
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def test_a_detector_comes_back_as_it_was(detector, path):
    again = load(path, "cpu")
    part = stripes(np.random.default_rng(1))
    for image in (part, spoiled(part)):
        one, other = detector.predict(image), again.predict(image)
        assert one.to_dict() | {"seconds": 0} == other.to_dict() | {"seconds": 0}
    assert again.card == detector.card and again.false_rejects == 0.1 and again.review == 0.2
    assert again.quiet == detector.quiet
    assert again.card["seed"] == 0 and len(again.card["fingerprint"]) == 64
    assert {"aesc", "torch", "device", "seconds"} <= set(again.card)


def test_truncated_files_are_refused(path, tmp_path):
    data = path.read_bytes()
    for length in (0, 5, 100, len(data) // 2, len(data) - 1):
        cut = tmp_path / "cut.aesc"
        cut.write_bytes(data[:length])
        refused(lambda cut=cut: load(cut), "cut.aesc", "not a whole detector")


def test_a_flipped_bit_is_noticed(path, tmp_path):
    data = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    rng = np.random.default_rng(0)
    for place in rng.integers(start, len(data), 8):
        damaged = data.copy()
        damaged[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "bad.aesc").write_bytes(damaged)
        refused(lambda: load(tmp_path / "bad.aesc"), "does not fit its checksum")


def with_another_header(data: bytes, old: bytes, new: bytes) -> bytes:
    """A file whose header says something else of the same length, once; values stay."""
    assert len(old) == len(new) and old in data
    return data.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"dtype":"F32"', b'"dtype":"I32"'), (b'"shape":[8,4', b'"shape":[4,8')],
)
def test_another_type_or_shape_of_the_same_values_is_noticed(tmp_path, detector, path, old, new):
    """In a detector and in the weights of a run."""
    config = {"model": "aesc", "size": 64, "channels": 1, "category": "washer"}
    weights, bad = tmp_path / "run.safetensors", tmp_path / "bad.aesc"
    model = {**detector.model.state_dict(), "zz": torch.zeros(8, 4)}
    save_tensors(model, weights, {"config": json.dumps(config)})
    tensors, metadata = load_tensors(path)
    whole = tmp_path / "whole.aesc"
    save_tensors({**tensors, "zz": torch.zeros(8, 4)}, whole, metadata)
    for file in (weights, whole):
        load(file, "cpu") if file == whole else load_tensors(file)
        bad.write_bytes(with_another_header(file.read_bytes(), old, new))
        refused(lambda: load(bad, "cpu"), "bad.aesc", "does not fit its checksum", "aesc fit")


def test_weights_of_a_run_with_a_flipped_bit_are_refused(detector, tmp_path):
    config = {"model": "aesc", "size": 64, "channels": 1, "category": "washer"}
    weights = tmp_path / "run.safetensors"
    save_tensors(detector.model.state_dict(), weights, {"config": json.dumps(config)})
    load(weights, "cpu")
    data = bytearray(weights.read_bytes())
    data[-7] ^= 1
    weights.write_bytes(data)
    refused(lambda: load(weights, "cpu"), "run.safetensors", "does not fit its checksum")


def test_version_0_2_can_read_what_is_written(path):
    """It looks for a SHA-256 of names and values after the content."""
    metadata, tensors = content(path)
    digest = hashlib.sha256(metadata["content"].encode())
    for name in sorted(tensors):
        digest.update(name.encode() + tensors[name].numpy().tobytes())
    assert metadata["checksum"] == digest.hexdigest()
    assert metadata.keys() == {"format", "schema", "content", "checksum", "crc32"}


def test_files_of_another_version_or_program_are_refused(path, tmp_path):
    tensors, metadata = load_tensors(path)
    other = tmp_path / "other.aesc"
    save_tensors(tensors, other, {**metadata, "schema": "2"})
    refused(lambda: load(other), "of version 2", "reads 1")
    save_tensors(tensors, other, {"format": "pt"})
    refused(lambda: load(other), "is not a detector")
    save_file(tensors, other, {"format": "pt"})
    refused(lambda: load(other), "other.aesc", "no checksum", "aesc fit")
    other.write_bytes(b"PK\x03\x04 a pickle in a zip")
    refused(lambda: load(other), "not a whole detector")
    refused(lambda: load(tmp_path / "none.aesc"), "There is no detector")


def test_a_method_that_is_not_there_is_named(path, tmp_path, monkeypatch):
    # A copy: an entry that is taken out and put back would stand last for all later tests.
    others = {name: method for name, method in METHODS.items() if name != "aesc"}
    monkeypatch.setattr("aesc.detector.storage.METHODS", others)
    refused(lambda: load(path), "the method aesc")


def test_weights_of_a_run_score_but_have_no_threshold(detector, tmp_path):
    config = {"model": "aesc", "size": 64, "channels": 1, "category": "washer"}
    weights = tmp_path / "run.safetensors"
    save_tensors(detector.model.state_dict(), weights, {"config": json.dumps(config)})
    part = stripes(np.random.default_rng(1))
    loaded = load(weights, "cpu")
    refused(lambda: loaded.predict(part), "no threshold", "aesc calibrate")
    refused(lambda: save(loaded, tmp_path / "x.aesc"), "no threshold")
    rng = np.random.default_rng(2)
    ready = loaded.calibrate([stripes(rng) for _ in range(20)], 0.1, 0.2)
    assert ready.predict(spoiled(part)).verdict == "reject"
    save(ready, tmp_path / "ready.aesc")
    assert load(tmp_path / "ready.aesc", "cpu").card["made by"] == "aesc run"


def test_weights_that_cannot_score_alone_or_do_not_fit_are_refused(tmp_path):
    def weights(name: str, **config: object):
        model = METHODS[name].build(config["channels"], 64, 0.1, torch.Generator())
        path = tmp_path / "run.safetensors"
        save_tensors(model.state_dict(), path, {"config": json.dumps({"size": 64, **config})})
        return path

    refused(lambda: load(weights("itae", model="itae", channels=3)), "aesc fit")
    refused(lambda: load(weights("ae_l2", model="aesc", channels=1)), "does not fit")
    path = tmp_path / "odd.safetensors"
    save_tensors({"a": torch.zeros(1)}, path, {"config": "{"})
    refused(lambda: load(path), "not the weights of a run")
