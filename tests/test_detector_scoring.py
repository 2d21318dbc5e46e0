"""Scores and maps of images that are padded or partly outside the region of interest."""

import numpy as np
import pytest
import torch

from aesc.detector import Preprocessing, Tiling
from aesc.detector.inputs import Picture
from aesc.detector.result import find_regions
from aesc.detector.scoring import Scorer
from aesc.experiment import METHODS
from aesc.scoring import SMOOTHING, image_scores, smooth

WAYS = {"whole": None, "tiles": Tiling(64, 0)}
"""One tile is as large as the image, so that both ways give the same."""


def scorer(method="aesc_plus", tiling=None):
    """A scorer whose anomaly map is the image itself."""
    generator = torch.Generator().manual_seed(0)
    model = METHODS[method].build(1, 64, 0.1, generator).eval()
    made = Scorer(
        model, method, {}, Preprocessing((64, 64), 1, 255, tiling=tiling), torch.device("cpu")
    )
    made.compare = lambda images: (images, {made.kind: images[:, 0]})
    return made


def picture(values, valid):
    pixels = values.astype(np.float32)[None]
    height, width = valid.shape
    return Picture("image", pixels, valid, (width, height), (0, 0, width, height), "L", "")


def strip():
    """A part of 64 x 22 in a square."""
    valid = np.zeros((64, 64), np.bool_)
    valid[21:43] = True
    return valid


@pytest.mark.parametrize("way", WAYS)
def test_even_light_is_no_anomaly_however_much_is_padding(way):
    padded = picture(np.full((64, 64), 0.2), strip())
    (scored,) = scorer(tiling=WAYS[way]).scored([padded])
    assert scored.score == 0


@pytest.mark.parametrize("way", WAYS)
def test_where_nothing_is_valid_there_is_no_anomaly(way):
    nothing = picture(np.eye(64), np.zeros((64, 64), np.bool_))
    (scored,) = scorer(tiling=WAYS[way]).scored([nothing])
    assert scored.score == 0 and not scored.map.any()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", ["aesc", "aesc_plus"])
def test_the_score_is_that_of_the_image_without_its_padding(method, way):
    valid = strip()
    values = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    made = scorer(method, WAYS[way])
    (scored,) = made.scored([picture(values, valid)])
    alone = image_scores(torch.from_numpy(values[21:43])[None], METHODS[method].norm)
    assert scored.score == pytest.approx(alone.item(), rel=1e-12)
    assert not scored.map[~valid].any() and scored.map[valid].all()
    blurred = smooth(torch.from_numpy(values * valid)[None], SMOOTHING * 64)[0].numpy()
    np.testing.assert_array_equal(scored.map[valid], blurred[valid])


def test_images_without_padding_keep_their_numbers_beside_others():
    values = np.random.default_rng(0).random((3, 64, 64)).astype(np.float32)
    inside = [np.ones((64, 64), np.bool_), strip(), np.ones((64, 64), np.bool_)]
    scored = list(scorer().scored(map(picture, values, inside)))
    wanted = image_scores(torch.from_numpy(values), "top").tolist()
    assert [scored[0].score, scored[2].score] == [wanted[0], wanted[2]]
    assert scored[1].score != wanted[1]


def test_tiles_are_scored_by_what_is_valid_of_each():
    valid = np.zeros((64, 128), np.bool_)
    valid[:20, :64] = valid[:, 100:] = True
    values = np.random.default_rng(0).random((64, 128)).astype(np.float32)
    (scored,) = scorer(tiling=WAYS["tiles"]).scored([picture(values, valid)])
    parts = [values[:20, :64], values[:, 100:]]
    wanted = [image_scores(torch.from_numpy(part.copy())[None], "top").item() for part in parts]
    assert scored.score == pytest.approx(max(wanted), rel=1e-12)


def test_a_region_at_the_edge_stays_in_the_image():
    """Of 64 x 32 pixels, with a mark in the last two rows."""
    valid = np.zeros((64, 64), np.bool_)
    valid[16:48] = True
    values = np.zeros((64, 64))
    values[46:48, 20:40] = 1
    (scored,) = scorer().scored([picture(values, valid)])
    (region,) = find_regions(scored.map / np.float32(0.1), (0, -16, 64, 64))
    assert region.y >= 28 and region.y + region.height == 32


@pytest.mark.parametrize("method", ["aesc", "aesc_plus"])
@pytest.mark.parametrize("column", [5, 70])
def test_what_is_no_number_is_seen_in_every_tile_but_not_on_padding(method, column):
    values, valid = np.full((64, 128), 0.5), np.ones((64, 128), np.bool_)
    valid[40:] = False
    made = scorer(method, WAYS["tiles"])
    values[50, column] = np.nan
    (scored,) = made.scored([picture(values, valid)])
    assert np.isfinite(scored.score) and np.isfinite(scored.map).all()
    values[30, column] = np.nan
    (scored,) = made.scored([picture(values, valid)])
    assert np.isnan(scored.score)
