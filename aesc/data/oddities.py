"""Sentences on what is odd about the files of a category, whichever layout they have."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from aesc.data.images import is_image_file
from aesc.data.listing import GOOD, CategoryFiles, is_listed_folder, listed, shown
from aesc.errors import InputError

_GOOD_WORDS = {"good", "ok", "okay", "normal", "gut", "pass", "passed", "fine", "clean", "intact"}
_GOOD_NAMES = {"io", "nodefect", "nodefects", "defectfree", "anomalyfree", "nondefective"}

_CLUTTER = {"thumbs.db", "desktop.ini"}
"""Files that Windows leaves in every folder of pictures."""


def says_good(name: str) -> bool:
    """Whether the name of a folder reads as one of good images.

    Example:
        >>> [says_good(name) for name in ("OK", "good_line2", "defect-free", "not_ok", "hole")]
        [True, True, True, False, False]
    """
    words = re.findall("[a-z]+", name.casefold())
    return bool(words) and (words[0] in _GOOD_WORDS or "".join(words) in _GOOD_NAMES)


def check_names(names: Iterable[object]) -> None:
    """Refuse paths and other names that cannot be written to a record.

    Raises:
        InputError: a name that is not UTF-8, or has a control character; it is shown escaped.
    """
    for text in map(str, names):
        if shown(text) != text:
            is_utf8 = text.encode("utf-8", "ignore").decode() == text
            fault = "with a control character" if is_utf8 else "that is not UTF-8"
            raise InputError(f"{shown(text)} has a name {fault}: rename it.")


def passed_over(root: Path, files: CategoryFiles) -> tuple[str, ...]:
    """Sentences on good-like names and on everything in a category folder that is not read.

    Args:
        root: the category folder.
        files: what is read of it.
    """
    types = sorted({file.defect_type for file in files.test} - {GOOD})
    good = [name for name in types if says_good(name)]
    told = {*map(str, files.paths), *map(str, files.noted)}
    images: Counter[str] = Counter()
    others: Counter[str] = Counter()
    flat = any(file.image.parent == root for file in files.good)
    for folder, name in _walk(root):
        path = folder / name
        if str(path) in told or name.casefold() in _CLUTTER:
            continue
        if is_image_file(path):
            images[folder.relative_to(root).as_posix()] += 1
        elif flat or folder != root:  # the licence and the like lie in the category folder itself
            others[path.suffix.lower() or "without extension"] += 1
    notes = {
        "Counted as defective although the name says good": good,
        "Images in places where none are read": [
            f"{count} in {root.name if place == '.' else place}"
            for place, count in sorted(images.items())
        ],
        "Files of a kind that is not read": [
            f"{count} {extension}" for extension, count in sorted(others.items())
        ],
    }
    return tuple(f"{what}: {listed(found)}." for what, found in notes.items() if found)


def same_files(root: Path, files: CategoryFiles, digests: Mapping[Path, bytes]) -> tuple[str, ...]:
    """A sentence on test images that are also good images for training, byte for byte.

    Args:
        root: the category folder.
        files: what was read of it.
        digests: a hash of every image.
    """
    good: dict[bytes, Path] = {digests[file.image]: file.image for file in reversed(files.good)}
    pairs = [
        f"{file.image.relative_to(root).as_posix()} is "
        f"{good[digests[file.image]].relative_to(root).as_posix()}"
        for file in files.test
        if digests[file.image] in good
    ]
    what = "Test images that are also among the good images to train on"
    return (f"{what}: {listed(pairs)}.",) if pairs else ()


def page_notes(root: Path, frames: Mapping[Path, int]) -> tuple[str, ...]:
    """A sentence on the files of which only the first page or frame is read.

    Args:
        root: the category folder.
        frames: how many frames the file of every image has.

    Example:
        >>> page_notes(Path("nut"), {Path("nut/a.tif"): 1, Path("nut/b.tif"): 3})
        ('Of several pages, only the first is read: b.tif.',)
    """
    several = sorted(path.relative_to(root).as_posix() for path, n in frames.items() if n > 1)
    return (f"Of several pages, only the first is read: {listed(several)}.",) if several else ()


def faint_notes(root: Path, masks: Iterable[Path]) -> tuple[str, ...]:
    """A sentence on the masks of which much marks no defect because it is too dark.

    Args:
        root: the category folder.
        masks: those that `aesc.data.mask_images.DecodedMask.has_faint_areas` finds.

    Example:
        >>> faint_notes(Path("nut"), [Path("nut/ground_truth/dent/000_mask.png")])
        ('Flat areas darker than half of white mark no defect; save labels as white: \
ground_truth/dent/000_mask.png.',)
    """
    names = sorted({mask.relative_to(root).as_posix() for mask in masks})
    what = "Flat areas darker than half of white mark no defect; save labels as white"
    return (f"{what}: {listed(names)}.",) if names else ()


def _walk(root: Path) -> Iterator[tuple[Path, str]]:
    """Folder and name of every file, without hidden ones; links to folders are followed once."""
    waiting, seen = [root], {os.path.realpath(root)}
    while waiting:
        folder = waiting.pop()
        try:
            found = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue  # what cannot be listed was not asked for
        for entry in found:
            if entry.name.startswith("."):
                continue
            if not is_listed_folder(entry):
                yield folder, entry.name
            elif (real := os.path.realpath(entry.path)) not in seen:
                seen.add(real)
                waiting.append(Path(entry.path))
