"""Category folders and folders of categories: what there is, and what stands in the way."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from aesc._checks import quoted
from aesc.data.layout import PLAIN, layout_of, rank_of
from aesc.data.listing import (
    GOOD,
    CategoryFiles,
    entries,
    folders,
    images_in,
    listed,
    shown,
)
from aesc.data.oddities import check_names, passed_over, says_good
from aesc.errors import InputError
from aesc.paths import is_folder, own_path

_SORT = "sort them into train/good, test/good and test/<defect type>"


def category_names(data: str | Path) -> list[str]:
    """Return the sorted names of the categories in a dataset folder.

    A folder that is itself a category has one name, its own. Sub-folders with ``train/good`` make
    a dataset even when images lie beside them; otherwise images lying in the folder make it a
    category.

    Args:
        data: the dataset folder, or a category folder.

    Returns:
        The names of the category folders.

    Raises:
        InputError: ``data`` is not a folder that can be listed, or a category in it has nearly one
            of the layouts; the message says what to rename.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as data:
        ...     for name in ("nut", "bolt"):
        ...         (Path(data) / name / "train" / "good").mkdir(parents=True)
        ...         Image.new("L", (8, 8)).save(Path(data) / name / "train" / "good" / "0.png")
        ...     category_names(data)
        ['bolt', 'nut']
    """
    root = absolute(data)
    remedies = [nearly(folder) for folder in [root, *folders(root)]]
    for remedy in filter(None, remedies):
        raise InputError(remedy)
    return sorted(_categories(root))


def resolve_category(name: str, data: str | Path) -> Path:
    """Return the folder of the category ``name``.

    Args:
        name: name of the category, equal to that of its folder; a slash at its end is ignored.
        data: a dataset folder, which holds category folders, or the category folder itself.

    Returns:
        The absolute path of the category folder.

    Raises:
        InputError: there is no such category in ``data``; the message lists those there are, or
            says what to rename, or how to sort the images that lie there.
    """
    root, name = absolute(data), category_name(name)
    known = _categories(root)
    inside = {folder.name: folder for folder in folders(root)}
    near = nearly(root) or (nearly(inside[name]) if name in inside else None)
    if near is not None:
        raise InputError(near)
    if name in known:
        return known[name]
    if name in inside and layout_of(inside[name]) is not None:
        return inside[name]  # images that lie beside it make the folder around it one as well
    close = get_close_matches(name, {**known, **inside}, 1)
    if close:
        advice = f"did you mean {shown(close[0])}?"
    elif root in known.values() and layout_of(root) is PLAIN:
        advice = f"it holds images but no folders of a category, so {_SORT}."
    else:
        names = ", ".join(shown(known_name) for known_name in sorted(known)) or "none"
        advice = f"the categories there are: {names}."
    raise InputError(f"{data} has no category {quoted(name)}: {advice}")


def category_name(name: str) -> str:
    """Return the name of a category without a slash at its end.

    Raises:
        InputError: a path; the message says how to give it.

    Example:
        >>> category_name("shoe/")
        'shoe'
    """
    path = Path(name)
    if len(path.parts) > 1:
        raise InputError(
            f"category is {quoted(name)}: give the folder around it as data and its name as "
            f"category, on the command line --data {path.parent} {path.name}."
        )
    return path.name or name


def list_category(folder: str | Path) -> CategoryFiles:
    """Find the files of a category and what is odd about them; open none.

    Args:
        folder: the category folder, in one of the layouts of `aesc.data.load_category`.

    Returns:
        The files that are read, and sentences on those that are not.

    Raises:
        InputError: the folder has none of the layouts, fewer than two good images, or a name that
            is not UTF-8 or has a control character.
    """
    root = absolute(folder)
    files = _files(root)
    return replace(files, notes=(*files.notes, *passed_over(root, files)))


def category_files(folder: str | Path) -> list[Path]:
    """Every file that is read of a category: good images, test images and masks, each once.

    Args:
        folder: the category folder, in one of the layouts of `aesc.data.load_category`.

    Returns:
        Absolute paths.

    Raises:
        InputError: the folder has none of the layouts, fewer than two good images, or a name that
            is not UTF-8 or has a control character.
    """
    return _files(absolute(folder)).paths


def check_scorable(folder: str | Path) -> None:
    """Refuse a category that a method cannot be scored on, before any image is read.

    Args:
        folder: the category folder.

    Raises:
        InputError: there are no good or no defective test images, or `category_files` fails.
    """
    root = absolute(folder)
    files = _files(root)
    types = {file.defect_type for file in files.test}
    if GOOD not in types:
        seeming = next((name for name in sorted(types) if says_good(name)), None)
        advice = f"rename test/{seeming} to test/good" if seeming else "put some in test/good"
        if not types:
            advice = _SORT
        raise InputError(f"{root} has no good test images, so nothing can be scored: {advice}.")
    if types == {GOOD}:
        raise InputError(
            f"{root} has no defective test images, so nothing can be scored: put some in "
            "test/<defect type>."
        )


def absolute(folder: str | Path) -> Path:
    """Return the absolute path of a folder; unlike ``resolve()`` it keeps the name of a link."""
    return Path(os.path.abspath(own_path(folder)))


def nearly(root: Path) -> str | None:
    """What to rename, as a sentence, in a folder that nearly has the layout of MVTec AD.

    None for a folder with a layout of sub-folders, and for one that is far from it.
    """
    if layout_of(root) not in (None, PLAIN):
        return None
    train = next((f for f in folders(root) if f.name.casefold() == "train"), None)
    if train is None:
        return None
    if train.name != "train" and is_folder(train / GOOD):
        return f"{root} has no train/good: rename {train.name} to train."
    inside = [folder for folder in folders(train) if images_in(folder)]
    likely = [folder for folder in inside if says_good(folder.name)] or inside
    if len(likely) == 1:
        return f"{root} has no train/good: rename train/{likely[0].name} to train/good."
    if inside:
        names = ", ".join(f"train/{folder.name}" for folder in inside)
        return f"{root} has no train/good: rename the one of {names} that holds the good images."
    if images_in(train):
        return f"{root} has no train/good: move the images of train into train/good."
    return None


def _categories(root: Path) -> dict[str, Path]:
    """The folder itself or those in it, whichever has the layout that comes first in `LAYOUTS`."""
    own, inside = rank_of(root), {folder: rank_of(folder) for folder in folders(root)}
    ranks = {folder: rank for folder, rank in inside.items() if rank is not None}
    if own is not None and own <= min(ranks.values(), default=own):
        return {root.name: root}
    return {folder.name: folder for folder in ranks}


def _files(root: Path) -> CategoryFiles:
    """The files of a folder, at least two of them good images, with names that can be written."""
    check_names([root])
    near, layout = nearly(root), layout_of(root)
    if near is not None:
        raise InputError(near)
    known = _categories(root)
    if known and root not in known.values():
        names = ", ".join(shown(name) for name in sorted(known))
        raise InputError(f"{root} is a folder of categories: give one of them, {names}.")
    if layout is None:
        advice = _convert(root) or (
            "give a folder that holds good images, or one with train/good, test/<defect type> and "
            "ground_truth/<defect type> inside"
        )
        raise InputError(f"{root} holds no images: {advice}.")
    files = layout.files(root)
    check_names([*files.paths, *(file.defect_type for file in files.test)])
    if not files.good:
        raise InputError(f"{root} has no good images in train/good: {_good_advice(root)}.")
    if len(files.good) == 1:
        raise InputError(
            f"{files.good[0].image} is the only good image: add at least one, because training "
            "and validation need one each."
        )
    return files


def _good_advice(root: Path) -> str:
    good = root / "train" / GOOD
    deeper = [folder for folder in folders(good) if images_in(folder)]
    if deeper:
        return f"move those of {shown(deeper[0])} into {good}"
    return _convert(good) or f"put some into {good}"


def _convert(folder: Path) -> str | None:
    """Advice on files of kinds that cannot be read, if there are any."""
    kinds = Counter(f.suffix.lower() for f in entries(folder) if f.suffix and not is_folder(f))
    found = listed(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"convert its files ({found}) to PNG" if kinds else None
