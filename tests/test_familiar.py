"""What good images have in common, measured in few passes and on images of any shape."""

import warnings

import numpy as np
import pytest

from aesc.detector.familiar import Familiar, measure
from aesc.detector.inputs import Picture


class Counted(list):
    """Counts how often it is gone through."""

    passes = 0

    def __iter__(self):
        self.passes += 1
        return super().__iter__()


def picture(width: int, mode: str, seed: int) -> Picture:
    pixels = np.random.default_rng(seed).random((1, 16, width), np.float32)
    valid = np.ones((16, width), np.bool_)
    return Picture("x", pixels, valid, (width, 16), (0, 0, width, 16), mode, str(seed))


def test_images_are_gone_through_twice_and_all_that_they_are_is_known():
    pictures = Counted(
        picture(*each) for each in [(16, "L", 0), (20, "L", 1), (16, "float", 2), (16, "RGB", 3)]
    )
    known = Familiar.of(pictures, modes=("I;16",))
    assert pictures.passes == 2
    assert known.sizes == ((16, 16), (20, 16)) and known.modes == ("I;16", "L", "RGB")
    grey = [p.pixels.mean(0) for p in pictures]
    assert known.ranges["brightness"] == pytest.approx(
        (min(g.mean() for g in grey), max(g.mean() for g in grey))
    )


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1)])
def test_a_line_of_pixels_has_no_neighbours_across_it(shape):
    grey = np.linspace(0, 0.4, max(shape), dtype=np.float32).reshape(shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measured = measure(grey[None], grey)
    assert measured["sharpness"] == pytest.approx(0.05 if max(shape) > 1 else 0)
    assert measured["brightness"] == pytest.approx(grey.mean())
