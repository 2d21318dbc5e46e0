"""One white for all images of a category: 8 bits, more bits, and files that disagree."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from aesc.data import ImageStream, ReadOptions, cache, load_category, read_image


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def camera(root: Path, scale: float, kind: type) -> Path:
    """Noise around a middle grey, defects darker; ``scale`` is the largest value of the camera."""
    rng = np.random.default_rng(0)
    for place, level in (("train/good", 0.6), ("test/good", 0.6), ("test/hole", 0.2)):
        for index in range(6):
            pixels = scale * (level + 0.3 * rng.random((9, 9)))
            write(
                root / place / f"{index}.{'tif' if kind is np.float32 else 'png'}",
                pixels.astype(kind),
            )
    return root


@pytest.mark.parametrize(
    ("white", "kind"),
    [
        (255, np.uint8),
        *((white, np.uint16) for white in (255, 1023, 4095, 16383, 65535)),
        *((white, np.float32) for white in (1, 4095)),
    ],
)
def test_the_white_of_a_category_is_that_of_its_camera(tmp_path, white, kind):
    category = load_category(camera(tmp_path, white, kind), size=9)
    assert category.white_level == white and "cut off" not in str(category.notes)
    for images, paths in (
        (category.train, category.train_paths),
        (category.test, category.test_paths),
    ):
        files = np.stack([np.asarray(Image.open(tmp_path / path), np.float64) for path in paths])
        assert np.allclose(images[:, 0], files / white, atol=1e-6)


def test_streamed_and_cached_images_have_the_same_white(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "SETTLED", -60.0)
    root = camera(tmp_path / "part", 4095, np.uint16)
    held = (1 + 12) * 4 * 9**2 + 12 * 9**2
    kept = ReadOptions(cache=tmp_path / "cache")
    whole, first, second = (load_category(root, 9, options=o) for o in (ReadOptions(), kept, kept))
    streamed = load_category(root, 9, options=ReadOptions(memory=held))
    assert isinstance(streamed.train, ImageStream)
    for other in (first, second, streamed):
        assert other.white_level == 4095 and other.notes == whole.notes
        assert torch.equal(other.test, whole.test)
    assert torch.equal(torch.cat(list(streamed.train.split(2))), whole.train)


def test_a_dim_file_keeps_its_place_on_the_scale(tmp_path):
    """Alone a file of 16 bits is divided by 65535, and one of 32 bits by a white of its own."""
    root = camera(tmp_path, 4095, np.uint16)
    dim = root / "test/hole/9.tif"
    write(dim, np.full((9, 9), 100, np.int32))
    category = load_category(root, size=9)
    assert category.test_paths[-1] == "test/hole/9.tif"
    assert torch.allclose(category.test[-1], torch.tensor(100 / 4095))
    assert np.allclose(read_image(dim, 9, 1), 100 / 255)


def test_files_that_disagree_are_named(tmp_path):
    root = camera(tmp_path, 1023, np.uint16)
    write(root / "test/hole/7.png", np.full((9, 9), 200, np.uint8))
    write(root / "test/hole/8.png", np.full((9, 9), 4000, np.uint16))
    category = load_category(root, size=9)
    assert category.white_level == 1023 and category.test.max() == 1
    assert category.notes[1:] == (
        "Brighter than the white of the good images (1023), and cut off there: test/hole/8.png.",
        "Of fewer bits than the good images (white is 1023), and dark for that: test/hole/7.png.",
    )


def test_files_a_hair_above_1_are_named_because_white_is_255_for_them(tmp_path):
    """As interpolation leaves them; the rule of the white level stays."""
    root = camera(tmp_path, 1, np.float32)
    pixels = np.full((9, 9), 0.5, np.float32)
    pixels[3, 4] = 1.0007
    write(root / "train/good/8.tif", pixels)
    write(root / "test/good/7.tif", pixels.T)
    category = load_category(root, size=9)
    assert category.white_level == 255 and category.train.max() < 0.004
    assert category.notes[1] == (
        "Barely above 1, so white is 255 and they are nearly black; cut off at 1: "
        "test/good/7.tif, train/good/8.tif."
    )
    (root / "train/good/8.tif").unlink()
    category = load_category(root, size=9)
    assert category.white_level == 1 and len(category.notes) == 2
    assert category.notes[1] == (
        "Brighter than the white of the good images (1), and cut off there: test/good/7.tif."
    )
