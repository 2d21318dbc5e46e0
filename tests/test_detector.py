"""A detector: what it says of good parts, of defects, of odd images, and of files that are none."""

import hashlib
import itertools
import resource

import numpy as np
import pytest
import torch
from detectors import SIDE, good_folder, refused, save, small_detector, spoiled, stripes
from PIL import Image

from aesc.detector import FitSettings, Preprocessing, RegionOfInterest, good_files, survey
from aesc.experiment import METHODS
from aesc.scoring import image_scores, residual_map


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return good_folder(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def detector(folder):
    return small_detector(folder, false_rejects=0.1, review=0.2)


@pytest.fixture
def part():
    return stripes(np.random.default_rng(99))


# Fitting


def test_parts_are_blocks_of_neighbouring_names(folder):
    found = survey(good_files(folder))
    names = [good.path.name for good in found.all]
    assert names == sorted(names)
    assert [len(found.train), len(found.choice), len(found.calibration)] == [24, 4, 12]


def test_the_same_content_is_never_on_two_sides(folder, tmp_path):
    copy = good_folder(tmp_path / "copy")
    (copy / "zzz.png").write_bytes((copy / "000.png").read_bytes())
    found = survey(good_files(copy))
    assert [path.name for path in found.duplicates] == ["zzz.png"]
    digests = [hashlib.sha256(good.path.read_bytes()).hexdigest() for good in found.all]
    assert len(digests) == len(set(digests)) == 40
    assert any("zzz.png" in line for line in found.lines())


def test_images_of_another_day_set_the_threshold(folder, tmp_path):
    other = good_folder(tmp_path / "other", count=11, seed=5)
    save(other / "again.png", np.asarray(Image.open(folder / "000.png")))
    found = survey(good_files(folder), good_files(other))
    assert {good.path.parent.name for good in found.calibration} == {"other"}
    assert len(found.train) + len(found.choice) == 40
    assert "again.png" not in {good.path.name for good in found.calibration}


def test_a_category_gives_its_good_training_images(tmp_path):
    good_folder(tmp_path / "shoe" / "train" / "good", count=3)
    good_folder(tmp_path / "shoe" / "test" / "scratch", count=2)
    paths = good_files(tmp_path / "shoe")
    assert [path.parent.name for path in paths] == ["good"] * 3
    assert [path.name for path in good_files(tmp_path / "shoe", ["001.png"])] == [
        "000.png",
        "002.png",
    ]


def test_too_few_or_no_images_are_refused(tmp_path):
    few = good_folder(tmp_path / "few", count=9)
    refused(lambda: survey(good_files(few)), "are 9", "at least 10")
    (tmp_path / "empty").mkdir()
    refused(lambda: good_files(tmp_path / "empty"), "holds no image")
    refused(lambda: good_files(tmp_path / "none"), "is not a folder")
    refused(lambda: good_files(few, ["x.png"]), "x.png")
    more = good_folder(tmp_path / "more", count=12)
    refused(lambda: survey(good_files(more), good_files(few)), "calibration images are 0")


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"method": "no"}, "method"),
        ({"preset": "no"}, "preset"),
        ({"size": 32}, "64"),
        ({"size": 64.5}, "size"),
        ({"size": (128, 32)}, "64"),
        ({"size": (64, 64, 64)}, "width and height"),
        ({"size": (128, 64), "method": "ae_l2"}, "square"),
        ({"size": (128, 64), "method": "itae"}, "square"),
        ({"overlap": 16}, "tile"),
        ({"tile": 64, "overlap": 33}, "half of the tile, 32"),
        ({"tile": 64, "overlap": -1}, "overlap"),
        ({"tile": 32}, "tile is 32"),
        ({"tile": "64"}, "tile"),
        ({"channels": 2}, "channels"),
        ({"tile": 128, "size": 64}, "less than a tile of 128"),
        ({"minutes": 0}, "minutes"),
        ({"false_rejects": 0.2, "review": 0.1}, "review"),
        ({"false_rejects": 1.5}, "false_rejects"),
        ({"seed": True}, "seed"),
    ],
)
def test_settings_out_of_range_are_refused(values, word):
    refused(lambda: FitSettings(**values), word)


def test_minutes_choose_the_number_of_epochs():
    short, longer = (FitSettings(size=64, minutes=m).schedule() for m in (0.01, 5))
    assert short[0].epochs >= 1
    assert longer[0].epochs > 3 * short[0].epochs
    assert longer[0].batches == short[0].batches


def test_an_interrupted_fit_resumes_and_ends_alike(folder, detector, tmp_path, monkeypatch):
    from aesc.training import Trainer

    epoch, calls = Trainer._epoch, itertools.count()

    def interrupted(self, bar):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return epoch(self, bar)

    from detectors import SCHEDULE

    from aesc.detector import fit

    settings = FitSettings(size=SIDE, device="cpu", false_rejects=0.1, review=0.2)
    found, checkpoint = survey(good_files(folder)), tmp_path / "a.checkpoint"
    monkeypatch.setattr(Trainer, "_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(found, settings, SCHEDULE, checkpoint, progress=False)
    assert checkpoint.exists()
    monkeypatch.setattr(Trainer, "_epoch", epoch)
    again = fit(found, settings, SCHEDULE, checkpoint, progress=False)
    assert checkpoint.exists()  # it goes when the detector is saved
    np.testing.assert_allclose(again.images.scores, detector.images.scores, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_becomes_a_detector(folder, method):
    from dataclasses import replace

    from aesc.detector import fit
    from aesc.training import TrainingSettings

    settings = FitSettings(method=method, size=64, device="cpu")
    short = replace(TrainingSettings(), epochs=1, batches=1, batch_size=2)
    made = fit(survey(good_files(folder)), settings, short, progress=False)
    assert made.predict(folder / "000.png").p_value > 0


# Judging


def test_a_defect_is_rejected_where_it_lies(detector, part):
    assert detector.predict(part).verdict in ("good", "review")
    result = detector.predict(spoiled(part))
    assert result.verdict == "reject" and result.score > result.threshold
    region = result.regions[0]
    assert abs(region.x + region.width / 2 - 26) < 4 and abs(region.y + region.height / 2 - 36) < 4
    assert region.peak > 1 and 40 < region.area < 600


def test_the_score_is_the_norm_of_the_residual(detector, part):
    images = torch.from_numpy(part / np.float32(255))[None, None]
    with torch.inference_mode():
        maps = residual_map(images, detector.model(images))
    assert detector.predict(part).score == pytest.approx(image_scores(maps).item(), rel=1e-4)


def test_files_arrays_images_and_tensors_are_alike(detector, part, tmp_path):
    path = save(tmp_path / "part.png", part)
    tensor = torch.from_numpy(part / np.float32(255))[None]
    sources = [path, str(path), part, Image.fromarray(part), part / 255, tensor]
    scores = [detector.predict(source).score for source in sources]
    assert scores == pytest.approx([scores[0]] * len(sources), rel=1e-5)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "CMYK"])
def test_an_opened_image_is_what_its_file_is(detector, part, tmp_path, mode):
    """What is see-through, and which side is up, included."""
    image = Image.fromarray(part).convert(mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.fromarray(np.where(part > 120, 255, 60).astype(np.uint8)))
    path, exif = tmp_path / "part.tif", Image.Exif()
    exif[0x0112] = 6  # stands on its side
    image.save(path, exif=exif)
    image.save(tmp_path / "part.png" if mode != "CMYK" else tmp_path / "part.jpg", exif=exif)
    for file in tmp_path.iterdir():
        with Image.open(file) as opened:
            read, own = (detector.preprocessing.read(source) for source in (opened, file))
        np.testing.assert_array_equal(read.pixels, own.pixels)
        assert (read.mode, read.size) == (own.mode, own.size)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"channels": 2}, "channels is 2"),
        ({"white_level": 0}, "white_level is 0"),
        ({"size": (0, 64)}, "width is 0"),
        ({"size": (64, 6.5)}, "height is 6.5"),
    ],
)
def test_preprocessing_out_of_range_is_refused(values, word):
    refused(
        lambda: Preprocessing(**{"size": (64, 64), "channels": 1, "white_level": 255} | values),
        word,
    )


def test_calibration_images_may_come_one_by_one(detector, folder):
    paths = sorted(folder.glob("*.png"))[:12]
    lazily = detector.calibrate(path for path in paths)
    assert lazily.images.scores.tolist() == detector.calibrate(paths).images.scores.tolist()


@pytest.mark.parametrize(
    "source",
    [
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((0, 64), np.uint8),
        np.full((64, 64), 2.0),
        np.full((64, 64), np.nan),
        np.zeros((64, 64), np.int32),
        torch.zeros(64, 64),
    ],
)
def test_arrays_that_are_no_image_are_refused(detector, source):
    refused(lambda: detector.predict(source), "image ")


def test_a_stream_keeps_the_order_and_names_what_it_cannot_read(detector, part, tmp_path):
    good = save(tmp_path / "a.png", part)
    bad = tmp_path / "b.png"
    bad.write_bytes(b"no image")
    spoilt = save(tmp_path / "c.png", spoiled(part))
    results = list(detector.stream([good, bad, spoilt, tmp_path / "none.png"], batch_size=2))
    assert [r.verdict for r in results][1:] == ["error", "reject", "error"]
    assert [r.image for r in results] == [
        str(tmp_path / n) for n in ("a.png", "b.png", "c.png", "none.png")
    ]
    assert "b.png" in results[1].notes[0] and "none.png" in results[3].notes[0]
    assert results[0].score == pytest.approx(detector.predict(good).score, rel=1e-5)


def test_a_stream_is_lazy(detector, part):
    """It takes two batches ahead at most from a source that never ends."""
    taken = itertools.count()
    endless = (part for _ in iter(lambda: next(taken), -1))
    assert len(list(itertools.islice(detector.stream(endless, batch_size=4), 5))) == 5
    assert next(taken) <= 3 * 4 + 1


def test_memory_does_not_grow_with_the_images(detector, part):
    def peak(count: int) -> int:
        for _ in detector.stream(itertools.repeat(part, count)):
            pass
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    first = peak(64)
    assert peak(1024) - first < 50_000  # kilobytes


def test_a_camera_that_hangs_is_noticed(detector, part, tmp_path):
    path = save(tmp_path / "a.png", part)
    other = save(tmp_path / "b.png", stripes(np.random.default_rng(5)))
    found = [r.notes for r in detector.stream([path, path, other, path], batch_size=2)]
    assert [any("repeated" in note for note in notes) for notes in found] == [0, 1, 0, 0]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda p: (p * 0.4).astype(np.uint8), "brightness"),
        (lambda p: np.repeat(p.mean(0, keepdims=True).astype(np.uint8), 64, 0), "sharpness"),
        (lambda p: np.asarray(Image.fromarray(p).resize((96, 96))), "size"),
        (lambda p: np.asarray(Image.fromarray(p).resize((128, 64))), "aspect ratio"),
        (lambda p: np.stack([p] * 3, axis=2), "mode"),
        (lambda p: np.zeros_like(p), "brightness"),
    ],
)
def test_odd_images_are_never_silently_good(detector, part, change, cause):
    result = detector.predict(change(part))
    assert result.verdict in ("review", "reject")
    assert any(note.startswith(cause) for note in result.notes), result.notes


# Calibration


def test_calibration_on_another_day_moves_the_threshold_and_trains_nothing(detector, tmp_path):
    rng = np.random.default_rng(7)
    noisy = [
        np.clip(stripes(rng) + rng.normal(0, 8, (64, 64)), 0, 255).astype(np.uint8)
        for _ in range(20)
    ]
    before = {k: v.clone() for k, v in detector.model.state_dict().items()}
    new = detector.calibrate(noisy, false_rejects=0.2, review=0.3)
    assert new.threshold > detector.threshold and len(new.images) == 20
    assert new.false_rejects == 0.2 and detector.false_rejects == 0.1
    assert all(torch.equal(before[k], v) for k, v in new.model.state_dict().items())


def test_images_that_do_not_fit_do_not_calibrate(detector, part):
    refused(lambda: detector.calibrate([part] * 9), "are 9", "at least 10 different")
    wide = np.zeros((64, 128), np.uint8)
    refused(lambda: detector.calibrate([part] * 9 + [wide]), "128 x 64", "64 x 64")


# Where to look, and images that are not square


def test_a_region_of_interest_hides_the_rest(folder, part, tmp_path):
    box = (16, 16, 32, 40)
    roi = RegionOfInterest.rectangle(box, (64, 64))
    made = small_detector(folder, roi=roi, false_rejects=0.1, review=0.2)
    inside, outside = spoiled(part, 30, 24), spoiled(part, 0, 0)
    assert made.predict(outside).score == pytest.approx(made.predict(part).score, rel=1e-6)
    region = made.predict(inside).regions[0]
    assert region.x >= 16 and region.x + region.width <= 48
    assert abs(region.x + region.width / 2 - 30) < 5 and abs(region.y + region.height / 2 - 36) < 5
    refused(lambda: made.predict(np.zeros((32, 32), np.uint8)), "32 x 32", "64 x 64")


def test_regions_of_interest_that_make_no_sense_are_refused(tmp_path):
    whole = RegionOfInterest.rectangle
    for box in [(0, 0, 0, 5), (60, 0, 10, 5), (-1, 0, 5, 5)]:
        refused(lambda box=box: whole(box, (64, 64)), "roi is")
    refused(lambda: whole((0, 0, 64, 64), (64, 64)), "covers the whole image")
    refused(
        lambda: RegionOfInterest.of_mask(save(tmp_path / "a.png", np.zeros((8, 8), np.uint8))),
        "covers nothing",
    )
    refused(
        lambda: RegionOfInterest.of_mask(save(tmp_path / "b.png", np.full((8, 8), 9, np.uint8))),
        "whole image",
    )


def test_an_image_that_is_not_square_keeps_its_proportions(tmp_path):
    rng = np.random.default_rng(0)
    for index in range(40):
        save(tmp_path / f"{index:03}.png", stripes(rng, 128, 64))
    made = small_detector(tmp_path, false_rejects=0.1, review=0.2)
    result = made.predict(spoiled(stripes(rng, 128, 64), 20, 90))
    assert result.verdict == "reject" and result.size == (128, 64)
    region = result.regions[0]
    assert abs(region.x + region.width / 2 - 96) < 5 and abs(region.y + region.height / 2 - 26) < 5
    picture = made.preprocessing.read(tmp_path / "000.png")
    assert picture.valid.sum() == 64 * 32 and picture.box == (0, -32, 128, 128)
    (scored,) = made.scored([picture])
    assert scored.map[:12].max() == 0 < scored.map[16:48].max()  # padding counts for nothing


def test_twelve_bits_in_a_file_of_sixteen_are_seen_in_full(tmp_path):
    rng = np.random.default_rng(0)
    for index in range(12):
        save(tmp_path / f"{index:03}.png", stripes(rng).astype(np.uint16) * 16)
    found = survey(good_files(tmp_path))
    assert found.white_level == 4095
    made = small_detector(tmp_path, false_rejects=0.1, review=0.2)
    pixels = made.preprocessing.read(tmp_path / "000.png").pixels
    assert pixels.max() > 0.5
