"""What may be given to a detector: files, arrays and tensors of any depth, folders of them."""

import csv
import dataclasses
import io
import os
import shutil
import time

import numpy as np
import pytest
import torch
from detectors import good_folder, refused, save, stripes
from exports import untrained
from PIL import Image
from quick_detector import quick_detector
from refusals import refused as command_refused

from aesc.detector import Preprocessing, RegionOfInterest, load
from aesc.detector import save as save_detector
from aesc.errors import InputError

SHADES = np.random.default_rng(0).random((8, 6, 3), np.float32)
"""H x W x 3 in [0, 1]: none of them is a whole number of 255."""


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return good_folder(tmp_path_factory.mktemp("good"), count=20)


@pytest.fixture(scope="module")
def deep(good, tmp_path_factory):
    """The same in 16 bits."""
    folder = tmp_path_factory.mktemp("deep")
    for path in good.iterdir():
        save(folder / path.name, np.asarray(Image.open(path)).astype(np.uint16) * 257)
    return folder


@pytest.fixture(scope="module")
def model(good, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "part.aesc"
    save_detector(untrained(sorted(good.iterdir()), false_rejects=0.1, review=0.2), path)
    return path


@pytest.fixture(scope="module")
def detector(model):
    return load(model, "cpu")


# Arrays, tensors, images


@pytest.mark.parametrize("white", [255, 65535])
def test_colours_in_floating_point_keep_every_bit(white):
    reading = Preprocessing((6, 8), 3, white)
    tensor = torch.from_numpy(SHADES).permute(2, 0, 1)
    for source in (SHADES, SHADES.astype(np.float64), tensor):
        np.testing.assert_allclose(reading.read(source).pixels, tensor.numpy(), rtol=1e-6)
    grey = Preprocessing((6, 8), 1, white).read(SHADES).pixels
    red, green, blue = np.moveaxis(SHADES, 2, 0)
    np.testing.assert_allclose(grey[0], 0.299 * red + 0.587 * green + 0.114 * blue, rtol=1e-5)


def test_colours_in_floating_point_are_framed_like_a_file(tmp_path):
    """The region of interest, the padding and the size."""
    eight = np.rint(255 * SHADES).astype(np.uint8)
    path = save(tmp_path / "a.png", eight)
    roi = RegionOfInterest.rectangle((1, 1, 5, 4), (6, 8))
    for channels in (1, 3):
        reading = Preprocessing((16, 16), channels, 255, roi)
        own, given = reading.read(path), reading.read(eight / 255)
        np.testing.assert_allclose(given.pixels, own.pixels, atol=1e-6)
        np.testing.assert_array_equal(given.valid, own.valid)
        assert (given.size, given.box, given.mode) == (own.size, own.box, own.mode)


def test_an_opened_file_of_floats_has_the_white_of_its_file(tmp_path):
    """Floats of 0 to 255, as measuring programs write them."""
    path = save(tmp_path / "a.tif", np.rint(255 * SHADES[:, :, 0]).astype(np.float32))
    reading = Preprocessing((6, 8), 1, 255)
    expected = np.rint(255 * SHADES[None, :, :, 0]) / 255
    with Image.open(path) as image:
        for source in (path, image):
            np.testing.assert_allclose(reading.read(source).pixels, expected, atol=1e-6)


def test_grey_in_floating_point_is_of_any_depth(good, deep, detector):
    part = np.asarray(Image.open(good / "000.png")) / np.float32(255)
    sixteen = untrained(sorted(deep.iterdir()), white_level=65535, false_rejects=0.1, review=0.2)
    for each, folder in ((detector, good), (sixteen, deep)):
        of_file = each.predict(folder / "000.png")
        for source in (part, torch.from_numpy(part)[None]):
            result = each.predict(source)
            assert (result.verdict, result.notes) == (of_file.verdict, of_file.notes)
            assert result.score == pytest.approx(of_file.score, rel=1e-5)
    assert of_file.verdict == "good" and of_file.notes == ()
    as_bytes = sixteen.predict(np.asarray(Image.open(good / "000.png")))
    assert any(note.startswith("mode: L") for note in as_bytes.notes)  # 255 of 65535 is dark


@pytest.mark.parametrize("kind", [">u2", "<u2", "<i4"])
def test_sixteen_bits_are_of_any_byte_order(deep, detector, tmp_path, kind):
    """As TIFF files have them, and an array in memory does not."""
    for path in deep.iterdir():
        save(tmp_path / f"{path.stem}.tif", np.asarray(Image.open(path)).astype(kind))
    made = untrained(sorted(tmp_path.iterdir()), white_level=65535)
    array = np.asarray(Image.open(deep / "000.png")).astype(np.uint16)
    assert made.predict(array).notes == ()
    arrays = [array + np.uint16(index) for index in range(10)]
    assert made.calibrate(arrays).familiar.modes == made.familiar.modes
    assert "mode: uint16, the good images were L" in detector.predict(array).notes


def test_grey_is_odd_among_colours_and_the_other_way_round(good, detector, tmp_path):
    for path in good.iterdir():
        save(tmp_path / path.name, np.stack([np.asarray(Image.open(path))] * 3, axis=2))
    coloured = untrained(sorted(tmp_path.iterdir()), channels=3)
    grey = np.asarray(Image.open(good / "000.png")) / 255
    colours = np.stack([grey] * 3, axis=2)
    assert coloured.predict(colours).notes == detector.predict(grey).notes == ()
    assert coloured.predict(grey).notes == ("mode: float, the good images were RGB",)
    assert detector.predict(colours).notes == ("mode: RGB, the good images were L",)
    refused(lambda: coloured.calibrate([grey] * 10), "mode float", "of mode RGB")


def test_floats_calibrate_and_files_are_still_known(good, deep, detector):
    sixteen = untrained(sorted(deep.iterdir()), white_level=65535)
    arrays = [np.asarray(Image.open(path)) / 255 for path in sorted(good.iterdir())]
    for each, folder in ((detector, good), (sixteen, deep)):
        new = each.calibrate(arrays)
        assert new.familiar.modes == each.familiar.modes
        expected = each.calibrate(sorted(folder.iterdir())).images.scores
        np.testing.assert_allclose(new.images.scores, expected, rtol=1e-5)
        assert new.predict(folder / "000.png").notes == ()
    weights = dataclasses.replace(detector, familiar=None, images=None, pixels=None)
    assert weights.calibrate(arrays).familiar.modes == ("L",)


def test_what_pillow_cannot_finish_is_bad_input(detector, tmp_path):
    for name in ("cut.png", "cut.tif"):
        save(tmp_path / name, stripes(np.random.default_rng(0)))
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2 + 200])
        with Image.open(tmp_path / name) as image:
            refused(lambda image=image: detector.predict(image, "cut"), "cut cannot be decoded")
    refused(lambda: detector.predict(Image.new("L", (64, 0))), "(64, 0)")


def test_tensors_of_every_type_are_an_image_or_bad_input(good, detector):
    part = torch.from_numpy(np.asarray(Image.open(good / "000.png")) / np.float32(255))[None]
    expected = detector.predict(part).score
    for kind, relative in ((torch.bfloat16, 0.05), (torch.float16, 0.01), (torch.float64, 1e-6)):
        assert detector.predict(part.to(kind)).score == pytest.approx(expected, rel=relative)
    refused(lambda: detector.predict(part.to_sparse()), "image ")
    refused(lambda: detector.predict(part.to(torch.complex64)), "image ")


# Time


class SlowReading(Preprocessing):
    def read(self, *arguments):
        time.sleep(0.1)
        return super().read(*arguments)


def test_the_seconds_of_a_stream_are_those_that_it_takes():
    """Reading included, and what the caller does left out."""
    quick = dataclasses.replace(quick_detector(), preprocessing=SlowReading((8, 8), 1, 255))
    grey, seconds, started, paused = np.full((8, 8), 100, np.uint8), 0.0, time.perf_counter(), 0.0
    for result in quick.stream([grey] * 8, batch_size=4):
        seconds += result.seconds
        before = time.perf_counter()
        time.sleep(0.02)
        paused += time.perf_counter() - before
    took = time.perf_counter() - started - paused
    assert seconds >= 0.1 and seconds == pytest.approx(took, abs=0.05)


# Names


def scored(folder):
    text = (folder / "results.csv").read_text(encoding="utf-8-sig")
    return [os.path.basename(row["image"]) for row in csv.DictReader(io.StringIO(text))]


def test_a_second_run_does_not_score_what_the_first_one_wrote(model, tmp_path, aesc, monkeypatch):
    rng = np.random.default_rng(3)
    for name in ("a.png", "inside/b.png", ".trash/old.png", ".hidden.png"):
        save(tmp_path / name, stripes(rng)[:32])  # odd, so that each has a heat map
    monkeypatch.chdir(tmp_path)
    for out in ("results", ".", "inside"):
        for _ in range(2):
            assert aesc("predict", model, ".", "--recursive", "--out", out)[0] == 0
            names = scored(tmp_path / out)
            assert names[:1] == ["a.png"] and "old.png" not in names
            assert len(names) == len(set(names)) <= 4, names
        if out != "inside":  # the folder of the results alone is left out
            assert "b.png" in names
        shutil.rmtree(tmp_path / out / "heatmaps")


def test_a_file_that_cannot_be_looked_at_is_a_row(model, tmp_path, aesc):
    rng = np.random.default_rng(3)
    save(tmp_path / "in" / "a.png", stripes(rng))
    save(tmp_path / "in" / "z" / "b.png", stripes(rng))
    (tmp_path / "in" / "loop.png").symlink_to("loop.png")
    long = "x" * 300 + ".png"
    out = tmp_path / "out"
    code = aesc("predict", model, tmp_path / "in", long, "--recursive", "--out", out)[0]
    assert code == 1 and scored(out) == ["a.png", "loop.png", "b.png", long]
    found = aesc("predict", model, long)
    assert found[0] == 1 and "cannot be read (File name too long)" in found[1]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user with few rights")
def test_a_folder_without_permission_is_rows_too(model, good, tmp_path, aesc):
    save(tmp_path / "closed" / "a.png", stripes(np.random.default_rng(3)))
    save(tmp_path / "b.png", stripes(np.random.default_rng(3)))
    for mode, rows in ((0o600, "closed/a.png"), (0o300, "closed")):
        (tmp_path / "closed").chmod(mode)
        try:
            code, text, _ = aesc("predict", model, tmp_path, "--recursive")
        finally:
            (tmp_path / "closed").chmod(0o700)
        assert code == 1 and len(text.splitlines()) == 2 and f"{rows} cannot be read" in text


def test_names_that_end_with_null_characters_are_one_sentence(model, good, aesc, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{good / '000.png'}\0{good / '001.png'}\0"))
    command_refused(aesc("predict", model, "-"), "null characters", "-print0")


@pytest.mark.parametrize(("height", "left"), [(64, 2), (5, None)])  # every 62.5th row is kept
def test_a_strip_of_which_nothing_would_be_seen_is_refused(height, left):
    """Without a valid pixel every image would score the same, and be good."""
    reading = Preprocessing((64, 64), 1, 255)
    strip = np.full((height, 4000), 128, np.uint8)
    if left is None:
        with pytest.raises(InputError, match=r"strip is 4000 x 5 pixels, too thin to be seen"):
            reading.read(strip, "strip")
    else:
        assert reading.read(strip, "strip").valid.sum() == 64 * left
