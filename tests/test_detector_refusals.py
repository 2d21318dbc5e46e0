"""What the commands of a detector refuse, when, and in which words."""

import contextlib
import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from detectors import SCHEDULE, good_folder, refused, save, stripes
from exports import untrained
from PIL import Image
from refusals import refused as command_refused

from aesc.detector import FitSettings, Preprocessing, RegionOfInterest, Tiling, load, survey
from aesc.detector import save as save_detector
from aesc.errors import InputError


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return good_folder(tmp_path_factory.mktemp("good"), count=20)


@pytest.fixture(scope="module")
def model(good, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "part.aesc"
    save_detector(untrained(sorted(good.iterdir())), path)
    return path


# Where the result goes


@pytest.mark.parametrize(
    "command",
    [
        ["fit", "none"],
        ["fit", "none", "--dry-run"],
        ["calibrate", "none", "none"],
        ["export", "none"],
    ],
)
@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("folder", "folder is a folder: give the name of a file."),
        (".", ". is a folder: give the name of a file."),
        ("x" * 300, "choose a shorter name"),
        ("file/x", "choose another folder"),
    ],
)
def test_a_place_that_cannot_be_is_told_before_all_work(
    aesc, tmp_path, monkeypatch, command, out, words
):
    """Nothing that is named is there, and yet it is the place that is refused."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    command_refused(aesc(*command, "--out", out), words)
    assert sorted(os.listdir()) == ["file", "folder"]


@pytest.mark.parametrize("out", [".", "..", "folder/.."])
def test_a_bundle_needs_a_name(aesc, tmp_path, monkeypatch, out):
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    command_refused(aesc("export", "none", "--out", out, "--bundle"), "the name of a new folder")


def test_room_for_the_files_beside_a_detector_is_asked_for(aesc, tmp_path):
    """The checkpoint has the longest name, and is written after the first epoch."""
    for length, words in {250: "choose a shorter name", 240: "is not a folder"}.items():
        out = tmp_path / ("x" * length)
        command_refused(aesc("fit", tmp_path / "none", "--out", out), words)
    (tmp_path / "part.html").mkdir()
    found = aesc("fit", tmp_path / "none", "--out", tmp_path / "part")
    command_refused(found, "part.html is a folder")


def test_a_detector_is_not_saved_as_a_folder(model, tmp_path):
    for place in (".", tmp_path):
        refused(lambda place=place: save_detector(load(model, "cpu"), place), "is a folder")


def test_what_fails_after_the_training_does_not_train_again(good, tmp_path, aesc, monkeypatch):
    from aesc.training import Trainer

    epoch, done = Trainer._epoch, []

    def counted(self, bar):
        done.append(None)
        return epoch(self, bar)

    def full(*_):
        raise InputError("Cannot write it (No space left on device): free some space.")

    monkeypatch.setattr(FitSettings, "schedule", lambda self, _: (SCHEDULE, 1.0))
    monkeypatch.setattr(Trainer, "_epoch", counted)
    command = ["fit", good, "--out", tmp_path / "part", "--size", "64", "--device", "cpu"]
    with monkeypatch.context() as patch:
        patch.setattr("aesc.detector.save", full)
        command_refused(aesc(*command), "No space left")
    assert os.listdir(tmp_path) == ["part.checkpoint"] and len(done) == SCHEDULE.epochs
    assert aesc(*command)[0] == 0 and len(done) == SCHEDULE.epochs
    assert sorted(os.listdir(tmp_path)) == ["part", "part.html"]


# What goes in


def test_a_licence_that_no_file_can_hold_is_refused_at_once(aesc, tmp_path):
    refused(lambda: FitSettings(licence="gr\udcfcn"), "licence is 'gr\\udcfcn'", "UTF-8")
    refused(lambda: FitSettings(licence=4), "licence is 4")
    assert FitSettings(licence="grün, © 2026").licence == "grün, © 2026"
    out = tmp_path / "part"
    command_refused(aesc("fit", "none", "--out", out, "--licence", "gr\udcfcn"), "licence is")


def outline() -> np.ndarray:
    mask = np.zeros((600, 600), np.uint8)
    mask[100, 100:501] = mask[500, 100:501] = mask[100:501, 100] = mask[100:501, 500] = 255
    return mask


def test_a_region_that_vanishes_is_refused_before_the_training(aesc, tmp_path):
    rng = np.random.default_rng(0)
    for index in range(10):
        save(tmp_path / "good" / f"{index}.png", stripes(rng, 600, 600))
    mask = save(tmp_path / "outline.png", outline())
    command = ["fit", tmp_path / "good", "--out", tmp_path / "part", "--size", "64", "--dry-run"]
    for roi in (mask, "300,0,2,600"):
        found = aesc(*command, "--roi", roi)
        command_refused(found, "region of interest covers no pixel at 64 x 64", "a larger size")
    assert aesc(*command, "--roi", "300,0,20,600")[0] == 0
    thin = RegionOfInterest.rectangle((300, 0, 2, 600), (600, 600))
    assert FitSettings(roi=thin, size=512).roi is thin
    assert FitSettings(roi=thin, tile=64).roi is thin  # nothing is resized
    nothing = RegionOfInterest((60, 60), (0, 0, 60, 50), np.zeros((50, 60), np.bool_))
    refused(lambda: Preprocessing(None, 1, 255, nothing, Tiling(32, 8)), "covers no pixel: draw")


def test_a_region_is_refused_when_no_pixel_of_the_resized_image_lies_in_it():
    """Pillow resizes the mask by nearest neighbour, padded to the proportions of the network."""
    rng, refusals = np.random.default_rng(1), 0
    for _ in range(60):
        width, height = (int(side) for side in rng.integers(40, 90, 2))
        mask = rng.random((height, width)) < rng.choice((0.0005, 0.005))
        mask[0, 0] = True
        roi = RegionOfInterest((100, 100), (5, 5, width, height), mask)
        side = max(width, height)
        left, top = (side - width) // 2, (side - height) // 2
        around = ((top, side - height - top), (left, side - width - left))
        padded = Image.fromarray(np.pad(mask, around).astype(np.uint8))
        seen = np.asarray(padded.resize((16, 16), Image.Resampling.NEAREST)).any()
        refusals += not seen
        if seen:
            Preprocessing((16, 16), 1, 255, roi)
        else:
            refused(lambda roi=roi: Preprocessing((16, 16), 1, 255, roi), "16 x 16")
    assert 10 < refusals < 50


def test_a_stored_detector_whose_region_vanishes_is_refused(tmp_path, monkeypatch):
    rng, mask = np.random.default_rng(0), np.zeros((200, 200), np.bool_)
    images = [save(tmp_path / f"{i}.png", stripes(rng, 200, 200)) for i in range(10)]
    mask[0, 0] = mask[199, 199] = True
    roi = RegionOfInterest((200, 200), (0, 0, 200, 200), mask)
    made = untrained(images)
    with monkeypatch.context() as patch:  # as before such regions were refused
        patch.setattr(Preprocessing, "_seen", lambda self, roi: roi.mask)
        vanished = replace(made.preprocessing, roi=roi)
    save_detector(replace(made, preprocessing=vanished), tmp_path / "part.aesc")
    refused(lambda: load(tmp_path / "part.aesc"), "part.aesc", "covers no pixel", "aesc fit")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda pixels: pixels.astype(np.uint16) * 257, "of mode I;16"),
        (lambda pixels: np.stack([pixels] * 3, axis=2), "of mode RGB"),
        (lambda pixels: pixels[:32], "64 x 32"),
    ],
)
def test_calibration_images_unlike_the_others_are_refused(good, tmp_path, aesc, change, words):
    """Before the training, in the words of `aesc calibrate`."""
    rng = np.random.default_rng(5)
    for index in range(12):
        save(tmp_path / "other" / f"{index:03}.png", change(stripes(rng)))
    paths, others = sorted(good.iterdir()), sorted((tmp_path / "other").iterdir())
    expected = "of the training, 64 x 64 of mode L"
    refused(lambda: survey(paths, others), "000.png", words, expected)
    refused(lambda: untrained(paths).calibrate(others), "000.png", words, expected)
    command = ["fit", good, "--calibration", tmp_path / "other", "--out", tmp_path / "x"]
    command_refused(aesc(*command, "--dry-run"), words)


# Arguments


@pytest.mark.parametrize(
    ("roi", "words"),
    [
        ("--1,0,5,5", "give x,y,width,height in whole numbers"),
        ("²,0,5,5", "give x,y,width,height in whole numbers"),
        ("1.5,0,5,5", "give x,y,width,height in whole numbers"),
        ("9" * 5000 + ",0,5,5", "give x,y,width,height in whole numbers"),
        ("-1,0,5,5", "inside the image of 64 x 64"),
        ("mask.png", "mask.png cannot be read"),
    ],
)
def test_a_region_that_is_none_is_one_sentence(good, tmp_path, aesc, roi, words):
    found = aesc("fit", good, "--out", tmp_path / "x", "--dry-run", f"--roi={roi}")
    command_refused(found, words)


def test_numbers_and_spaces_are_a_rectangle(good, tmp_path, aesc):
    command = ["fit", good, "--out", tmp_path / "x", "--size", "64", "--dry-run"]
    assert aesc(*command, "--roi", " 1, 2 ,30,+30 ")[0] == 0


def test_names_of_windows_begin_with_no_mark(good, tmp_path, aesc):
    names = tmp_path / "bad.txt"
    names.write_text("003.png\r\n", encoding="utf-8-sig")
    found = aesc("fit", good, "--out", tmp_path / "x", "--exclude", names, "--dry-run")
    assert found[0] == 0 and "19 good images" in found[1]


def test_a_folder_is_no_detector(good, aesc):
    for command in (["predict", good, good / "000.png"], ["info", good]):
        command_refused(aesc(*command), f"{good} is a folder: give the file of a detector.")


@pytest.mark.parametrize(
    ("host", "address"), [("::1", "http://[::1]:44765"), ("127.0.0.1", "http://127.0.0.1:44765")]
)
def test_the_address_of_a_service_can_be_followed(model, aesc, monkeypatch, host, address):
    bound = SimpleNamespace(getsockname=lambda: (host, 44765, 0, 0))
    monkeypatch.setattr("aesc.serve.listening", lambda *_: contextlib.nullcontext(bound))
    monkeypatch.setattr("aesc.serve.serve", lambda *_: None)
    code, text, _ = aesc("serve", model, "--host", host)
    assert code == 0 and text.rstrip().endswith(address)
