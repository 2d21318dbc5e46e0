"""The bundle reads image files as the package does, and resizes as Pillow does."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnx")

from aesc.data.images import decode
from aesc.export.predict import Model, _decoded, _opened
from aesc.export.reading import Axis

RNG = np.random.default_rng(0)
COLOURS = Image.fromarray(RNG.integers(0, 256, (6, 9, 4), np.uint8))
DEEP = Image.fromarray(RNG.integers(0, 4096, (6, 9), np.uint16))


def written(name, folder):
    """A file of that kind."""
    path = folder / f"{name.split()[0]}.{name.split()[1]}"
    if "turned" in name:
        exif = Image.Exif()
        exif[0x0112] = 6
        COLOURS.convert("RGB").save(path, exif=exif)
    elif "see" in name:
        grey = COLOURS.convert("L")
        grey.save(path, transparency=grey.getpixel((2, 2)))
    elif "deep" in name:
        DEEP.save(path)
    elif "float" in name:
        Image.fromarray(RNG.random((6, 9), np.float32)).save(path)
    elif "whole" in name:
        Image.fromarray(RNG.integers(0, 70000, (6, 9), np.int32)).save(path)
    elif "big-endian" in name:
        Image.fromarray(np.asarray(DEEP).astype(">u2")).save(path)
    else:
        COLOURS.convert(name.split()[0]).save(path)
    return path


@pytest.mark.parametrize(
    "name",
    [
        *("L png", "RGB png", "RGBA png", "LA png", "P png", "1 png", "CMYK jpg", "L jpg"),
        *("turned png", "turned jpg", "turned tif", "see-through png", "RGB bmp", "P gif"),
        *("deep png", "deep tif", "float tif", "whole tif", "big-endian tif", "RGBA webp"),
    ],
)
def test_files_are_decoded_as_by_the_package(name, tmp_path):
    path = written(name, tmp_path)
    with _opened(path) as opened:
        ours, other = decode(path.read_bytes(), path), _decoded(path, opened)
    assert ours.mode == other.mode
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(other))


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_one_sentence(content, tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read") as caught:
        _decoded(path, _opened(path))
    assert str(caught.value).count("\n") == 0


def reading(width, height):
    """A model that reads grey images of that size, without the rest of it."""
    model = Model.__new__(Model)
    model.facts = {"input": [width, height], "modes": ["L"], "planes": 1, "type": "uint8"}
    return model


def test_images_of_line_scan_cameras_are_read(tmp_path, monkeypatch):
    """Pillow refuses twice its limit, which stays as it is for others."""
    pixels = RNG.integers(0, 256, (30, 50), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(tmp_path / "x.png")
    np.testing.assert_array_equal(reading(50, 30).read(tmp_path / "x.png")[..., 0], pixels)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_an_image_of_another_size_is_refused_by_its_header(tmp_path):
    path = tmp_path / "x.png"
    Image.new("L", (400, 300)).save(path)
    path.write_bytes(path.read_bytes()[:60])  # decoding would fail
    with pytest.raises(ValueError, match=r"400 x 300 pixels: give images of 50 x 30 pixels"):
        reading(50, 30).read(path)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (30, 50)).save(path, exif=exif)
    assert reading(50, 30).read(path).shape == (30, 50, 1)
    with pytest.raises(ValueError, match=r"50 x 30 pixels: give images of 30 x 50 pixels"):
        reading(30, 50).read(path)


@pytest.mark.parametrize(("length", "target"), [(100, 64), (64, 64), (33, 64), (1000, 64)])
def test_two_products_are_what_pillow_makes(length, target):
    pixels = RNG.random((length, length), np.float32)
    wanted = Image.fromarray(pixels).resize((target, target), Image.Resampling.BILINEAR)
    matrix = Axis(length, (0, length), (0, length), target).matrix()
    np.testing.assert_allclose(matrix @ pixels @ matrix.T, np.asarray(wanted), atol=1e-6)


def test_the_edge_of_the_region_is_repeated():
    pixels = np.arange(10.0)
    matrix = Axis(10, (3, 6), (2, 5), 5).matrix()  # pixels 3 to 5, one more at each end
    np.testing.assert_allclose(matrix @ pixels, [3, 3, 4, 5, 5])
