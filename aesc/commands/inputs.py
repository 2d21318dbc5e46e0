"""What arguments stand for: images in folders or on stdin, names in a file, a region."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aesc.errors import InputError
from aesc.paths import is_folder, own_path

if TYPE_CHECKING:
    from aesc.detector import RegionOfInterest


def images(names: Sequence[str], recursive: bool = False, out: Path | None = None) -> list[Path]:
    """The files that are named, those in folders that are named, and those named on stdin.

    A file or folder that cannot be read is among them, a broken link too: it becomes a row with its
    error. What is no file, such as a pipe, is left out of folders: reading it might never end.

    Args:
        names: files and folders, or ``-`` alone for stdin.
        recursive: look into the folders inside as well, but for hidden ones.
        out: folder of the results; the pictures in it are no images to score.

    Raises:
        InputError: no image is named, a folder without one, or ``-`` among other names.
    """
    if "-" in names and names != ["-"]:
        raise InputError(
            "- stands for all the names, which come on stdin: give it alone, or write ./- for a "
            "file of that name."
        )
    found: list[Path] = []
    for name in filter(None, _on_stdin() if names == ["-"] else names):
        path = own_path(name)
        if not is_folder(path):
            found.append(path)
        elif inside := _inside(path, recursive, out):
            found += inside
        else:
            raise InputError(
                f"{name} holds no image: give a folder of images, or --recursive for those in its "
                "folders."
            )
    if not found:
        raise InputError("No image was named: give files or folders, or names on stdin after -.")
    return found


def names_in(path: Path | None) -> list[str]:
    """Names in a text file, one a line.

    Raises:
        InputError: the file cannot be read, or is no text in UTF-8.
    """
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()  # Windows marks its UTF-8
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: give a text file with a name a line.") from error
    return [line.strip() for line in lines if line.strip()]


def region(text: str, size: tuple[int, int]) -> RegionOfInterest:
    """A rectangle from four numbers, or what is not black in a mask file.

    Args:
        text: ``x,y,width,height``, or the file.
        size: width and height of the images.

    Raises:
        InputError: numbers that are none, a rectangle that does not fit, or no readable mask.
    """
    from aesc.detector import RegionOfInterest

    number = r"\s*([+-]?\d{1,9})\s*"
    if found := re.fullmatch(",".join([number] * 4), text):
        x, y, width, height = map(int, found.groups())
        return RegionOfInterest.rectangle((x, y, width, height), size)
    path = own_path(text)
    if text.count(",") == 3 and not os.path.lexists(path):
        raise InputError(
            f"--roi is {text!r}: give x,y,width,height in whole numbers, or a mask file."
        )
    return RegionOfInterest.of_mask(path)


def _on_stdin() -> list[str]:
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # names need not be UTF-8
    # A list of Windows ends its lines with \r\n; names that end in \r themselves are rarer.
    listed = [line.removesuffix("\n").removesuffix("\r") for line in sys.stdin]
    if any("\0" in line for line in listed):
        raise InputError(
            "The names on stdin end with null characters: give one name a line, as find -print "
            "does, and not -print0."
        )
    return listed


def _inside(folder: Path, recursive: bool, out: Path | None) -> list[Path]:
    """The images in a folder, and what in it cannot be looked at, in the order of their names."""
    from aesc.watch.settling import look

    without = None if out is None else Path(os.path.realpath(out))
    if without is not None and Path(os.path.realpath(folder)).is_relative_to(without):
        without /= "heatmaps"
    seen = look(folder, recursive, without)
    names = (*seen.files, *seen.passed, *seen.broken)
    return sorted([*(folder / name for name in names), *map(Path, seen.unlisted)])
