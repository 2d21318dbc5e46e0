"""Mask files: what marks a defect, against hand-made values and slow versions."""

from fractions import Fraction
from io import BytesIO

import numpy as np
import pytest
from folder_fakes import save, write_part
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from aesc.data import load_category, read_mask
from aesc.errors import InputError


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_mask_takes_the_pixel_whose_centre_is_nearest(tmp_path_factory, height, width, size, seed):
    values = np.random.default_rng(seed).integers(0, 2, (height, width), dtype=np.uint8)
    path = tmp_path_factory.mktemp("mask") / "mask.png"
    Image.fromarray(values).save(path)

    def nearest(target: int, length: int) -> int:
        centre = Fraction(2 * target + 1, 2 * size) * length
        return min(range(length), key=lambda i: (abs(i + Fraction(1, 2) - centre), -i))

    expected = [
        [values[nearest(row, height), nearest(column, width)] > 0 for column in range(size)]
        for row in range(size)
    ]
    result = read_mask(path, size)
    assert result.dtype == np.bool_
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    "values",
    [
        np.array([[127, 128], [255, 0]], np.uint8),
        np.array([[32767, 32768], [65535, 0]], np.uint16),
        np.array([[False, True], [True, False]]),
        np.array([[0, 1], [9, 0]], np.uint8),
        np.array([[0, 1], [127, 0]], np.uint16),
        np.array([[[90, 90, 90], [0, 0, 200]], [[255, 255, 255], [0, 0, 0]]], np.uint8),
        np.array([[[0, 0, 0], [0, 0, 1]], [[9, 9, 9], [0, 0, 0]]], np.uint8),
    ],
    ids=["L", "I;16", "1", "labels", "labels of 16 bits", "RGB", "labels in RGB"],
)
def test_half_of_white_is_a_defect_and_any_label_but_0(tmp_path, values):
    Image.fromarray(values).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", 2), [[0, 1], [1, 0]])


@pytest.mark.parametrize("kind", ["JPEG", "blurred"])
def test_soft_edges_do_not_make_a_defect_larger(tmp_path, kind):
    mask = Image.new("L", (128, 128))
    mask.paste(255, (50, 40, 66, 56))  # 256 pixels
    path = tmp_path / ("m.jpg" if kind == "JPEG" else "m.png")
    if kind == "JPEG":
        mask.save(path, quality=75)
    else:
        mask.filter(ImageFilter.GaussianBlur(3)).save(path)
    # A blur rounds the corners; with everything above 0, it would be 396 and 916 pixels.
    assert read_mask(path, 128).sum() == pytest.approx(256, rel=0.15)


def test_mask_of_another_size_names_both_files_and_sizes(tmp_path):
    Image.new("L", (6, 4)).save(tmp_path / "i.png")
    Image.new("L", (4, 6)).save(tmp_path / "m.png")
    with pytest.raises(InputError, match=r"m\.png is 4 x 6 .*i\.png is 6 x 4"):
        read_mask(tmp_path / "m.png", 8, tmp_path / "i.png")


def voc_colour(label: int) -> tuple[int, ...]:
    """The colour of a label in Pascal VOC: its bits fill the channels in turn, from 128 down."""
    bits = [[label >> (3 * place + channel) & 1 for place in range(3)] for channel in range(3)]
    return tuple(sum(bit << (7 - place) for place, bit in enumerate(row)) for row in bits)


def voc_mask(labels: np.ndarray, transparent: int | None = None) -> Image.Image:
    image = Image.fromarray(labels.astype(np.uint8)).convert("P")
    image.putpalette([value for label in range(256) for value in voc_colour(label)])
    if transparent is not None:
        image.info["transparency"] = transparent
    return image


@pytest.mark.parametrize("kind", ["png", "gif", "tif", "bmp"])
def test_every_colour_of_a_palette_but_black_is_a_defect(tmp_path, kind):
    labels = np.repeat([1, 8, 0, 2, 16, 64], 2)[:, None] * np.ones((1, 12), int)
    assert (voc_colour(1), voc_colour(8), voc_colour(64)) == ((128, 0, 0), (64, 0, 0), (32, 0, 0))
    voc_mask(labels).save(tmp_path / f"m.{kind}")
    with Image.open(tmp_path / f"m.{kind}") as image:
        assert image.mode == "P"
    np.testing.assert_array_equal(read_mask(tmp_path / f"m.{kind}", 12), labels > 0)


def test_a_palette_may_hide_its_background_and_start_elsewhere(tmp_path):
    labels = np.array([[8, 1], [3, 8]])
    voc_mask(labels, transparent=3).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", 2), [[1, 1], [0, 1]])


def soft_mask() -> Image.Image:
    mask = Image.new("L", (128, 128))
    mask.paste(255, (50, 40, 66, 56))
    return mask.filter(ImageFilter.GaussianBlur(3))


def test_soft_edges_in_a_palette_of_greys_are_cut_as_in_grey(tmp_path):
    soft_mask().convert("P").save(tmp_path / "m.png")
    with Image.open(tmp_path / "m.png") as image:
        assert image.mode == "P"
    np.testing.assert_array_equal(
        read_mask(tmp_path / "m.png", 128), np.asarray(soft_mask()) > 127.5
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array([[0, np.nan, 1]], np.float32), "from nan to nan"),
        (np.array([[0, -0.5, 1]], np.float32), "from -0.5 to 1"),
        (np.array([[0, -1, 1]], np.int32), "from -1 to 1"),
        (np.array([[0, 65536, 1]], np.int32), "from 0 to 65536"),
    ],
)
def test_values_outside_the_range_are_refused_as_in_images(tmp_path, values, said):
    part = write_part(tmp_path / "part")
    mask = part / "ground_truth/stain/000_mask.tif"
    Image.fromarray(np.resize(values, (4, 6))).save(mask)
    for read in (lambda: read_mask(mask, 8), lambda: load_category(part, size=8)):
        with pytest.raises(InputError, match=rf"000_mask\.tif holds values {said}, outside 0 to"):
            read()


FAINT = (
    "Flat areas darker than half of white mark no defect; save labels as white: "
    "ground_truth/stain/000_mask.tif."
)


def grid_of(labels: list[int], side: int = 6) -> np.ndarray:
    """One square of each label on black."""
    squares = [np.pad(np.full((side, side), label), 2) for label in labels]
    return np.concatenate(squares, axis=1)


@pytest.mark.parametrize(
    "values",
    [
        grid_of(list(range(1, 151))).astype(np.uint8),
        grid_of([1, 2, 255]).astype(np.uint8),
        grid_of([100, 200, 300]).astype(np.uint16),
        grid_of([100, 200, 300]).astype(">u2"),
        grid_of([100, 200, 300]).astype(np.int32),
        grid_of([100, 200, 300]).astype(np.float32),
        grid_of([64, 128])[:, :, None].astype(np.uint8) * np.array([1, 0, 0], np.uint8),
    ],
    ids=["instances", "void", "I;16", "I;16B", "I", "F", "RGB"],
)
def test_labels_that_the_cut_drops_are_named(tmp_path, values):
    part = write_part(tmp_path / "part")
    save(part / "test/stain/000.jpg", 50, values.shape[1::-1])
    Image.fromarray(values).save(part / "ground_truth/stain/000_mask.tif")
    assert load_category(part, size=64).notes == (FAINT,)


def encoded(mask: Image.Image, kind: str, **how: object) -> Image.Image:
    buffer = BytesIO()
    mask.save(buffer, kind, **how)
    return Image.open(buffer)


SHARP = Image.fromarray((grid_of([255, 255], 40)).astype(np.uint8))


@pytest.mark.parametrize(
    "mask",
    [
        SHARP,
        soft_mask(),
        *(encoded(SHARP, "JPEG", quality=quality) for quality in (10, 50, 75, 95)),
        *(SHARP.resize((61, 33), how) for how in (Image.Resampling.BILINEAR, 1, 3)),
        SHARP.resize((300, 150), Image.Resampling.BILINEAR),
        Image.fromarray(grid_of([1, 2, 3]).astype(np.uint8)),
        voc_mask(grid_of([1, 8, 64])),
    ],
)
def test_of_masks_that_lose_nothing_nothing_is_said(tmp_path, mask):
    part = write_part(tmp_path / "part")
    save(part / "test/stain/000.jpg", 50, mask.size)
    mask.save(part / "ground_truth/stain/000_mask.tif")
    assert load_category(part, size=64).notes == ()
