"""Folder layouts, splits, labels, masks and fingerprints of a category."""

import hashlib
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from folder_fakes import save, write_part
from PIL import Image

from aesc.data import ReadOptions, load_category
from aesc.errors import InputError


@pytest.fixture
def part(tmp_path) -> Path:
    return write_part(tmp_path / "part")


def test_mvtec_layout(part):
    category = load_category(part, size=8)
    assert (category.name, category.root, category.size, category.channels) == ("part", part, 8, 1)
    assert category.train.shape == (8, 1, 8, 8) and category.train.dtype == torch.float32
    assert category.validation.shape == (2, 1, 8, 8)
    assert category.test_paths == (
        *("test/crack/000.bmp", "test/crack/001.bmp", "test/good/000.png", "test/good/001.png"),
        "test/stain/000.jpg",
    )
    assert category.defect_types == ("crack", "crack", "good", "good", "stain")
    assert category.labels.dtype == torch.int64 and category.labels.tolist() == [1, 1, 0, 0, 1]
    assert category.masks.shape == (5, 1, 8, 8) and category.masks.dtype == torch.bool
    shares = category.masks.flatten(1).float().mean(1)
    assert shares[:2].min() > 0.7 and shares[2:].max() == 0
    expected = torch.tensor([100, 101, 200, 200, 50]) / 255
    assert torch.allclose(category.test.mean((1, 2, 3)), expected, atol=1e-6)
    for paths, images in (
        (category.train_paths, category.train),
        (category.validation_paths, category.validation),
    ):
        values = torch.tensor([10 * int(Path(path).stem) for path in paths]) / 255
        assert torch.allclose(images.mean((1, 2, 3)), values, atol=1e-6)


def test_defective_image_with_empty_mask_stays_out_of_pixel_scores(part):
    category = load_category(part, size=8)
    assert category.pixel_scored.tolist() == [True, True, True, True, False]
    assert category.notes[0] == (
        "Left out of the pixel scores because their mask is empty at 8 pixels although they are "
        "defective: test/stain/000.jpg."
    )
    save(part / "ground_truth/stain/000_mask.tif", 1)
    category = load_category(part, size=8)
    assert category.pixel_scored.all() and not any("Left out" in note for note in category.notes)


def test_a_mask_that_vanishes_at_the_size_asked_for_counts_as_empty(part):
    mask = np.zeros((9, 5), np.uint8)
    mask[0, 0] = 255
    Image.fromarray(mask).save(part / "ground_truth/crack/000_mask.png")
    assert load_category(part, size=9).pixel_scored[0]
    assert not load_category(part, size=1).pixel_scored[0]


def test_layout_without_ground_truth_has_image_scores_only(part):
    shutil.rmtree(part / "ground_truth")
    category = load_category(part, size=4)
    assert category.masks is None and category.labels.tolist() == [1, 1, 0, 0, 1]
    assert not category.pixel_scored.any() and "image scores only" in category.notes[0]


@pytest.mark.parametrize("channels", [1, 3])
def test_plain_folder_of_good_images(part, channels):
    category = load_category(part / "train/good", size=4, channels=channels)
    assert len(category.train) == 8 and len(category.validation) == 2
    assert category.test.shape == (0, channels, 4, 4) and category.labels.shape == (0,)
    assert category.masks is None and category.notes == () and category.test_paths == ()


@pytest.mark.parametrize(("fraction", "held_out"), [(0.01, 1), (0.25, 2), (0.5, 5), (0.99, 9)])
def test_split_is_seeded_disjoint_and_complete(part, fraction, held_out):
    first, again, other = (
        load_category(part, size=1, validation_fraction=fraction, seed=seed) for seed in (3, 3, 4)
    )
    assert first.train_paths == again.train_paths
    assert torch.equal(first.train, again.train) and torch.equal(first.test, other.test)
    assert first.validation_paths != other.validation_paths
    assert len(first.validation_paths) == held_out
    everything = sorted(first.train_paths + first.validation_paths)
    assert everything == [f"train/good/{index:03}.png" for index in range(10)]
    drawn = np.random.default_rng(3).permutation(10)[:held_out]
    assert first.validation_paths == tuple(everything[i] for i in sorted(drawn))


def test_threads_change_nothing(part):
    one, many = (
        load_category(part, size=5, options=ReadOptions(workers=workers)) for workers in (1, 7)
    )
    for name in ("train", "validation", "test", "masks"):
        assert torch.equal(getattr(one, name), getattr(many, name))
    assert one.test_paths == many.test_paths and one.fingerprint == many.fingerprint


def test_fingerprint_covers_names_and_bytes_of_every_file_read(part, tmp_path):
    category = load_category(part, size=4)
    images = [path for path in part.rglob("*.*") if path.suffix in {".png", ".bmp", ".jpg", ".tif"}]
    names = sorted(p.relative_to(part).as_posix() for p in images if p.name[0] != ".")
    assert len(names) == 10 + 5 + 3
    content = b"".join(
        name.encode() + b"\0" + hashlib.sha256((part / name).read_bytes()).digest()
        for name in names
    )
    assert category.fingerprint == hashlib.sha256(content).hexdigest()
    moved = shutil.copytree(part, tmp_path / "elsewhere")
    (moved / "license.txt").write_text("changed")
    assert load_category(moved, size=9, channels=3, seed=1).fingerprint == category.fingerprint
    save(moved / "ground_truth/crack/000_mask.png", 254, (5, 9))
    changed = load_category(moved, size=4).fingerprint
    (moved / "train/good/000.png").rename(moved / "train/good/0.png")
    renamed = load_category(moved, size=4).fingerprint
    assert len({category.fingerprint, changed, renamed}) == 3


def test_mask_of_another_size_is_refused_by_the_category_too(part):
    save(part / "ground_truth/stain/000_mask.tif", 0, (4, 6))
    with pytest.raises(InputError, match=r"000_mask\.tif is 4 x 6 .*000\.jpg is 6 x 4"):
        load_category(part, size=4)


def test_damaged_image_of_a_category_is_named(part):
    (part / "test/good/001.png").write_bytes(b"\x89PNG")
    with pytest.raises(InputError, match=r"test/good/001\.png"):
        load_category(part, size=4)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [({"size": value}, "size") for value in (0, -1, 2.5, True, "8")]
    + [({"channels": value}, "channels") for value in (0, 2, 4, True)]
    + [({"validation_fraction": value}, "validation_fraction") for value in (0, 1, -0.1, 1.5)]
    + [({"validation_fraction": float("nan")}, "validation_fraction")]
    + [({"seed": -1}, "seed"), ({"seed": 0.5}, "seed"), ({"seed": True}, "seed")],
)
def test_arguments_out_of_range_are_named_with_their_value(part, arguments, word):
    with pytest.raises(InputError, match=rf"^{word} is .*: give .*\.$"):
        load_category(part, **arguments)


@pytest.mark.parametrize(("name", "value"), [("workers", 0), ("memory", -1), ("memory", 2.5)])
def test_options_out_of_range_are_named_with_their_value(name, value):
    with pytest.raises(InputError, match=rf"^{name} is {value}: give a whole number .*\.$"):
        ReadOptions(**{name: value})


def real_folder(name: str) -> Path:
    data = os.environ.get("AESC_TEST_DATA")
    if not data:
        pytest.skip("AESC_TEST_DATA does not name a folder with real data")
    if not (folder := Path(data) / name).is_dir():
        pytest.skip(f"{name} is not in the folder that AESC_TEST_DATA names")
    return folder


@pytest.mark.parametrize(
    ("name", "good", "counts", "empty_masks"),
    [
        (
            "mvtec_ad/bottle",
            209,
            {"good": 20, "broken_large": 20, "broken_small": 22, "contamination": 21},
            [],
        ),
        (
            "magnetic_tile",
            764,
            {"good": 188, "blowhole": 115, "break": 85, "crack": 57, "fray": 32, "uneven": 103},
            ["exp3_num_45042", "exp4_num_124690", "exp4_num_352527", "exp4_num_45057"],
        ),
    ],
)
def test_real_category(name, good, counts, empty_masks):
    category = load_category(real_folder(name), size=256)
    assert len(category.train) + len(category.validation) == good
    assert len(category.validation) == round(good / 5)
    assert Counter(category.defect_types) == counts
    assert len(category.test) == sum(counts.values())
    assert int(category.labels.sum()) == sum(counts.values()) - counts["good"]
    left_out = torch.nonzero(~category.pixel_scored).flatten().tolist()
    assert [Path(category.test_paths[i]).stem for i in left_out] == empty_masks
    assert category.train.min() >= 0 and category.train.max() <= 1
