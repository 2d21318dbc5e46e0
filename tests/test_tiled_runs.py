"""Runs that see large images in tiles: training, maps, records, resuming."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_tiling import tilings

from aesc.baselines import restoration_maps, typical_errors
from aesc.detector import load
from aesc.errors import InputError
from aesc.experiment import METHODS, Experiment, RunConfig, ScoringOptions, method_trainer
from aesc.records import Record, paper_records, results_table
from aesc.scoring import anomaly_maps
from aesc.sweep.progress import Progress
from aesc.tiling import RandomCrop, Tiling, in_tiles
from aesc.training import TrainingSettings

CPU = torch.device("cpu")


@given(tilings())
def test_what_does_not_look_around_gives_the_same_in_tiles(case):
    tiling, height, width = case
    images = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    squared, grey = in_tiles(lambda tiles: [tiles**2, tiles.mean(1)], images, tiling)
    torch.testing.assert_close(squared, images**2)
    torch.testing.assert_close(grey, images.mean(1))


@given(st.integers(1, 8), st.integers(0, 99))
def test_crops_are_squares_of_the_images_and_all_places_come(side, seed):
    images = torch.arange(3 * 2 * 9 * 8.0).view(3, 2, 9, 8)
    cut = RandomCrop(side)(images, torch.Generator().manual_seed(seed))
    assert cut.shape == (3, 2, side, side)
    for image, square in zip(images, cut, strict=True):
        places = image.unfold(1, side, 1).unfold(2, side, 1)  # C x rows x columns x S x S
        assert (places == square[:, None, None]).all(-1).all(-1).all(0).any()


def test_every_place_is_as_likely():
    images = torch.arange(12.0).view(1, 1, 3, 4).expand(6000, 1, 3, 4)
    corner = RandomCrop(2)(images, torch.Generator().manual_seed(0))[:, 0, 0, 0]
    counts = torch.bincount(corner.long(), minlength=12).view(3, 4)
    assert (counts[:2, :3] - 1000).abs().max() < 120  # four standard deviations
    assert counts.sum() == counts[:2, :3].sum()


@pytest.mark.parametrize("name", ["aesc", "ae_l2", "itae", "aesc_plus"])
def test_maps_of_an_image_in_one_tile_are_those_of_the_image(name):
    method = METHODS[name]
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(3, method.channels, 64, 64, generator=generator)
    model = method.build(method.channels, 64, 0.1, generator).eval()
    options = ScoringOptions(passes=2, seed=0, device=CPU)
    whole = method.maps(model, images, images, options)
    tiled = method.maps(model, images, images, replace(options, tiling=Tiling(64, 16)))
    assert tiled.maps.keys() == whole.maps.keys()
    for kind in whole.maps:
        torch.testing.assert_close(tiled.maps[kind], whole.maps[kind], rtol=1e-4, atol=1e-6)


def test_a_tile_far_from_the_others_is_what_the_network_makes_of_it_alone():
    method, generator = METHODS["aesc"], torch.Generator().manual_seed(0)
    images = torch.rand(2, 1, 64, 128, generator=generator)
    model = method.build(1, 64, 0.1, generator).eval()
    tiled = method.maps(model, images, images, ScoringOptions(2, 0, CPU, tiling=Tiling(64, 0)))
    for start in (0, 64):
        alone = anomaly_maps(model, images[..., start : start + 64], passes=2)
        piece = tiled.residual[..., start : start + 64]
        torch.testing.assert_close(piece, alone.residual, rtol=1e-4, atol=1e-6)


def test_errors_of_a_restoration_are_typical_of_tiles_where_tiles_are_scored():
    """Each tile by hand, as an image of its own, both when it is learned from and when scored."""
    method, generator = METHODS["itae"], torch.Generator().manual_seed(0)
    train, images = torch.rand(2, 2, 3, 64, 64, generator=generator).unbind()
    model = method.build(3, 32, 0.1, generator).eval()
    options = ScoringOptions(2, 0, CPU, tiling=Tiling(32, 0))
    found = method.maps(model, images, train, options).residual
    pieces = [(row, column) for row in (0, 32) for column in (0, 32)]

    def piece(of, row, column):
        return of[..., row : row + 32, column : column + 32]

    typical = typical_errors(model, torch.cat([piece(train, *place) for place in pieces]))
    for place in pieces:
        alone = restoration_maps(model, piece(images, *place), typical)
        torch.testing.assert_close(piece(found, *place), alone, rtol=1e-4, atol=1e-5)


def test_training_sees_squares_at_random_places_and_validates_in_the_middle():
    seen = []

    class Watching(torch.nn.Module):
        config: dict = {}  # noqa: RUF012

        def __init__(self):
            super().__init__()
            self.one = torch.nn.Parameter(torch.ones(1))

        def forward(self, images):
            seen.append((self.training, images.detach()))
            return images * self.one

    ramp = torch.linspace(0, 1, 100).expand(4, 1, 80, 100)
    settings = TrainingSettings(epochs=1, batches=3, batch_size=2)
    trainer = method_trainer(
        METHODS["aesc"], Watching(), ramp, ramp[:1], settings, corruption="none", tile=64
    )
    trainer.run(progress=False)
    training = [images for learning, images in seen if learning]
    assert {images.shape for images in training} == {(2, 1, 64, 64)}
    starts = torch.cat([images[:, 0, 0, 0] for images in training])
    assert len(starts.unique()) > 3
    (validated,) = (images for learning, images in seen if not learning)
    torch.testing.assert_close(validated, ramp[:1, :, 8:72, 18:82])


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"size": 128, "tile": 32}, "^tile is 32: give at least 64 pixels for AESc"),
        ({"tile": 16}, "^tile is 16: give at least 64 pixels for AESc"),
        ({"size": 32, "tile": 64}, "^size is 32 x 32 pixels, less than a tile of 64"),
        ({"size": 64, "tile": 128}, "less than a tile of 128"),
        ({"tile": -1}, "tile"),
        ({"tile": "x"}, "tile"),
    ],
)
def test_tiles_that_do_not_fit_are_refused(values, word):
    with pytest.raises(InputError, match=word):
        RunConfig.checked(category="washer", **values)


def test_a_run_in_tiles_is_recorded_and_another_row_of_the_table(stripes, tmp_path):
    values = {"category": "stripes", "data": str(stripes), "epochs": 1, "passes": 2}
    tiled = RunConfig.checked(**values, size=96, tile=64)
    assert "96px-64tile" in tiled.name
    experiment = Experiment(tiled, tmp_path, progress=False)
    record = experiment.run()
    assert experiment.maps.residual.shape == (10, 96, 96)
    assert Record.load(tmp_path / f"{tiled.name}.json").method.tile == 64
    assert "96 px in tiles of 64 px" in record.card()
    weights = load(tmp_path / f"{tiled.name}.safetensors", "cpu")
    assert weights.preprocessing.tiling == Tiling(64, 16)
    whole = Experiment(RunConfig.checked(**values, size=96), tmp_path, progress=False).run()
    assert whole.method.tile == 0
    table = results_table([record, whole])
    assert table.tile.tolist() == [0, 64]
    np.testing.assert_array_equal(table.seeds, 1)


def test_progress_counts_the_pixels_that_a_network_is_trained_on():
    def work(**values: int) -> float:
        config = RunConfig.checked(category="washer", epochs=3, **values)
        return Progress([config], [], shown=False).total

    assert work(size=256, tile=64) == work(size=64) == work(size=256) / 16


def test_what_was_run_in_tiles_is_not_as_published():
    from aesc.records import Store
    from aesc.resources import resource

    records = Store(resource("results") / "mvtec_ad").records()
    (one,) = [r for r in records if r.name.endswith("bottle-aesc-stain-standard-128px-seed0")]
    tiled = one.model_copy(update={"method": one.method.model_copy(update={"tile": 64})})
    assert paper_records([one, tiled]) == [one]
