"""Which data a folder holds: a quick fingerprint of its files, and one of their content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from aesc.data.folders import absolute, category_files
from aesc.errors import InputError


def quick_fingerprint(folder: str | Path) -> str:
    """SHA-256 (64 hex digits) over relative path, size and time of every file of a category.

    No file is opened, so it is there at once, however large the images. It tells replaced, added
    and deleted images. A copy of the folder, whose files have other times, has another one: where
    that matters, ask `content_fingerprint`.

    Args:
        folder: a category folder, as for `aesc.data.load_category`.

    Raises:
        InputError: a folder of another layout, or a file that cannot be read.
    """
    whole = hashlib.sha256()
    for name, path in _files(folder):
        try:
            state = path.stat()
        except OSError as error:
            raise _unreadable(path, error) from error
        whole.update(os.fsencode(name) + b"\0%d %d\0" % (state.st_size, state.st_mtime_ns))
    return whole.hexdigest()


def content_fingerprint(folder: str | Path) -> str:
    """The ``Category.fingerprint`` of a category, without decoding its images.

    Args:
        folder: a category folder, as for `aesc.data.load_category`.

    Raises:
        InputError: a folder of another layout, or a file that cannot be read.
    """
    digests = {}
    for _, path in _files(folder):
        try:
            digests[path] = hashlib.sha256(path.read_bytes()).digest()
        except OSError as error:
            raise _unreadable(path, error) from error
    return fingerprint_of(digests, absolute(folder))


def fingerprint_of(digests: dict[Path, bytes], root: Path) -> str:
    """The fingerprint (see `aesc.data.Category`) of files below ``root``, from their SHA-256."""
    by_name = {path.relative_to(root).as_posix(): digest for path, digest in digests.items()}
    whole = hashlib.sha256()
    for name in sorted(by_name):
        whole.update(os.fsencode(name) + b"\0" + by_name[name])  # fixed length, so unambiguous
    return whole.hexdigest()


def _files(folder: str | Path) -> list[tuple[str, Path]]:
    """Every file that is read of a category, masks included, by its path relative to the folder."""
    root = absolute(folder)
    return sorted((path.relative_to(root).as_posix(), path) for path in category_files(root))


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"Cannot read {path} ({error.strerror or error}): check its permissions.")
