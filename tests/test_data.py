"""Folder layouts, splits, labels, masks and fingerprints of a category."""

import hashlib
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from aesc.data import category_names, load_category, resolve_category
from aesc.errors import InputError


def save(path: Path, value: int, size: tuple[int, int] = (6, 4)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)


@pytest.fixture
def part(tmp_path) -> Path:
    """A small category in the MVTec layout, with the clutter real folders have."""
    root = tmp_path / "part"
    for index in range(10):
        save(root / "train/good" / f"{index:03}.png", 10 * index)
    for index in range(2):
        save(root / "test/good" / f"{index:03}.png", 200)
        save(root / "test/crack" / f"{index:03}.bmp", 100 + index, (5 + index, 9))
        save(root / "ground_truth/crack" / f"{index:03}_mask.png", 255, (5 + index, 9))
    save(root / "test/stain/000.jpg", 50)
    save(root / "ground_truth/stain/000_mask.tif", 0)
    for clutter in ("train/good/Thumbs.db", "test/crack/.DS_Store", "license.txt", "test/notes.md"):
        (root / clutter).write_text("clutter")
    (root / "train/good/._000.png").write_text("resource fork")
    (root / "test/.ipynb_checkpoints").mkdir()
    return root


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
    assert category.masks.flatten(1).float().mean(1).tolist() == [1, 1, 0, 0, 0]
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
    assert "test/stain/000.jpg" in category.notes and "crack" not in category.notes
    save(part / "ground_truth/stain/000_mask.tif", 1)
    assert load_category(part, size=8).notes == ""


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
    assert not category.pixel_scored.any() and "image scores only" in category.notes


@pytest.mark.parametrize("channels", [1, 3])
def test_plain_folder_of_good_images(part, channels):
    category = load_category(part / "train/good", size=4, channels=channels)
    assert len(category.train) == 8 and len(category.validation) == 2
    assert category.test.shape == (0, channels, 4, 4) and category.labels.shape == (0,)
    assert category.masks is None and category.notes == "" and category.test_paths == ()


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
    one, many = (load_category(part, size=5, workers=workers) for workers in (1, 7))
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


def test_missing_mask_names_the_image_and_the_mask(part):
    (part / "ground_truth/crack/001_mask.png").unlink()
    with pytest.raises(InputError, match=r"test/crack/001\.bmp .*ground_truth/crack/001_mask\.png"):
        load_category(part, size=4)
    shutil.rmtree(part / "ground_truth/crack")
    with pytest.raises(InputError, match=r"test/crack/000\.bmp .*ground_truth/crack/000_mask\.png"):
        load_category(part, size=4)


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
    + [({"seed": -1}, "seed"), ({"seed": 0.5}, "seed"), ({"workers": 0}, "workers")],
)
def test_arguments_out_of_range_are_named_with_their_value(part, arguments, word):
    with pytest.raises(InputError, match=rf"^{word} is .*; give .*\.$"):
        load_category(part, **arguments)


def test_folders_without_enough_good_images(part, tmp_path):
    with pytest.raises(InputError, match="nowhere is not a folder"):
        load_category(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds no images"):
        load_category(tmp_path / "empty")
    (tmp_path / "empty/license.txt").write_text("no image")
    with pytest.raises(InputError, match="empty holds no images"):
        load_category(tmp_path / "empty")
    save(tmp_path / "lone/only.png", 0)
    with pytest.raises(InputError, match=r"only\.png is the only good image"):
        load_category(tmp_path / "lone")
    with pytest.raises(InputError, match="folder of categories; give one of them: lone, part"):
        load_category(tmp_path)
    for image in (part / "train/good").glob("0*.png"):
        image.unlink()
    with pytest.raises(InputError, match="train/good holds no images"):
        load_category(part)


def test_categories_of_a_dataset_folder_and_of_a_category_folder(part, tmp_path):
    save(tmp_path / "gear/1.png", 0)
    save(tmp_path / "overview.png", 0)  # images beside the categories change nothing
    (tmp_path / "papers").mkdir()
    assert category_names(tmp_path) == ["gear", "part"]
    assert resolve_category("gear", tmp_path) == tmp_path / "gear"
    assert category_names(part) == ["part"] and resolve_category("part", part) == part
    assert resolve_category("gear", tmp_path / "gear") == tmp_path / "gear"


@pytest.mark.parametrize("name", ["screw", "../part", "", "."])
def test_unknown_category_lists_those_there_are(part, name):
    with pytest.raises(InputError, match=r"the categories there are: part\."):
        resolve_category(name, part.parent)
    with pytest.raises(InputError, match=r"the categories there are: part\."):
        resolve_category(name, part)


def test_folder_of_unsorted_images_is_told_how_to_sort_them(tmp_path):
    save(tmp_path / "1.png", 0)
    with pytest.raises(InputError, match=r"sort them into train/good, test/good and test/<defect"):
        resolve_category("shoe", tmp_path)


def test_category_of_a_missing_dataset_folder(tmp_path):
    with pytest.raises(InputError, match="nowhere is not a folder"):
        resolve_category("part", tmp_path / "nowhere")


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
