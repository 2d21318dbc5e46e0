"""Extracting a tar archive that may be damaged or meant to do harm: whole or not at all."""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import IO, Any

from tqdm import tqdm
from tqdm.utils import CallbackIOWrapper

from aesc._checks import one_line, quoted
from aesc.errors import InputError
from aesc.files import scratch_folder

MAX_MEMBERS = 10_000
"""Files and folders in an archive; MVTec AD has about 7 000."""

MAX_BYTES = 7 * 2**30
"""Size of all files extracted; those of MVTec AD take about 5 GiB."""

MAX_GROWTH = 8
"""Times its own size that an archive may grow by, beyond 16 MiB; images hardly compress."""

_BLOCK = 2**20  # bytes read at a time
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_COMPRESSED: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\xfd7zXZ\0": lzma.LZMAFile,
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
}
"""How a compressed file is opened, by its first bytes."""
_IN_THE_WAY = (FileExistsError, NotADirectoryError, IsADirectoryError)


def extract(
    archive: Path,
    destination: Path,
    is_whole: Callable[[Path], bool],
    progress: bool,
    remedy: str,
) -> Path:
    """Check every member, then extract to a temporary folder and rename it to ``destination``.

    Owner, rights and times that the archive records are left behind.

    Args:
        archive: a tar archive, plain or compressed by gzip, bzip2 or xz.
        destination: a folder that is new or empty, or a link to an empty one, which stays.
        is_whole: tells of the folder extracted whether it holds what was expected.
        progress: show bars.
        remedy: end of a message, what to do with a bad archive.

    Returns:
        ``destination``.

    Raises:
        InputError: an archive that is damaged, leads out of its folder, is much larger than it
            should be or holds something else; or a destination that cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     with tarfile.open(Path(place, "nuts.tar"), "w") as tar:
        ...         tar.addfile(tarfile.TarInfo("nut/train/good/000.png"))
        ...     folder = extract(
        ...         Path(place, "nuts.tar"),
        ...         Path(place, "nuts"),
        ...         is_whole=lambda tree: (tree / "nut").is_dir(),
        ...         progress=False,
        ...         remedy="download it again",
        ...     )
        ...     [file.relative_to(place).as_posix() for file in folder.rglob("*.png")]
        ['nuts/nut/train/good/000.png']
    """
    with _opened(archive, "Checking members", progress, remedy) as tar:
        _check_members(tar, archive, remedy)
    folder = Path(os.path.realpath(destination))
    with write_errors(folder.parent), scratch_folder(folder) as scratch:
        tree = scratch / "tree"  # made here because the temporary folder is closed to others
        tree.mkdir()
        with _opened(archive, "Extracting", progress, remedy) as tar:
            for member in tar:
                _write_member(tar, member, tree)
        if not is_whole(tree):
            raise InputError(f"{archive} does not hold what was expected: {remedy}.")
        if folder.exists():
            folder.rmdir()
        tree.rename(folder)
    return destination


@contextmanager
def write_errors(folder: Path) -> Iterator[None]:
    """Turn what the system says on writing to ``folder`` into a sentence.

    Raises:
        InputError: in place of an `OSError`.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise InputError(
                f"The disk of {folder} is full: free some space (MVTec AD takes about 10 GB while "
                "it is extracted) or give another folder."
            ) from error
        raise InputError(
            f"{folder} cannot be written ({error.strerror}): give another folder."
        ) from error


def byte_bar(title: str, total: int | None, progress: bool, start: int = 0) -> tqdm[Any]:
    """A progress bar of bytes; ``start`` of ``total`` are there already."""
    return tqdm(
        desc=title,
        total=total,
        initial=start,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        disable=not progress,
    )


@contextmanager
def _opened(archive: Path, title: str, progress: bool, remedy: str) -> Iterator[tarfile.TarFile]:
    """Open a tar archive behind a progress bar; say so in one sentence if it is damaged."""
    bar = byte_bar(title, archive.stat().st_size, progress)
    try:
        with bar, archive.open("rb") as file:
            # by position: some bytes are read again while the compression is found out
            counted: Any = CallbackIOWrapper(
                lambda _: bar.update(file.tell() - bar.n), file, "read"
            )
            content: Any = _Decompressed(counted)  # what tarfile needs of a file
            with tarfile.open(fileobj=content, mode="r:") as tar:
                yield tar
    except InputError:
        raise
    except Exception as error:  # damaged data makes tarfile raise a dozen unrelated types
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's, not a decompressor's
        raise InputError(
            f"{archive} is a damaged archive ({one_line(error)}): {remedy}."
        ) from error


class _Decompressed:
    """The content of a compressed file, for tarfile: no more at a time than a block.

    A header may claim any length, and tarfile would read all of it into memory.
    """

    def __init__(self, file: IO[bytes]) -> None:
        magic = file.read(6)
        file.seek(0)
        openers = (open_ for start, open_ in _COMPRESSED.items() if magic.startswith(start))
        self._file: Any = next(openers, lambda plain: plain)(file)
        self.seek, self.tell = self._file.seek, self._file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _BLOCK:
            raise tarfile.ReadError(f"a header claims {size} bytes")
        content: bytes = self._file.read(size)
        return content


def _check_members(tar: tarfile.TarFile, archive: Path, remedy: str) -> None:
    """Refuse anything but files and folders that stay inside, and more than there should be.

    Links are refused whole: one that looks harmless alone can lead out through another.
    """
    most = min(MAX_BYTES, MAX_GROWTH * archive.stat().st_size + 16 * 2**20)
    total = 0
    for count, member in enumerate(tar, 1):
        path = PureWindowsPath(member.name)  # knows the separators of both kinds of system
        inside = not (path.drive or path.root or ".." in path.parts or "\0" in member.name)
        plain = (member.isfile() and not member.issparse()) or member.isdir()
        if not (inside and plain and member.size >= 0):
            raise InputError(
                f"{archive} has the member {quoted(member.name)}, which is not a plain file or "
                f"folder inside the archive, so nothing was extracted: {remedy}."
            )
        total += member.size
        if count > MAX_MEMBERS or total > most:
            raise InputError(
                f"{archive} holds more than {MAX_MEMBERS} files or {most / 2**20:.0f} MiB, so "
                f"nothing was extracted: {remedy}."
            )


def _write_member(tar: tarfile.TarFile, member: tarfile.TarInfo, tree: Path) -> None:
    target = tree / member.name
    content = tar.extractfile(member)
    try:
        if content is None:
            target.mkdir(parents=True, exist_ok=True)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("wb") as file:
            shutil.copyfileobj(content, file, _BLOCK)
    except _IN_THE_WAY as error:
        raise tarfile.ReadError(f"{quoted(member.name)} is both a file and a folder") from error
