"""Overlays show an image in its own colours, whatever its mode."""

from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest
from detectors import stripes

from aesc.detector.drawing import overlay

NOTHING = SimpleNamespace(map=None)


@pytest.fixture
def colours() -> PIL.Image.Image:
    pixels = np.zeros((8, 12, 3), np.uint8)
    pixels[:, :4], pixels[:, 4:8], pixels[:, 8:] = (200, 30, 10), (20, 90, 160), (250, 250, 0)
    return PIL.Image.fromarray(pixels)


@pytest.mark.parametrize("mode", ["P", "CMYK", "YCbCr", "RGBA", "RGBX"])
def test_modes_of_colour_keep_their_colours(colours, mode):
    image = colours.quantize(3) if mode == "P" else colours.convert(mode)
    assert image.mode == mode
    drawn = np.asarray(overlay(image, NOTHING, 0.5), int)
    assert np.abs(drawn - np.asarray(colours, int)).max() <= 2  # rounding of YCbCr


def test_deep_greys_are_stretched_to_their_brightest_pixel():
    grey = stripes(np.random.default_rng(0)).astype(np.int32) * 17
    drawn = np.asarray(overlay(PIL.Image.fromarray(grey.astype(np.uint16)), NOTHING, 0.5))
    np.testing.assert_array_equal(drawn[..., 0], np.rint(255 * grey / grey.max()))
