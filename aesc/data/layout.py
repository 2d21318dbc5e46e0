"""Where the files of a category lie: the three folder layouts, and folders of categories."""

import os
from dataclasses import dataclass
from pathlib import Path

from aesc.data.images import is_image_file
from aesc.errors import InputError

GOOD = "good"
"""Name of the folder, and the defect type, of images without a defect."""

_LAYOUTS = (
    "give a folder that holds good images, or one with train/good, test/<defect type> and "
    "ground_truth/<defect type> inside"
)


@dataclass(frozen=True)
class SourceFile:
    """An image to read, its defect type, and the mask that belongs to it, if any."""

    image: Path
    defect_type: str = GOOD
    mask: Path | None = None


def category_names(data: str | Path) -> list[str]:
    """Return the sorted names of the categories in a dataset folder.

    A folder that is itself a category has one name, its own. Sub-folders with ``train/good`` make
    a dataset even when images lie beside them; otherwise images lying in the folder make it a
    category.

    Raises:
        InputError: ``data`` is not a folder that can be listed.
    """
    return sorted(_categories(data))


def resolve_category(name: str, data: str | Path) -> Path:
    """Return the folder of the category ``name``.

    Args:
        name: name of the category, equal to that of its folder.
        data: a dataset folder, which holds category folders, or the category folder itself.

    Raises:
        InputError: there is no such category in ``data``; the message lists those there are, or
            says how to sort the images that lie there.
    """
    known = _categories(data)
    if name not in known:
        root = absolute(data)
        if known == {root.name: root} and not _has_good_training(root):
            raise InputError(
                f"{data} holds images but no folders of a category: sort them into train/good, "
                "test/good and test/<defect type>."
            )
        names = ", ".join(sorted(known)) or "none"
        raise InputError(f"{data} has no category {name!r}; the categories there are: {names}.")
    return known[name]


def _categories(data: str | Path) -> dict[str, Path]:
    root = absolute(data)
    folders = [entry for entry in _entries(root) if entry.is_dir()]
    if _has_good_training(root):
        return {root.name: root}
    if _images(root) and not any(map(_has_good_training, folders)):
        return {root.name: root}
    return {
        folder.name: folder for folder in folders if _has_good_training(folder) or _images(folder)
    }


def absolute(folder: str | Path) -> Path:
    """Return the absolute path of a folder; unlike ``resolve()`` it keeps the name of a link."""
    return Path(os.path.abspath(Path(folder).expanduser()))


def _has_good_training(folder: Path) -> bool:
    return (folder / "train" / GOOD).is_dir()


def _entries(folder: Path) -> list[Path]:
    """Return what lies in a folder, sorted by name, without hidden files."""
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(
            f"{folder} is not a folder that can be listed ({error.strerror}); check the path."
        ) from error
    return [entry for entry in entries if not entry.name.startswith(".")]


def _images(folder: Path) -> list[Path]:
    return [entry for entry in _entries(folder) if is_image_file(entry) and entry.is_file()]


def find_files(root: Path) -> tuple[list[SourceFile], list[SourceFile], bool]:
    """Find what a category folder holds, sorted by path.

    Args:
        root: the category folder, in one of the layouts of `aesc.data.load_category`.

    Returns:
        The good images to train on, at least two; the test images; whether these have masks.

    Raises:
        InputError: the folder has none of the layouts, too few good images, or lacks a mask.
    """
    if not _has_good_training(root):
        _check_plain(root)
        return _good_images(root), [], False
    has_masks = (root / "ground_truth").is_dir()
    test = root / "test"
    types = [entry for entry in _entries(test) if entry.is_dir()] if test.is_dir() else []
    files = [file for folder in types for file in _test_files(root, folder, has_masks)]
    return _good_images(root / "train" / GOOD), files, has_masks


def _check_plain(root: Path) -> None:
    known = _categories(root)
    if known and root not in known.values():
        raise InputError(
            f"{root} is a folder of categories; give one of them: {', '.join(sorted(known))}."
        )


def _good_images(folder: Path) -> list[SourceFile]:
    images = _images(folder)
    if not images:
        raise InputError(f"{folder} holds no images; {_LAYOUTS}.")
    if len(images) == 1:
        raise InputError(
            f"{images[0]} is the only good image; add at least one, because training and "
            "validation need one each."
        )
    return [SourceFile(image) for image in images]


def _test_files(root: Path, folder: Path, has_masks: bool) -> list[SourceFile]:
    """Return the images of one defect type with their masks; good images need none."""
    defect_type, images = folder.name, _images(folder)
    if defect_type == GOOD or not has_masks:
        return [SourceFile(image, defect_type) for image in images]
    truth = root / "ground_truth" / defect_type
    masks = {mask.stem: mask for mask in (_images(truth) if truth.is_dir() else [])}
    for image in images:
        if f"{image.stem}_mask" not in masks:
            raise InputError(
                f"{image} has no mask; add {truth / image.stem}_mask.png (any image extension "
                "will do), or take ground_truth away to have image scores only."
            )
    return [SourceFile(image, defect_type, masks[f"{image.stem}_mask"]) for image in images]
