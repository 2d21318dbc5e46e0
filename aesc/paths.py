"""Paths as somebody gives them, checked before the work that is done with them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from aesc.errors import InputError
from aesc.files import unwritable


def own_path(text: str | Path) -> Path:
    """A path as somebody types it, with ``~`` for a home folder unless a file is called that.

    Raises:
        InputError: there is no such home folder, or the path holds a null character.

    Example:
        >>> own_path("~/parts") == Path.home() / "parts"
        True
    """
    if "\0" in str(text):
        raise InputError(f"{text!r} holds a null character: give one path without it.")
    path = Path(text)
    try:
        return path if os.path.lexists(path) else path.expanduser()
    except RuntimeError as error:
        raise InputError(
            f"{path} begins with a home folder that is not there: give the whole path."
        ) from error


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; no also where nobody may look, or a link leads to itself."""
    return os.path.isdir(path)


def check_file(path: Path) -> None:
    """Refuse a path that no file can have. Whether its folder can be written to is not asked.

    Raises:
        InputError: a folder, or a name that the operating system refuses.

    Example:
        >>> check_file(Path("."))
        Traceback (most recent call last):
            ...
        aesc.errors.InputError: . is a folder: give the name of a file.
    """
    if is_folder(path):
        raise InputError(f"{path} is a folder: give the name of a file.")
    _check_name(path)


def check_new_folder(path: Path) -> None:
    """Refuse a path that no new folder can have.

    Raises:
        InputError: a path without a name of its own, or one that the operating system refuses.

    Example:
        >>> check_new_folder(Path("."))
        Traceback (most recent call last):
            ...
        aesc.errors.InputError: . has no name of its own: give the name of a new folder.
    """
    if path.name in ("", ".."):
        raise InputError(f"{path} has no name of its own: give the name of a new folder.")
    _check_name(path)


def _check_name(path: Path) -> None:
    try:
        with suppress(FileNotFoundError):
            path.lstat()
    except OSError as error:  # one that is too long, or lies in a file
        raise unwritable(path, error) from error
