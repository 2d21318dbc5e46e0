"""Image files of every mode and depth, against hand-made values and slow versions."""

import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from aesc.data import images as images_module
from aesc.data import read_image, read_mask
from aesc.errors import InputError

COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
LUMA = np.array([[0.299, 0.587], [0.114, 1.0]])


def rgb_file(mode: str, path: Path) -> None:
    if mode == "RGBA":
        Image.fromarray(np.dstack([COLOURS, np.full((2, 2), 255, np.uint8)])).save(path)
    elif mode == "P":
        image = Image.fromarray(np.array([[7, 2], [0, 1]], np.uint8)).convert("P")
        palette = [0, 0, 255, 255, 255, 255, 0, 255, 0, *[9] * 12, 255, 0, 0]
        image.putpalette(palette)
        image.save(path)
    elif mode == "CMYK":
        inks = 255 - np.dstack([COLOURS, np.full((2, 2), 255, np.uint8)])
        Image.frombytes("CMYK", (2, 2), inks.tobytes()).save(path)
    else:
        Image.fromarray(COLOURS).save(path)


@pytest.mark.parametrize(
    ("mode", "extension"),
    [("RGB", "png"), ("RGB", "bmp"), ("RGBA", "png"), ("P", "png"), ("CMYK", "tif")],
)
@pytest.mark.filterwarnings("error")
def test_colour_modes_give_their_colours_and_rec_601_grey(tmp_path, mode, extension):
    path = tmp_path / f"x.{extension}"
    rgb_file(mode, path)
    with Image.open(path) as image:
        assert image.mode == mode
    colour, grey = read_image(path, 2, 3), read_image(path, 2, 1)
    assert colour.dtype == grey.dtype == np.float32
    np.testing.assert_array_equal(colour, COLOURS.transpose(2, 0, 1) / 255)
    np.testing.assert_allclose(grey, LUMA[None], atol=1e-6)


def test_grey_agrees_with_pillow_on_random_colours(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    expected = np.asarray(Image.fromarray(pixels).convert("L")) / 255
    np.testing.assert_allclose(read_image(tmp_path / "x.png", 16, 1)[0], expected, atol=0.51 / 255)


GREY_FILES = {
    "1": (np.array([[0, 1], [1, 0]], bool), "png", 1),
    "L": (np.array([[0, 51], [102, 255]], np.uint8), "png", 255),
    "I;16": (np.array([[0, 1], [32768, 65535]], np.uint16), "png", 65535),
    "I;16 tif": (np.array([[0, 1], [32768, 65535]], np.uint16), "tif", 65535),
    "I;16 dark": (np.array([[0, 1], [2, 200]], np.uint16), "png", 65535),
    "I;16B": (np.array([[0, 1], [32768, 65535]], ">u2"), "tif", 65535),
    "I small": (np.array([[0, 51], [102, 255]], np.int32), "tif", 255),
    "I large": (np.array([[0, 1], [256, 65535]], np.int32), "tif", 65535),
    "F unit": (np.array([[0, 0.25], [0.3, 1]], np.float32), "tif", 1),
    "F 8 bits": (np.array([[0, 0.25], [1.5, 255]], np.float32), "tif", 255),
    "F 16 bits": (np.array([[0, 0.25], [255.5, 65535]], np.float32), "tif", 65535),
}


@pytest.mark.parametrize("kind", GREY_FILES)
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_modes_and_depths(tmp_path, kind, channels):
    values, extension, white = GREY_FILES[kind]
    Image.fromarray(values).save(tmp_path / f"x.{extension}")
    result = read_image(tmp_path / f"x.{extension}", 2, channels)
    expected = np.repeat(values[None].astype(float) / white, channels, axis=0)
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_dark_16_bit_pgm_is_scaled_by_its_depth(tmp_path):
    (tmp_path / "x.pgm").write_bytes(b"P5 2 1 65535\n" + bytes([0, 0, 0, 200]))
    np.testing.assert_allclose(read_image(tmp_path / "x.pgm", 2, 1)[0, 0], [0, 200 / 65535])


@pytest.mark.parametrize(("opacity", "expected"), [(0, 0.0), (128, 0.1), (255, 0.2)])
@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_what_is_transparent_is_laid_over_black(tmp_path, mode, opacity, expected):
    """So the colour that is stored under full transparency does not count."""
    path = tmp_path / "x.png"
    if mode == "P":
        image = Image.new("P", (3, 3), 0)
        image.putpalette([51, 51, 51])
        image.save(path, transparency=bytes([opacity]))
    else:
        bands = [Image.new("L", (3, 3), 51)] * (len(mode) - 1)
        Image.merge(mode, [*bands, Image.new("L", (3, 3), opacity)]).save(path)
    np.testing.assert_allclose(read_image(path, 3, 1), expected, atol=0.6 / 255)


@pytest.mark.parametrize(("mode", "hidden"), [("L", 51), ("RGB", (51, 51, 51))])
def test_colour_named_as_transparent_does_not_count(tmp_path, mode, hidden):
    image = Image.new(mode, (2, 1), hidden)
    image.putpixel((1, 0), 102 if mode == "L" else (102, 102, 102))
    image.save(tmp_path / "x.png", transparency=hidden)
    np.testing.assert_allclose(read_image(tmp_path / "x.png", 2, 1)[0, 0], [0, 0.4], atol=1e-3)


def test_resizing_keeps_the_low_bits_of_16(tmp_path):
    Image.fromarray(np.array([[0, 1], [2, 3]], np.uint16)).save(tmp_path / "x.png")
    assert read_image(tmp_path / "x.png", 1, 1).item() == pytest.approx(1.5 / 65535)


def triangle_weights(length: int, size: int) -> np.ndarray:
    """Weights of the widened triangle filter, written out pixel by pixel."""
    scale, weights = length / size, np.zeros((size, length))
    for target in range(size):
        for source in range(length):
            distance = abs(source + 0.5 - (target + 0.5) * scale)
            weights[target, source] = max(0.0, 1 - distance / max(scale, 1.0))
    return weights / weights.sum(1, keepdims=True)


@pytest.mark.parametrize("shape", [(31, 31), (17, 40), (5, 3), (64, 1), (16, 16)])
def test_resize_matches_a_slow_antialiased_filter(tmp_path, shape):
    values = np.random.default_rng(1).integers(0, 65536, shape, dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "x.png")
    vertical, horizontal = (triangle_weights(length, 16) for length in shape)
    expected = vertical @ (values / 65535) @ horizontal.T
    result = read_image(tmp_path / "x.png", 16, 1)
    np.testing.assert_allclose(result[0], expected, atol=1e-5)
    assert result.min() >= 0 and result.max() <= 1


@pytest.mark.parametrize("extension", ["png", "tif", "webp"])
def test_exif_orientation_is_honoured_once(tmp_path, extension):
    stored = np.zeros((4, 8, 3), np.uint8)
    stored[:, :4] = 255  # left half white; a quarter turn clockwise brings it to the top
    image, exif = Image.fromarray(stored), Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / f"x.{extension}", exif=exif, lossless=True)
    result = read_image(tmp_path / f"x.{extension}", 8, 1)[0]
    assert result[0].min() > 0.99 and result[-1].max() < 0.01
    Image.new("L", (4, 8), 255).save(tmp_path / "mask.png")  # drawn on the upright image
    assert read_mask(tmp_path / "mask.png", 8, tmp_path / f"x.{extension}").all()


def test_jpeg_is_read(tmp_path):
    Image.new("L", (33, 20), 128).save(tmp_path / "x.JPEG")
    np.testing.assert_allclose(read_image(tmp_path / "x.JPEG", 7, 3), 128 / 255, atol=1e-6)


def damaged(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / f"broken.{kind.split()[0]}"
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    if "truncated" in kind:
        Image.fromarray(pixels).save(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif "text" in kind:
        path.write_text("not an image")
    elif "empty" in kind:
        path.touch()
    elif "nan" in kind:
        Image.fromarray(np.array([[0, np.nan, 1]], np.float32)).save(path)
    elif "negative" in kind:
        Image.fromarray(np.array([[0, -1, 1]], np.int32)).save(path)
    elif "huge values" in kind:
        Image.fromarray(np.array([[0, 65536, 1]], np.int32)).save(path)
    return path


@pytest.mark.parametrize(
    "kind",
    [
        *("png truncated", "jpg truncated", "tif truncated", "bmp truncated", "png text"),
        *("png empty", "png missing", "tif nan", "tif negative", "tif huge values"),
    ],
)
def test_unusable_images_are_named_in_one_sentence(tmp_path, kind):
    path = damaged(tmp_path, kind)
    with pytest.raises(InputError) as caught:
        read_image(path, 8, 1)
    message = str(caught.value)
    assert str(path) in message and message.endswith(".") and "\n" not in message
    assert "0x" not in message  # no address of an object, so the same message every time


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["png", "jpeg", "tiff", "gif", "bmp", "webp"]), st.data())
@pytest.mark.filterwarnings("ignore")  # Pillow warns of odd metadata before it gives up
def test_damaged_bytes_are_read_in_range_or_refused(kind, data):
    buffer = BytesIO()
    Image.fromarray(COLOURS).resize((16, 16)).save(buffer, kind)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images_module, "MAX_PIXELS", 2**16)  # a changed header may ask for gigabytes
        try:
            image = images_module.decode(bytes(content), "x")
            result = images_module.image_array(image, "x", (4, 4), 3)
        except InputError as error:
            assert str(error).startswith("x ")
        else:
            assert result.shape == (3, 4, 4) and result.min() >= 0 and result.max() <= 1


def test_pixel_limit_is_ours_and_pillows_own_is_left_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "x.png"
    Image.new("L", (10, 8), 255).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(path, 2, 1).min() == 1
    assert Image.MAX_IMAGE_PIXELS == 30
    monkeypatch.setattr(images_module, "MAX_PIXELS", 79)
    with pytest.raises(InputError, match=r"x\.png is 10 x 8 pixels"):
        read_image(path, 2, 1)


def test_a_file_that_declares_far_more_than_it_holds_is_refused_unopened(tmp_path, monkeypatch):
    path = tmp_path / "bomb.webp"
    Image.new("L", (9000, 9000)).save(path, lossless=True)
    length = path.stat().st_size
    with pytest.raises(InputError, match=rf"bomb\.webp declares 9000 x 9000 pixels in {length} b"):
        read_image(path, 8, 1)
    monkeypatch.setenv("AESC_MAX_PIXELS", str(9000 * 9000))
    assert read_image(path, 8, 1).max() == 0
    monkeypatch.setenv("AESC_MAX_PIXELS", "80999999")
    with pytest.raises(InputError, match="not between 1 and 80999999 in all"):
        read_image(path, 8, 1)
    monkeypatch.setenv("AESC_MAX_PIXELS", "many")
    with pytest.raises(InputError, match="AESC_MAX_PIXELS is 'many': give a whole number"):
        read_image(path, 8, 1)


def test_a_declared_giant_is_refused_by_its_header_alone():
    """60 000 x 60 000 pixels, of which the file holds nothing."""
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    data += struct.pack(">I", zlib.crc32(chunk))
    # Something to read after the header, as Pillow looks for the first chunk of pixels.
    data += struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    with pytest.raises(InputError, match="giant is 60000 x 60000 pixels, not between 1 and"):
        images_module.decode(data, "giant")


@pytest.mark.parametrize("white", [0, -1, float("nan"), float("inf"), True, "x"])
def test_a_white_level_that_is_none_is_named(tmp_path, white):
    Image.new("L", (2, 2), 9).save(tmp_path / "x.png")
    with pytest.raises(InputError, match=r"^white_level is .*: give a finite number above 0\.$"):
        read_image(tmp_path / "x.png", 2, 1, white)
