"""Where files are kept, and writing them so that a reader never sees half of one."""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from aesc._names import cut_name, with_ending
from aesc._system import is_alive, lock, to_disk
from aesc.errors import InputError

ABANDONED_ELSEWHERE = 24 * 3600
"""Seconds after which a temporary file of another machine, whose processes are not known, goes."""

_LONGEST_NAME = 160
"""Bytes of a name that are kept in that of a temporary file; most file systems take 255 in all."""

_REMEDIES = {
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EISDIR: "choose the name of a file",
    errno.EACCES: "ask for the right to write there or choose another folder",
    errno.ENOSPC: "free some space or choose another folder",
    errno.EDQUOT: "free some space or choose another folder",
    errno.EFBIG: "free some space or choose another folder",
}
"""What helps against an error of the operating system, where that is known."""

_OWNED = re.compile(r"\.(?P<name>.+)\.(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-\d+\.tmp(\.\w+)?", re.S)


def cache_folder() -> Path:
    """The folder for whatever can be regenerated: ``AESC_CACHE`` of the environment, or the user's.

    Example:
        >>> cache_folder().is_absolute()
        True
    """
    return Path(os.environ.get("AESC_CACHE") or platformdirs.user_cache_path("aesc"))


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path in the folder of ``path``; rename it to ``path`` when all went well.

    The folder is made when it is missing. The file has reached the disk before it gets its name, so
    that it survives a power cut, and has the permissions of any new file. On any failure, an
    interrupt included, the temporary file is removed and an existing ``path`` stays as it was.

    Args:
        path: the file to write.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> with whole_file(folder / "notes.txt") as temporary:
        ...     _ = temporary.write_text("all or nothing")
        >>> [path.name for path in folder.iterdir()]
        ['notes.txt']
    """
    temporary = temporary_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
        # Some writers make files for the owner only; a new file has what the umask says.
        mode = temporary.stat().st_mode
        yield temporary
        os.chmod(temporary, mode)
        to_disk(temporary)
        os.replace(temporary, path)
        to_disk(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def temporary_beside(path: Path, suffix: str = "") -> Path:
    """A hidden name beside ``path`` that says which process uses it, for `remove_abandoned`.

    Args:
        path: what the temporary file or folder will become.
        suffix: ending of the name, for programs that look at it.

    Example:
        >>> temporary_beside(Path("runs", "a.json")).name.startswith(".a.json.")
        True
    """
    owner = f"{_host()}-{os.getpid()}-{threading.get_ident()}.tmp{suffix}"
    return path.with_name(f".{cut_name(path.name, _LONGEST_NAME)}.{owner}")


def remove_abandoned(folder: Path, name: str = "") -> None:
    """Remove temporary files and folders whose process was killed before it could tidy up.

    Those of a living process stay, and so does whatever has another kind of name. Processes of
    another machine, which may share the folder, cannot be asked about: theirs go after a day.

    Args:
        folder: where they lie; need not exist.
        name: beginning of what they were to become; by default any.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> mine = temporary_beside(folder / "a.json")
        >>> mine.touch()
        >>> remove_abandoned(folder)
        >>> mine.exists()
        True
    """
    beginning = cut_name(name, _LONGEST_NAME)
    with suppress(OSError):
        for path in list(folder.iterdir()):
            owned = _OWNED.fullmatch(path.name)
            if owned and owned["name"].startswith(beginning) and _is_abandoned(path, owned):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


@contextmanager
def scratch_folder(target: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``target``, for this user alone, and remove it in the end.

    A process that is killed cannot do that, so what such processes left is removed first.

    Args:
        target: what is prepared in the folder; the folder that it is to lie in must be there.

    Raises:
        OSError: the folder cannot be written to.

    Example:
        >>> place = Path(tempfile.mkdtemp())
        >>> with scratch_folder(place / "data") as scratch:
        ...     _ = (scratch / "half.png").write_bytes(b"half")
        >>> os.listdir(place)
        []
    """
    remove_abandoned(target.parent, target.name)
    scratch = temporary_beside(target)
    scratch.mkdir(mode=0o700)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def lock_of(path: Path) -> Path:
    """The hidden file that stands for another one: whoever writes that one holds its lock.

    Example:
        >>> lock_of(Path("out", "results.csv")).name
        '.results.csv.lock'
    """
    return with_ending(path.with_name(f".{path.name}"), ".lock")


@contextmanager
def sole_user(path: Path, used: Path | None = None) -> Iterator[None]:
    """Hold a lock while the block runs. The system takes it back from a process that is killed.

    Where the file system has no locks, as on some network drives, nothing is held.

    Args:
        path: file that stands for what is used, made when missing; it stays.
        used: what the message names; by default the folder of ``path``.

    Raises:
        InputError: somebody else holds the lock, or the file cannot be made.

    Example:
        >>> held = Path(tempfile.mkdtemp(), ".lock")
        >>> with sole_user(held), sole_user(held):
        ...     pass
        Traceback (most recent call last):
            ...
        aesc.errors.InputError: /... is in use: wait for its user, stop it or choose another.
    """
    try:
        file = path.open("ab")
    except OSError as error:
        raise unwritable(path, error) from error
    with file:
        try:
            lock(file.fileno())
            free = _is_still(path, file.fileno())
        except OSError as error:
            free = error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
        if not free:
            raise InputError(
                f"{used or path.parent} is in use: wait for its user, stop it or choose another."
            )
        yield


@contextmanager
def sole_writer(path: Path) -> Iterator[None]:
    """Keep other writers of a file away, and remove what killed ones left of it.

    For a file that takes its time: of two that are made at once, one would be lost. The lock is
    removed, but on Windows, where nobody removes an open file.

    Args:
        path: the file, or the folder, that is going to be written.

    Raises:
        InputError: somebody else writes it, or its folder cannot be written to.
    """
    with sole_user(lock_of(path), path):
        remove_abandoned(path.parent, path.name)
        try:
            yield
        finally:  # before the lock is given back, or it would be taken from the next
            with suppress(OSError):
                lock_of(path).unlink()


def check_writable(folder: Path) -> None:
    """Refuse a folder now, and not after an hour of work, when it cannot be written to.

    Raises:
        InputError: the folder cannot be made or written to, it is a file, or the disk is full.

    Example:
        >>> check_writable(Path(tempfile.mkdtemp(), "new"))
    """
    if os.path.isfile(folder):  # no also for a name that is too long, which mkdir refuses
        raise InputError(f"{folder} is a file: choose another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0" * 4096)
    except OSError as error:
        raise unwritable(folder, error) from error


def unwritable(path: Path, error: OSError) -> InputError:
    """The one sentence for a file that the operating system refuses to write.

    Example:
        >>> print(unwritable(Path("a.json"), OSError(28, "No space left on device")))
        Cannot write a.json (No space left on device): free some space or choose another folder.
    """
    reason = error.strerror or str(error)
    remedy = _REMEDIES.get(error.errno or 0, "choose another folder")
    return InputError(f"Cannot write {path} ({reason}): {remedy}.")


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether an open file has its name: another user may have removed it, and the lock with it."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False


def _is_abandoned(path: Path, owned: re.Match[str]) -> bool:
    if owned["host"] == _host():
        return not is_alive(int(owned["pid"]))
    with suppress(OSError):
        return time.time() - path.lstat().st_mtime > ABANDONED_ELSEWHERE
    return False


def _host() -> str:
    """A short name for the machine, or the container, within which process numbers are unique."""
    name = socket.gethostname()
    with suppress(OSError):  # where there is no such link, no containers number processes anew
        name += os.readlink("/proc/self/ns/pid")
    return f"{zlib.crc32(name.encode()):08x}"
