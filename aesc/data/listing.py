"""Lists of files: what lies in a folder, and what a category consists of."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aesc.data.images import is_image_file
from aesc.errors import InputError
from aesc.paths import is_folder

GOOD = "good"
"""Name of the folder, and the defect type, of images without a defect."""

NAMED = 20
"""Files that a sentence names at most; the others are counted."""


@dataclass(frozen=True)
class SourceFile:
    """An image to read.

    Attributes:
        image: its path.
        defect_type: the defect type, or ``"good"``.
        masks: files that mark its defects together; usually one.
    """

    image: Path
    defect_type: str = GOOD
    masks: tuple[Path, ...] = ()


@dataclass(frozen=True)
class CategoryFiles:
    """The files of a category, each list sorted by path.

    Attributes:
        good: good images, for training and validation.
        test: test images, good and defective.
        has_masks: whether there are masks at all.
        notes: sentences on files that are not read.
        noted: the files that these sentences are about.
    """

    good: tuple[SourceFile, ...]
    test: tuple[SourceFile, ...] = ()
    has_masks: bool = False
    notes: tuple[str, ...] = ()
    noted: frozenset[Path] = frozenset()

    @property
    def paths(self) -> list[Path]:
        """Every file that is read, once: good images, test images, masks."""
        files = [*self.good, *self.test]
        masks = (mask for file in files for mask in file.masks)
        return list(dict.fromkeys([*(file.image for file in files), *masks]))


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, sorted by name, without hidden files.

    Raises:
        InputError: the folder cannot be listed.
    """
    try:
        found = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(
            f"{folder} is not a folder that can be listed ({error.strerror}): check the path."
        ) from error
    return [entry for entry in found if not entry.name.startswith(".")]


def folders(folder: Path) -> list[Path]:
    """The sub-folders of a folder, sorted by name; none if there is no such folder."""
    return [entry for entry in entries(folder) if is_folder(entry)] if is_folder(folder) else []


def images_in(folder: Path) -> list[Path]:
    """The image files in a folder, sorted by name. A link that leads nowhere is one of them.

    Raises:
        InputError: the folder cannot be listed.
    """
    return [entry for entry in entries(folder) if is_image_file(entry) and _is_file(entry)]


def is_listed_folder(entry: os.DirEntry[str], follow_symlinks: bool = True) -> bool:
    """As `aesc.paths.is_folder`, of what a listing may have told already.

    Args:
        entry: what the listing has told.
        follow_symlinks: count a link to a folder as one.
    """
    try:
        return entry.is_dir(follow_symlinks=follow_symlinks)
    except OSError:  # where a listing does not tell, the system asks for permission
        return False


def shown(name: object) -> str:
    r"""A name with control characters, and bytes that are no UTF-8, escaped for messages and notes.

    Example:
        >>> print(shown(os.fsdecode(b"\xe9.png")), shown("a\tb"), shown("\u30cd\u30b8"))
        \xe9.png a\tb ネジ
    """
    text = os.fsencode(str(name)).decode("utf-8", "backslashreplace")
    return "".join(repr(c)[1:-1] if unicodedata.category(c) == "Cc" else c for c in text)


def listed(names: Iterable[object]) -> str:
    """Names, as `shown`, with commas between them, `NAMED` at most, and the number of the others.

    Example:
        >>> listed(["a.png", "b.png"])
        'a.png, b.png'
        >>> listed(range(23))[-20:]
        '17, 18, 19, 3 others'
    """
    every = [shown(name) for name in names]
    rest = len(every) - NAMED
    others = [] if rest <= 0 else [f"{rest} {'other' if rest == 1 else 'others'}"]
    return ", ".join([*every[:NAMED], *others])


def _is_file(path: Path) -> bool:
    """Whether it is a file, or cannot be looked at: reading it will say why."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True
