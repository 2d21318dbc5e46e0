"""The MVTec AD data set: from a folder, from a local archive, or downloaded and checked.

Bergmann, Fauser, Sattlegger, Steger: MVTec AD, a comprehensive real-world dataset for unsupervised
anomaly detection, CVPR 2019.
"""

import errno
import hashlib
import http.client
import lzma
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path, PureWindowsPath
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tqdm import tqdm
from tqdm.utils import CallbackIOWrapper

from aesc.data.layout import absolute
from aesc.errors import InputError

MVTEC_PAGE = "https://www.mvtec.com/company/research/datasets/mvtec-ad"
"""Official page, where the archive can be had by hand."""

MVTEC_URL = (
    "https://www.mydrive.ch/shares/150996/b52ecdcbf521176e9db9c731f2304b27/download/"
    "420938113-1629960298/mvtec_anomaly_detection.tar.xz"
)
"""Address of the archive (about 5 GB); it moves now and then, hence ``AESC_MVTEC_URL``."""

MVTEC_SHA256 = "cf4313b13603bec67abb49ca959488f7eedce2a9f7795ec54446c649ac98cd3d"
"""SHA-256 of the archive."""

MVTEC_LICENCE = (
    "MVTec AD is licensed CC BY-NC-SA 4.0 (no commercial use; credit MVTec Software GmbH; share "
    f"alike): {MVTEC_PAGE}"
)

_ARCHIVE = "mvtec_anomaly_detection.tar.xz"
_BY_HAND = f"get {_ARCHIVE} by hand from {MVTEC_PAGE} and pass that file as source"
_BLOCK = 2**20  # bytes read at a time
_TIMEOUT = 60  # seconds without an answer
_DAMAGED = (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError)
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def fetch_mvtec(
    destination: str | Path,
    source: str | Path | None = None,
    url: str | None = None,
    sha256: str = MVTEC_SHA256,
    progress: bool = True,
) -> Path:
    """Return a folder that holds the categories of MVTec AD, downloading it if need be.

    The licence is printed. A download goes to a ``.part`` file beside ``destination``, and the next
    call goes on from where it broke off; it is deleted once it is extracted. An archive of that
    name that lies there already is used in its place, and kept. Extraction fills a temporary
    folder that is then renamed, so ``destination`` is whole or absent.

    Args:
        destination: dataset folder to make; if it already holds categories it is returned as it is.
        source: an extracted dataset folder, which is returned as it is, or a local archive; None
            downloads.
        url: address of the archive; None takes the environment variable ``AESC_MVTEC_URL``, and
            without it ``MVTEC_URL``.
        sha256: SHA-256 the archive must have, in hex digits.
        progress: show bars with bytes and time left.

    Raises:
        InputError: the source, the download or the archive is unusable, or ``destination`` cannot
            be written or holds something else.
    """
    destination = absolute(destination)
    origin = None if source is None else absolute(source)
    print(MVTEC_LICENCE)
    if origin is not None and origin.is_dir():
        return _checked_dataset(origin)
    if _is_ready(destination):
        return destination
    if origin is not None:
        _check_digest(origin, sha256, progress)
        return _extract(origin, destination, progress)
    archive = destination.parent / _ARCHIVE
    if archive.exists():
        _check_digest(archive, sha256, progress)
        return _extract(archive, destination, progress)
    _download(_address(url), archive, sha256, progress)
    _extract(archive, destination, progress)
    archive.unlink()
    return destination


def _is_ready(destination: Path) -> bool:
    """Say whether the data set is there already; refuse a destination in use for something else."""
    with _write_errors(destination):
        if destination.exists() and not destination.is_dir():
            raise InputError(f"{destination} is a file; give a folder that is new or empty.")
        if _holds_categories(destination):
            return True
        if destination.exists() and any(destination.iterdir()):
            raise InputError(
                f"{destination} holds other files and no category; give a folder that is new or "
                "empty."
            )
        destination.parent.mkdir(parents=True, exist_ok=True)
    return False


def _holds_categories(folder: Path) -> bool:
    return any(good.is_dir() for good in folder.glob("*/train/good"))


def _checked_dataset(folder: Path) -> Path:
    if not _holds_categories(folder):
        raise InputError(
            f"{folder} holds no category folder with train/good inside; give the folder or the "
            "archive of MVTec AD as a whole."
        )
    return folder


def _address(url: str | None) -> str:
    address = url or os.environ.get("AESC_MVTEC_URL") or MVTEC_URL
    if not address.startswith(("http://", "https://")):
        raise InputError(f"{address!r} is no http or https address; {_BY_HAND}.")
    return address


def _download(url: str, archive: Path, sha256: str, progress: bool) -> None:
    part = archive.with_name(archive.name + ".part")
    _transfer(url, part, progress)
    try:
        _check_digest(part, sha256, progress)
    except InputError as error:
        part.unlink()
        raise InputError(
            f"What {url} gave is not the archive expected (its SHA-256 is not {sha256}) and "
            f"was deleted; try again, or {_BY_HAND}."
        ) from error
    part.rename(archive)


def _transfer(url: str, part: Path, progress: bool) -> None:
    """Bring ``part`` to its full length, from where it stands if the server can do that."""
    start = part.stat().st_size if part.exists() else 0
    try:
        response = _request(url, start)
    except HTTPError as error:
        if start and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is missing, or the part is of another file: the checksum will tell
        raise InputError(f"{url} answered {error.code} {error.reason}; {_BY_HAND}.") from error
    except (URLError, OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise InputError(f"{url} cannot be reached ({reason}); {_BY_HAND}.") from error
    with response:
        if response.status != http.client.PARTIAL_CONTENT:
            start = 0
        _store(response, url, part, start, progress)


def _request(url: str, start: int) -> http.client.HTTPResponse:
    headers = {"User-Agent": "aesc"}
    if start:
        headers["Range"] = f"bytes={start}-"
    answer: http.client.HTTPResponse = urlopen(Request(url, headers=headers), timeout=_TIMEOUT)
    return answer


def _store(
    response: http.client.HTTPResponse, url: str, part: Path, start: int, progress: bool
) -> None:
    length = response.headers.get("Content-Length")
    total = None if length is None else start + int(length)
    blocks = _blocks(response, url, first=start == 0)
    head = next(blocks, b"")  # before the part is opened: a web page must not overwrite it
    bar = _byte_bar(f"Downloading {_ARCHIVE}", total, progress, start)
    with bar, _write_errors(part.parent), part.open("ab" if start else "wb") as file:
        for block in chain([head], blocks):
            file.write(block)
            bar.update(len(block))
        if total is not None and file.tell() < total:
            raise InputError(
                f"The download of {url} broke off at {file.tell()} of {total} bytes; "
                "run it again to go on from there."
            )


def _blocks(response: http.client.HTTPResponse, url: str, first: bool) -> Iterator[bytes]:
    """Yield the body of a response; refuse a web page in the place of the archive."""
    while True:
        try:
            block = response.read(_BLOCK)
        except (OSError, http.client.HTTPException) as error:
            raise InputError(
                f"The download of {url} broke off ({error}); run it again to go on from there."
            ) from error
        if first and (block.lstrip()[:1] == b"<" or "html" in response.headers.get_content_type()):
            raise InputError(f"{url} is a web page, not the archive; {_BY_HAND}.")
        if not block:
            return
        yield block
        first = False


def _check_digest(archive: Path, sha256: str, progress: bool) -> None:
    digest = hashlib.sha256()
    try:
        size = archive.stat().st_size
        with archive.open("rb") as file, _byte_bar("Checking SHA-256", size, progress) as bar:
            while block := file.read(_BLOCK):
                digest.update(block)
                bar.update(len(block))
    except OSError as error:
        raise InputError(f"{archive} cannot be read ({error.strerror}); {_BY_HAND}.") from error
    if digest.hexdigest() != sha256.lower():
        raise InputError(
            f"{archive} is damaged or another file: its SHA-256 is {digest.hexdigest()}, not "
            f"{sha256}; delete it and {_BY_HAND}."
        )


def _extract(archive: Path, destination: Path, progress: bool) -> Path:
    """Check every member, then extract to a temporary folder and rename it to ``destination``."""
    with _opened(archive, "Checking members", progress) as tar:
        for member in tar:
            _check_member(member, archive)
    with (
        _write_errors(destination.parent),
        tempfile.TemporaryDirectory(dir=destination.parent, prefix=f".{destination.name}-") as room,
    ):
        tree = Path(room) / "tree"  # made here because the temporary folder is closed to others
        tree.mkdir()
        with _opened(archive, "Extracting", progress) as tar:
            for member in tar:
                _write_member(tar, member, tree)
        _checked_dataset(tree)
        if destination.exists():
            destination.rmdir()
        tree.rename(destination)
    return destination


@contextmanager
def _opened(archive: Path, title: str, progress: bool) -> Iterator[tarfile.TarFile]:
    """Open a tar archive behind a progress bar; say so in one sentence if it is damaged."""
    bar = _byte_bar(title, archive.stat().st_size, progress)
    try:
        with bar, archive.open("rb") as file:
            # by position: some bytes are read again while the compression is found out
            counted: IO[bytes] = CallbackIOWrapper(
                lambda _: bar.update(file.tell() - bar.n), file, "read"
            )
            with tarfile.open(fileobj=counted) as tar:
                yield tar
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's, not a decompressor's
        raise InputError(f"{archive} is a damaged archive; {_BY_HAND}.") from error


def _check_member(member: tarfile.TarInfo, archive: Path) -> None:
    """Refuse anything but files and folders that stay inside; the data set has nothing else.

    Links are refused whole: one that looks harmless alone can lead out through another.
    """
    path = PureWindowsPath(member.name)  # knows the separators of both kinds of system
    if path.drive or path.root or ".." in path.parts or not (member.isfile() or member.isdir()):
        raise InputError(
            f"{archive} has the member {member.name!r}, which is no plain file or folder inside "
            f"the archive, so nothing was extracted; {_BY_HAND}."
        )


def _write_member(tar: tarfile.TarFile, member: tarfile.TarInfo, tree: Path) -> None:
    """Write one file or folder; owner, rights and times of the archive are left behind."""
    target = tree / member.name
    content = tar.extractfile(member)
    if content is None:
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("wb") as file:
        shutil.copyfileobj(content, file, _BLOCK)


@contextmanager
def _write_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise InputError(
                f"The disk of {folder} is full; free some space (MVTec AD takes about 10 GB while "
                "it is extracted) or give another folder."
            ) from error
        raise InputError(
            f"{folder} cannot be written ({error.strerror}); give another folder."
        ) from error


def _byte_bar(title: str, total: int | None, progress: bool, start: int = 0) -> tqdm:
    return tqdm(
        desc=title,
        total=total,
        initial=start,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        disable=not progress,
    )
