"""Where files are kept, and writing them so that a reader never sees half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from aesc.errors import InputError


def cache_folder() -> Path:
    """The folder for what can be made again: ``AESC_CACHE`` of the environment, or the user's."""
    return Path(os.environ.get("AESC_CACHE") or platformdirs.user_cache_path("aesc"))


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path in the folder of ``path``; rename it to ``path`` when all went well.

    The folder is made when it is missing. On any failure, an interrupt included, the temporary file
    is removed and an existing ``path`` stays as it was.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def check_writable(folder: Path) -> None:
    """Raise InputError now, and not after an hour of work, when ``folder`` cannot be written to."""
    with whole_file(folder / "write-test") as temporary:
        temporary.write_bytes(b"0" * 4096)
    (folder / "write-test").unlink()


def unwritable(path: Path, error: OSError) -> InputError:
    """The one sentence for a file that the operating system refuses to write."""
    reason = error.strerror or str(error)
    return InputError(f"Cannot write {path} ({reason}): free some space or choose another folder.")
