"""Large images in tiles, and images that are not square, from fitting to the verdict."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from detectors import good_folder, refused, save, spoiled, stripes
from exports import untrained
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from aesc.detector import (
    FitSettings,
    Preprocessing,
    RegionOfInterest,
    Tiling,
    detection_limit,
    fit,
    fitting,
    load,
    survey,
)
from aesc.detector import (
    save as save_detector,
)
from aesc.detector.fitting import training_images
from aesc.detector.inputs import read_all
from aesc.experiment import methods
from aesc.scoring import image_scores
from aesc.tiling import Mosaic, RandomCrop, in_tiles
from aesc.training import TrainingSettings

WIDTH, HEIGHT, TILE = 180, 130, 64


@st.composite
def tilings(draw):
    side = draw(st.integers(1, 40))
    tiling = Tiling(side, draw(st.integers(0, side // 2)))
    return tiling, *(draw(st.integers(side, 150)) for _ in range(2))


def wide_folder(folder, count=20, seed=0):
    rng = np.random.default_rng(seed)
    for index in range(count):
        save(folder / f"{index:03}.png", stripes(rng, WIDTH, HEIGHT))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return wide_folder(tmp_path_factory.mktemp("wide"))


@pytest.fixture(scope="module")
def detector(folder):
    settings = FitSettings(tile=TILE, device="cpu", false_rejects=0.15, review=0.3)
    schedule = TrainingSettings(epochs=3, batches=8, batch_size=8, learning_rate=3e-3)
    return fit(survey(sorted(folder.iterdir())), settings, schedule, progress=False)


def test_what_may_be_turned_is_asked_of_whole_images(folder, monkeypatch):
    """Overlapping tiles show the same twice, and the nearest neighbour of one is the other."""
    asked = []
    found = methods.free_turns
    monkeypatch.setattr(methods, "free_turns", lambda good: asked.append(good) or found(good))
    settings = FitSettings(method="aesc_plus", tile=TILE, device="cpu")
    schedule = TrainingSettings(epochs=1, batches=1, batch_size=2, decay="cosine")
    images = survey(sorted(folder.iterdir()))
    fit(images, settings, schedule, progress=False)
    ((*good,),) = asked
    assert [tuple(one.shape) for one in good] == [(3, HEIGHT, WIDTH)] * len(images.train)


# Tiles


@given(tilings())
def test_tiles_lie_inside_cover_all_and_overlap(case):
    tiling, height, width = case
    covered = np.zeros((height, width), int)
    for row, column in tiling.corners(height, width):
        assert 0 <= row <= height - tiling.side and 0 <= column <= width - tiling.side
        covered[row : row + tiling.side, column : column + tiling.side] += 1
    assert covered.min() >= 1
    for length in (height, width):
        starts = tiling.starts(length)
        assert max(np.diff(starts), default=0) <= tiling.side - tiling.overlap
        assert len(starts) == 1 + np.ceil((length - tiling.side) / (tiling.side - tiling.overlap))


def blended(tiling, tiles, height, width):
    mosaic = Mosaic(tiling, height, width)
    for corner, values in tiles:
        mosaic.add(corner, torch.from_numpy(values))
    return mosaic.whole().numpy()


@given(tilings())
def test_pieces_of_a_map_laid_together_are_the_map(case):
    tiling, height, width = case
    whole = np.random.default_rng(0).random((height, width), np.float32)
    corners = tiling.corners(height, width)
    pieces = [(corner, tiling.cut(whole, corner)) for corner in corners]
    np.testing.assert_allclose(blended(tiling, pieces, height, width), whole, rtol=1e-5)


def test_seams_fade():
    tiling = Tiling(side=8, overlap=4)
    tiles = [((0, 0), np.zeros((8, 8), np.float32)), ((0, 4), np.ones((8, 8), np.float32))]
    row = blended(tiling, tiles, 8, 12)[3]
    np.testing.assert_allclose(row, [0] * 4 + [0.2, 0.4, 0.6, 0.8] + [1] * 4, atol=1e-6)


def test_where_no_tile_lies_there_is_nothing():
    tiling = Tiling(side=4, overlap=2)
    assert not blended(tiling, [], 4, 6).any()
    one = blended(tiling, [((0, 0), np.ones((4, 4), np.float32))], 4, 6)
    np.testing.assert_allclose(one, [[1, 1, 1, 1, 0, 0]] * 4)


def test_images_smaller_than_a_tile_are_refused():
    small = torch.zeros(1, 1, 8, 20)
    refused(lambda: in_tiles(lambda tiles: [tiles], small, Tiling(16, 4)), "20 x 8", "tile of 16")
    generator = torch.Generator().manual_seed(0)
    refused(lambda: RandomCrop(16)(small, generator), "20 x 8", "tile of 16")


@pytest.mark.parametrize("kind", [torch.int64, torch.uint8, torch.bool])
def test_results_that_cannot_be_averaged_are_refused(kind):
    images = torch.ones(1, 1, 8, 20)
    call = lambda: in_tiles(lambda tiles: [tiles.to(kind)], images, Tiling(8, 4))  # noqa: E731
    refused(call, str(kind), "floating point")


def test_squares_are_drawn_where_the_generator_is(monkeypatch):
    """Elsewhere PyTorch refuses it: a generator of the CPU draws nothing on a card."""
    generator, devices, draw = torch.Generator().manual_seed(0), [], torch.randint

    def drawn(*sizes, generator, device):
        devices.append(torch.device(device))
        return draw(*sizes, generator=generator, device="cpu")

    monkeypatch.setattr(torch, "randint", drawn)
    numbers = torch.arange(180.0).view(2, 1, 9, 10)
    assert RandomCrop(4)(numbers, generator)[:, 0, 0, 0].tolist() == [20, 122]
    assert RandomCrop(4)(numbers.to("meta"), generator).shape == (2, 1, 4, 4)
    assert devices == [generator.device] * 4


# Reading


def test_nothing_is_distorted():
    disc = np.hypot(*np.mgrid[-50:50, -100:100]) < 40
    reading = Preprocessing((256, 192), 1, 255)
    picture = reading.read(np.uint8(255 * disc))
    rows, columns = np.nonzero(picture.pixels[0] > 0.5)
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 1
    assert picture.pixels.shape == (1, 192, 256) and picture.box == (0, -25, 200, 150)
    assert picture.valid.sum() == 128 * 256  # two thirds of the height, the rest is padding


def test_native_size_is_read_bit_for_bit(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)
    path = save(tmp_path / "x.png", pixels)
    picture = Preprocessing(None, 3, 255, tiling=Tiling(64, 0)).read(path)
    np.testing.assert_array_equal(picture.pixels, np.moveaxis(pixels / np.float32(255), 2, 0))
    assert picture.valid.all() and picture.box == (0, 0, 90, 70)


def test_an_image_or_region_smaller_than_a_tile_is_refused(tmp_path):
    path = save(tmp_path / "x.png", np.zeros((63, 90), np.uint8))
    reading = Preprocessing(None, 1, 255, tiling=Tiling(64, 0))
    refused(lambda: reading.read(path), "x.png is 90 x 63", "tile of 64")
    roi = RegionOfInterest.rectangle((0, 0, 64, 60), (90, 90))
    refused(lambda: replace(reading, roi=roi).read(np.zeros((90, 90), np.uint8)), "64 x 60")
    refused(lambda: Preprocessing(None, 1, 255), "size is missing")


def test_a_long_strip_is_not_padded_to_a_square_that_fills_the_memory():
    strip = np.zeros((10, 20_000), np.uint8)
    refused(lambda: Preprocessing((64, 64), 1, 255).read(strip, "strip"), "strip", "too long")
    assert Preprocessing((640, 64), 1, 255).read(np.zeros((10, 1000), np.uint8)).box[2] == 1000


def test_an_image_with_nan_is_refused(tmp_path):
    pixels = np.full((70, 70), 0.5, np.float32)
    pixels[40, 40] = np.nan
    path = tmp_path / "x.tif"
    Image.fromarray(pixels).save(path)
    for reading in (
        Preprocessing((64, 64), 1, 1.0),
        Preprocessing(None, 1, 1.0, None, Tiling(64, 0)),
    ):
        refused(lambda reading=reading: reading.read(path), "x.tif", "NaN")


def test_memory_is_counted_for_the_tiles_that_are_cut(folder, monkeypatch):
    found = survey(sorted(folder.iterdir()))
    settings = FitSettings(tile=TILE, device="cpu")
    needed = 2 * 4 * TILE**2 * len(found.all) * 4 * 3  # twelve tiles cover an image
    monkeypatch.setattr(fitting, "half_of_memory", lambda _: needed)
    fitting.check_images(found, settings)
    monkeypatch.setattr(fitting, "half_of_memory", lambda _: needed - 1)
    refused(lambda: fitting.check_images(found, settings), "240 tiles", "smaller tile")


def test_a_region_smaller_than_a_tile_is_named(folder):
    found = survey(sorted(folder.iterdir()))
    roi = RegionOfInterest.rectangle((0, 0, 70, 30), (WIDTH, HEIGHT))
    settings = FitSettings(tile=TILE, roi=roi, device="cpu")
    refused(lambda: fitting.check_images(found, settings), "region of interest", "70 x 30")


def test_tiles_to_train_on_are_random_places_of_every_image(folder):
    reading = Preprocessing(None, 1, 255, tiling=Tiling(TILE, 16))
    pictures = read_all(reading, sorted(folder.iterdir())[:5])
    tiles = training_images(pictures, reading, most=20, seed=1)
    assert tiles.shape == (20, 1, TILE, TILE)
    assert torch.equal(tiles, training_images(pictures, reading, most=20, seed=1))
    assert not torch.equal(tiles, training_images(pictures, reading, most=20, seed=2))
    for index, picture in enumerate(pictures):
        windows = np.lib.stride_tricks.sliding_window_view(picture.pixels[0], (TILE, TILE))
        for tile in tiles[4 * index : 4 * index + 4].numpy()[:, 0]:
            assert (windows[..., ::9, ::9] == tile[::9, ::9]).all((2, 3)).any()
    # No more of an image than cover it, however many are wanted.
    assert len(training_images(pictures, reading, most=10**6, seed=0)) == 5 * 4 * 3


def test_tiles_lie_in_the_region_of_interest():
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[:40, :40] = mask[90:, 150:] = True
    roi = RegionOfInterest((WIDTH, HEIGHT), (0, 0, WIDTH, HEIGHT), mask)
    reading = Preprocessing(None, 1, 255, roi, Tiling(32, 0))
    picture, rng = reading.read(np.zeros((HEIGHT, WIDTH), np.uint8)), np.random.default_rng(0)
    assert all(picture.tile(reading.tiling, rng).valid[16, 16] for _ in range(30))


# A detector


def test_a_small_defect_of_a_large_image_is_found_where_it_is(folder, detector):
    part = stripes(np.random.default_rng(7), WIDTH, HEIGHT)
    assert detector.predict(part).verdict != "reject"
    result = detector.predict(spoiled(part, 100, 150))
    assert result.verdict == "reject" and result.map.shape == (HEIGHT, WIDTH)
    region = result.regions[0]
    assert region.x <= 155 <= region.x + region.width and region.width < 40
    assert region.y <= 105 <= region.y + region.height and region.height < 40


def test_the_score_is_the_highest_of_a_tile(detector):
    part = spoiled(stripes(np.random.default_rng(7), WIDTH, HEIGHT), 100, 150)
    picture, tiling = detector.preprocessing.read(part), detector.preprocessing.tiling
    network = detector.model.eval()
    scores = []
    for corner in tiling.corners(HEIGHT, WIDTH):
        tile = torch.from_numpy(tiling.cut(picture.pixels, corner))[None]
        with torch.no_grad():
            scores += image_scores((network(tile) - tile).abs().mean(1)).tolist()
    assert detector.predict(part).score == pytest.approx(max(scores), rel=1e-4)


def test_stream_gives_what_predict_gives_and_a_small_image_is_an_error(folder, detector, tmp_path):
    small = save(tmp_path / "small.png", np.zeros((30, 30), np.uint8))
    paths = [*sorted(folder.iterdir())[:3], small]
    refused(lambda: next(detector.stream(paths, batch_size=0)), "batch_size")
    results = list(detector.stream(paths))
    assert [r.verdict == "error" for r in results] == [False] * 3 + [True]
    assert "tile of 64" in results[-1].notes[0]
    for path, result in zip(paths[:3], results, strict=False):
        assert result.score == pytest.approx(detector.predict(path).score, rel=1e-6)


def test_saved_and_loaded_and_calibrated_anew(folder, detector, tmp_path):
    save_detector(detector, tmp_path / "x.safetensors")
    again = load(tmp_path / "x.safetensors", "cpu")
    assert (
        again.preprocessing.tiling == Tiling(TILE, TILE // 4) and again.preprocessing.size is None
    )
    part = stripes(np.random.default_rng(3), WIDTH, HEIGHT)
    assert again.predict(part).score == pytest.approx(detector.predict(part).score, rel=1e-6)
    other = sorted(wide_folder(tmp_path / "other", 12, seed=5).iterdir())
    new = detector.calibrate(other)
    assert len(new.images) == 12 and new.threshold == max(new.images.scores)
    assert new.predict(other[0]).score <= new.threshold * (1 + 1e-5)


def test_the_limit_is_told_in_pixels_of_the_original(detector, folder):
    reading = detector.preprocessing
    pictures = read_all(reading, sorted(folder.iterdir())[-3:])
    limit = detection_limit(detector, pictures)
    assert limit.sizes == tuple(TILE * s for s in (1 / 64, 1 / 32, 3 / 64, 1 / 16, 3 / 32, 1 / 8))


def test_a_file_of_the_first_version_gave_the_side_of_a_square(folder, tmp_path, monkeypatch):
    made = untrained(sorted(good_folder(tmp_path / "good", 12).iterdir()))
    from aesc.detector import storage

    monkeypatch.setattr(
        storage._Content, "model_dump_json",
        lambda self: super(type(self), self).model_dump_json(exclude={"tile"}).replace(
            '"size":[64,64]', '"size":64'
        ),
    )  # fmt: skip
    save_detector(made, tmp_path / "x.safetensors")
    monkeypatch.undo()
    assert b'\\"size\\":64' in (tmp_path / "x.safetensors").read_bytes()
    assert load(tmp_path / "x.safetensors", "cpu").preprocessing.size == (64, 64)


# The command


def test_fit_and_predict_with_tiles(aesc, folder, tmp_path):
    out = tmp_path / "x.safetensors"
    options = ["--tile", "64", "--overlap", "8", "--minutes", "0.001", "--device", "cpu"]
    assert aesc("fit", folder, "--out", out, *options)[0] == 0
    assert "in tiles of 64 px that overlap by 8" in aesc("info", out)[1]
    bad = save(tmp_path / "bad.png", spoiled(stripes(np.random.default_rng(1), WIDTH, HEIGHT)))
    assert aesc("predict", out, bad, "--out", tmp_path / "results")[0] == 0
    heat = Image.open(tmp_path / "results" / "heatmaps" / "bad.png.png")
    assert heat.size == (WIDTH, HEIGHT)


def test_a_size_that_is_not_square(aesc, folder, tmp_path):
    out = tmp_path / "x.safetensors"
    options = ["--size", "128x96", "--minutes", "0.001", "--device", "cpu"]
    assert aesc("fit", folder, "--out", out, *options)[0] == 0
    assert load(out, "cpu").preprocessing.shape == (96, 128)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--size", "128x"], "'128x'"),
        (["--size", "big"], "'big'"),
        (["--tile", "256"], "less than a tile of 256"),
        (["--tile", "64", "--overlap", "40"], "half of the tile"),
        (["--overlap", "4"], "give tile as well"),
    ],
)
def test_bad_sizes_are_one_sentence(aesc, folder, tmp_path, options, word):
    code, _, errors = aesc("fit", folder, "--out", tmp_path / "x", "--dry-run", *options)
    assert code == 2 and word in errors


MEASURE = """
import sys
import numpy as np
import torch
torch.set_num_threads(1)
from aesc.detector import Calibration, Detector, Familiar, Preprocessing, Tiling
from aesc.experiment import METHODS
reading = Preprocessing(None, 3, 255, tiling=Tiling(256, 64))
model = METHODS["aesc"].build(3, 256, 0.1, torch.Generator().manual_seed(0)).eval()
picture = reading.read(sys.argv[1])
known = Familiar.of([picture])
scores = Calibration.of(np.linspace(0.1, 1e-3, 20))
detector = Detector(model, "aesc", reading, familiar=known, images=scores, pixels=scores)
del picture
from aesc.detector.report import write_results
from pathlib import Path
result, = write_results(detector, [Path(sys.argv[1])], Path(sys.argv[2]))
# Not ru_maxrss, which a child inherits from whoever started it.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(result.verdict, peak.split()[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_twelve_megapixels_in_colour_take_less_than_a_gibibyte(tmp_path):
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(coarse).resize((4000, 3000)).save(tmp_path / "x.png", compress_level=1)
    where = [tmp_path / "x.png", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, where)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    verdict, kilobytes = done.stdout.split()
    assert verdict == "reject" and (tmp_path / "out" / "heatmaps" / "x.png.png").is_file()
    assert int(kilobytes) < 2**20, f"{int(kilobytes) / 2**20:.2f} GiB"
