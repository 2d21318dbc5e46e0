"""What is odd about the files of a category is said, and nothing else is."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from folder_fakes import save, write_part
from PIL import Image

from aesc.data import ReadOptions, cache, load_category


@pytest.fixture
def part(tmp_path) -> Path:
    """A category that there is nothing to say of."""
    root = write_part(tmp_path / "part")
    save(root / "ground_truth/stain/000_mask.tif", 255)
    assert load_category(root, size=8).notes == ()
    return root


def notes(root: Path) -> list[str]:
    return list(load_category(root, size=8).notes)


def test_images_in_places_where_none_are_read_are_counted(part):
    for place in ("train/good/cam1", "test/scratch/a", "test/scratch/b", "validation/good", "."):
        for index in range(2):
            save(part / place / f"{index}.png", index)
    save(part / "train/bad/0.png", 0)
    assert notes(part) == [
        "Images in places where none are read: 2 in part, 2 in test/scratch/a, 2 in "
        "test/scratch/b, 1 in train/bad, 2 in train/good/cam1, 2 in validation/good."
    ]
    plain = part / "train/good"
    assert notes(plain) == ["Images in places where none are read: 2 in cam1."]


def test_files_that_cannot_be_read_are_counted_by_kind(part):
    for index in range(3):
        (part / "train/good" / f"{index}.HEIC").write_bytes(b"")
    (part / "test/crack/film.mp4").write_bytes(b"")
    (part / "test/crack/README").write_bytes(b"")
    expected = ["Files of a kind that is not read: 3 .heic, 1 .mp4, 1 without extension."]
    assert notes(part) == expected
    assert notes(part / "train/good") == ["Files of a kind that is not read: 3 .heic."]


@pytest.mark.parametrize("name", ["ok", "good_line2", "Normal", "defect-free", "i.O."])
def test_a_defect_type_whose_name_says_good_is_named(part, name):
    save(part / f"test/{name}/0.png", 0)
    said = notes(part)
    assert f"Counted as defective although the name says good: {name}." in said
    assert f"Left out of the pixel scores because they have no mask: test/{name}/0.png." in said


def test_files_that_are_in_training_and_test_are_named(part):
    shutil.copy(part / "train/good/003.png", part / "test/good/007.png")
    shutil.copy(part / "train/good/004.png", part / "test/stain/000.png")
    assert notes(part)[-1] == (
        "Test images that are also among the good images to train on: test/good/007.png is "
        "train/good/003.png, test/stain/000.png is train/good/004.png."
    )


def test_the_cache_keeps_what_was_said(part, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "SETTLED", -60.0)
    shutil.copy(part / "train/good/003.png", part / "test/good/007.png")
    options = ReadOptions(cache=tmp_path / "cache")
    first, second = (load_category(part, size=8, options=options) for _ in range(2))
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert first.notes == second.notes == tuple(notes(part)) != ()


def test_masks_that_are_not_read_are_named_with_the_reason(part):
    truth = part / "ground_truth"
    save(truth / "crack/000_mask.tif", 255)
    save(truth / "crack/999_mask.png", 255)
    save(truth / "dent/000_mask.png", 255)
    save(truth / "good/000_mask.png", 255)
    save(truth / "loose.png", 255)
    save(part / "test/stain/000.png", 95)
    assert notes(part) == [
        "Second masks of an image, which are not read: ground_truth/crack/000_mask.tif.",
        "Masks that belong to no test image, which are not read: ground_truth/crack/999_mask.png, "
        "ground_truth/dent/000_mask.png, ground_truth/loose.png.",
        "Masks of good images, which are not read: ground_truth/good/000_mask.png.",
        "Images of one name, which share a mask: test/stain/000.jpg, test/stain/000.png.",
    ]


@pytest.mark.parametrize("name", ["000.png", "000_MASK.PNG", "000_Mask.bmp", "000.TIF"])
def test_a_mask_may_have_the_name_of_its_image_and_another_case(part, name):
    expected = load_category(part, size=8).masks
    mask = part / "ground_truth/crack/000_mask.png"
    Image.open(mask).save(mask.with_name(f"new{Path(name).suffix.lower()}"))
    mask.unlink()
    mask.with_name(f"new{Path(name).suffix.lower()}").rename(mask.with_name(name))
    category = load_category(part, size=8)
    assert torch.equal(category.masks, expected) and category.notes == ()


def test_a_mask_of_the_same_case_goes_before_another_and_belongs_to_one_image(part):
    if (part / "TEST").exists():
        pytest.skip("this file system tells no case")
    for name in ("a", "A"):
        save(part / f"test/crack/{name}.png", 0)
        save(part / f"ground_truth/crack/{name}_mask.png", 255 if name == "a" else 0)
    category = load_category(part, size=4)
    marked = dict(zip(category.test_paths, category.masks.flatten(1).any(1).tolist(), strict=True))
    assert marked["test/crack/a.png"] and not marked["test/crack/A.png"]


def test_a_folder_of_masks_for_each_image_counts_together(part):
    """The layout of MVTec LOCO AD."""
    (part / "ground_truth/crack/000_mask.png").unlink()
    for index, columns in enumerate((slice(0, 1), slice(4, 5))):
        pixels = np.zeros((9, 5), np.uint8)
        pixels[:, columns] = 255
        (part / "ground_truth/crack/000").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(part / f"ground_truth/crack/000/{index:03}.png")
    category = load_category(part, size=5)
    assert category.notes == () and category.test_paths[0] == "test/crack/000.bmp"
    assert category.masks[0, 0].int().tolist() == [[1, 0, 0, 0, 1]] * 5


def test_an_image_without_mask_keeps_its_image_score_and_is_named(part):
    (part / "ground_truth/crack/001_mask.png").unlink()
    category = load_category(part, size=8)
    assert category.labels.tolist() == [1, 1, 0, 0, 1]
    assert category.pixel_scored.tolist() == [True, False, True, True, True]
    assert category.notes == (
        "Left out of the pixel scores because they have no mask: test/crack/001.bmp.",
    )


def test_masks_of_which_none_fits_leave_image_scores(part):
    for mask in list((part / "ground_truth").rglob("*_mask.*")):
        mask.rename(mask.with_name(f"of_{mask.name}"))
    category = load_category(part, size=8)
    assert category.masks is None and len(category.notes) == 2
    assert category.notes[0] == "part has no masks in ground_truth, so it has image scores only."
    assert "belong to no test image" in category.notes[1]


@pytest.mark.skipif(os.name != "posix", reason="Windows allows no such names")
def test_names_that_cannot_be_printed_are_escaped(part):
    """Files that are not read do not stop a run, but their names go into its record."""
    try:
        save(part / "ground_truth/crack" / os.fsdecode(b"\xe9\t.png"), 0)
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    save(part / "validation/a\nb/0.png", 0)
    (part / "test/crack/film.m\tp4").write_bytes(b"")
    assert notes(part) == [
        "Masks that belong to no test image, which are not read: ground_truth/crack/\\xe9\\t.png.",
        "Images in places where none are read: 1 in validation/a\\nb.",
        "Files of a kind that is not read: 1 .m\\tp4.",
    ]


def test_many_files_are_counted_after_twenty(part):
    for index in range(30):
        save(part / f"ground_truth/crack/x{index:02}.png", 0)
    assert "x19.png, 10 others." in notes(part)[0] and len(notes(part)) == 1


def test_inverted_masks_and_further_pages_are_said(stripes, tmp_path):
    folder = tmp_path / "stripes"
    shutil.copytree(stripes, folder)
    Image.new("L", (64, 64), 255).save(folder / "ground_truth" / "dark" / "000_mask.png")
    pages = [Image.new("L", (64, 64), grey) for grey in (100, 150, 200)]
    (folder / "train" / "good" / "000.png").unlink()
    pages[0].save(folder / "train" / "good" / "000.tif", save_all=True, append_images=pages[1:])
    category = load_category(folder, size=64)
    notes = " ".join(category.notes)
    assert "nearly the whole image; are they inverted? test/dark/000.png." in notes
    assert "Of several pages, only the first is read: train/good/000.tif." in notes
