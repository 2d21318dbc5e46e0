"""Layouts of category folders: which are understood, and what is said of those that nearly are."""

import os
import shutil
from pathlib import Path

import pytest
from folder_fakes import save, write_part

from aesc.data import (
    CategoryFiles,
    SourceFile,
    category_files,
    category_name,
    category_names,
    check_scorable,
    layout,
    load_category,
    resolve_category,
)
from aesc.errors import InputError


@pytest.fixture
def part(tmp_path) -> Path:
    return write_part(tmp_path / "part")


def test_folders_without_enough_good_images(part, tmp_path):
    with pytest.raises(InputError, match="nowhere is not a folder"):
        load_category(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds no images: give a folder that"):
        load_category(tmp_path / "empty")
    (tmp_path / "empty/1.HEIC").write_text("not readable")
    with pytest.raises(InputError, match=r"empty holds no images: convert its files \(1 \.heic\)"):
        load_category(tmp_path / "empty")
    save(tmp_path / "lone/only.png", 0)
    with pytest.raises(InputError, match=r"only\.png is the only good image"):
        load_category(tmp_path / "lone")
    with pytest.raises(InputError, match="is a folder of categories: give one of them, lone, part"):
        load_category(tmp_path)
    (part / "train/good/a").mkdir()
    for image in (part / "train/good").glob("0*.png"):
        image.rename(part / "train/good/a" / image.name)
    with pytest.raises(InputError, match=r"no good images in train/good: move those of .*/a in"):
        load_category(part)


def test_categories_of_a_dataset_folder_and_of_a_category_folder(part, tmp_path):
    save(tmp_path / "gear/1.png", 0)
    save(tmp_path / "overview.png", 0)  # images beside the categories change nothing
    (tmp_path / "papers").mkdir()
    assert category_names(tmp_path) == ["gear", "part"]
    assert resolve_category("gear", tmp_path) == tmp_path / "gear"
    assert resolve_category("gear/", tmp_path) == tmp_path / "gear"
    assert category_names(part) == ["part"] and resolve_category("part", part) == part
    assert resolve_category("gear", tmp_path / "gear") == tmp_path / "gear"


def test_images_beside_plain_categories_do_not_hide_them(tmp_path):
    save(tmp_path / "shoe/1.png", 0)
    save(tmp_path / "overview.png", 0)
    assert resolve_category("shoe", tmp_path) == tmp_path / "shoe"
    assert category_names(tmp_path) == [tmp_path.name]


@pytest.mark.parametrize("name", ["screw", "", "."])
def test_unknown_category_lists_those_there_are(part, name):
    for data in (part.parent, part):
        with pytest.raises(InputError, match=r"the categories there are: part\."):
            resolve_category(name, data)


def test_a_typing_error_gets_the_name_that_is_meant(part, tmp_path):
    save(tmp_path / "photos/1.png", 0)
    for data, name, meant in ((tmp_path, "prt", "part"), (tmp_path / "photos", "photo", "photos")):
        with pytest.raises(InputError, match=rf"no category '{name}': did you mean {meant}\?$"):
            resolve_category(name, data)


def test_a_path_in_place_of_a_name_gets_the_two_options(part):
    for name in ("base/shoe", "base/shoe/"):
        with pytest.raises(InputError, match=r"^category is 'base/shoe/?': .* --data base shoe\.$"):
            category_name(name)
    with pytest.raises(InputError, match=r"--data \.\. part\.$"):
        resolve_category("../part", part)


def test_folder_of_unsorted_images_is_told_how_to_sort_them(tmp_path):
    save(tmp_path / "1.png", 0)
    save(tmp_path / "2.png", 0)
    with pytest.raises(InputError, match=r"sort them into train/good, test/good and test/<defect"):
        resolve_category("shoe", tmp_path)
    with pytest.raises(InputError, match=r"no good test images, .*: sort them into train/good"):
        check_scorable(tmp_path)


def test_category_of_a_missing_dataset_folder(tmp_path):
    with pytest.raises(InputError, match="nowhere is not a folder"):
        resolve_category("part", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("here", "there", "advice"),
    [
        ("train/good", "train/ok", "rename train/ok to train/good"),
        ("train/good", "train/Good", "rename train/Good to train/good"),
        ("train/good", "train/a", "rename train/a to train/good"),
        ("train", "Train", "rename Train to train"),
        ("train/good", "train_", "move the images of train into train/good"),
    ],
)
def test_a_nearly_right_layout_is_told_what_to_rename(part, here, there, advice):
    (part / here).rename(part / there)
    if there == "train_":
        (part / "train").rmdir()
        (part / there).rename(part / "train")
    for ask in (
        lambda: load_category(part),
        lambda: category_names(part),
        lambda: category_names(part.parent),
        lambda: resolve_category("part", part),
        lambda: resolve_category("part", part.parent),
    ):
        with pytest.raises(InputError, match=rf"part has no train/good: {advice}\.$"):
            ask()


def test_of_several_folders_in_train_the_good_one_is_named(part):
    (part / "train/good").rename(part / "train/normal")
    save(part / "train/broken/0.png", 0)
    with pytest.raises(InputError, match="rename train/normal to train/good"):
        load_category(part)
    (part / "train/normal").rename(part / "train/a")
    with pytest.raises(InputError, match="rename the one of train/a, train/broken that holds"):
        load_category(part)


def test_a_category_without_good_or_defective_test_images_cannot_be_scored(part):
    check_scorable(part)
    (part / "test/good").rename(part / "test/OK")
    with pytest.raises(InputError, match=r"has no good test images.*: rename test/OK to test/good"):
        check_scorable(part)
    (part / "test/OK").rename(part / "test/good")
    shutil.rmtree(part / "test/crack")
    shutil.rmtree(part / "test/stain")
    with pytest.raises(InputError, match=r"has no defective test images.*test/<defect type>"):
        check_scorable(part)


def test_files_of_a_category_are_all_that_is_read(part):
    read = {path.relative_to(part).as_posix() for path in category_files(part)}
    assert len(read) == len(category_files(part)) == 10 + 5 + 3
    assert {"train/good/000.png", "test/stain/000.jpg", "ground_truth/crack/001_mask.png"} < read


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX systems alone")
@pytest.mark.parametrize("place", ["train/good", "test/crack", "test/{}", "."])
def test_a_name_that_is_not_utf8_is_refused_before_anything_is_read(part, place):
    name = os.fsdecode(b"\xe9-1")
    folder = part / place.format(name)
    try:
        save(folder / f"{name}.png", 0)
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    if place == ".":
        part = part.rename(part.parent / name)
    with pytest.raises(InputError, match=r"\\xe9-1.* has a name that is not UTF-8: rename it\.$"):
        check_scorable(part)


@pytest.mark.skipif(os.name != "posix", reason="Windows allows no such names")
@pytest.mark.parametrize("control", ["\t", "\n", "\x1b", "\x7f", "\x85"])
@pytest.mark.parametrize(
    "place", ["train/good/{}.png", "test/{}/0.png", "ground_truth/crack/001_mask{}.png", "."]
)
def test_a_control_character_in_a_name_is_refused_before_anything_is_read(part, control, place):
    name = f"a{control}b"
    if place == ".":
        part = part.rename(part.parent / name)
    elif "mask" in place:
        name = control
        save(part / f"test/crack/001_mask{control}.png", 0)
        save(part / place.format(name), 255)
    else:
        save(part / place.format(name), 0)
    with pytest.raises(InputError) as caught:
        check_scorable(part)
    assert str(caught.value).endswith("has a name with a control character: rename it.")
    assert str(caught.value).isprintable() and repr(name)[1:-1] in str(caught.value)


def test_a_link_that_leads_to_itself_is_passed_over(part):
    """In the place of a folder; as an image it is named, as a link that leads nowhere is."""
    for place in ("loop", "test/loop", "train/good/loop", "ground_truth/crack/loop"):
        (part / place).symlink_to("loop")
    category = load_category(part, size=4)
    assert len(category.test) == 5 and category.defect_types.count("crack") == 2
    assert category.notes[1:] == ("Files of a kind that is not read: 3 without extension.",)
    (part / "test/crack/002.png").symlink_to("002.png")
    with pytest.raises(InputError, match=r"002\.png cannot be read \(Too many levels of symbolic"):
        load_category(part, size=4)


def test_what_nobody_may_look_at_does_not_end_the_listing(part, monkeypatch):
    """Tests may run as root, who may look everywhere, so the system's answer is made up."""

    def stat(path, *arguments, **options):
        if "secret" in os.fspath(path):
            raise PermissionError(13, "Permission denied")
        return own(path, *arguments, **options)

    own = os.stat
    (part / "test/secret").mkdir()
    (part / "test/crack/secret.png").write_bytes(b"")
    monkeypatch.setattr(os, "stat", stat)
    assert len(category_files(part)) == 10 + 5 + 3 + 1  # reading will say why it cannot be read


def test_names_in_any_script_are_read(part):
    (part / "test/crack").rename(part / "test/ひび")
    (part / "ground_truth/crack").rename(part / "ground_truth/ひび")
    category = load_category(part.rename(part.parent / "ネジ"), size=4)
    assert category.name == "ネジ" and "ひび" in category.defect_types
    assert category.masks.flatten(1).any(1).sum() == 2


def test_a_layout_of_ones_own_is_an_object_and_an_entry(tmp_path, monkeypatch):
    """The recipe of the contributing page."""

    class OkAndNg:
        def matches(self, root):
            return (root / "OK").is_dir() and (root / "NG").is_dir()

        def files(self, root):
            good = [SourceFile(path) for path in sorted((root / "OK").glob("*.png"))]
            bad = [SourceFile(path, "NG") for path in sorted((root / "NG").glob("*.png"))]
            return CategoryFiles(tuple(good[2:]), (*bad, *good[:2]))

    for index in range(6):
        save(tmp_path / "data/gear/OK" / f"{index}.png", index)
        save(tmp_path / "data/gear/NG" / f"{index}.png", 200 + index)
    monkeypatch.setattr(layout, "LAYOUTS", (OkAndNg(), *layout.LAYOUTS))
    assert category_names(tmp_path / "data") == ["gear"]
    category = load_category(resolve_category("gear", tmp_path / "data"), size=4)
    assert len(category.train) + len(category.validation) == 4
    assert category.defect_types == ("NG",) * 6 + ("good",) * 2
    assert category.notes == ("gear has no masks in ground_truth, so it has image scores only.",)
