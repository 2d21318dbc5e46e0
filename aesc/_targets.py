"""Where results shall go, checked before the work that makes them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from aesc.errors import InputError
from aesc.files import unwritable


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
    if os.path.isdir(path):
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
