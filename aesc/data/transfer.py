"""Downloading a large file: resumed where it broke off, and checked before it is used."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from aesc._checks import one_line
from aesc.data.archive import byte_bar, write_errors
from aesc.errors import InputError

_BLOCK = 2**20  # bytes read at a time
_TIMEOUT = 60  # seconds without an answer


def download(url: str, archive: Path, sha256: str, progress: bool, remedy: str) -> None:
    """Download a file by way of a ``.part`` beside it, which a call that broke off leaves.

    Args:
        url: its address, http or https.
        archive: where it is to be in the end.
        sha256: hex digits that it must have.
        progress: show bars.
        remedy: end of a message, what to do instead.

    Raises:
        InputError: no answer, another file, or no room; the message says what to do.
    """
    part = archive.with_name(archive.name + ".part")
    _transfer(url, part, progress, remedy)
    try:
        check_digest(part, sha256, progress, remedy)
    except InputError as error:
        part.unlink()
        raise InputError(
            f"What {url} gave is not the archive expected (its SHA-256 is not {sha256}) and "
            f"was deleted: try again, or {remedy}."
        ) from error
    part.rename(archive)


def _transfer(url: str, part: Path, progress: bool, remedy: str) -> None:
    """Bring ``part`` to its full length, from where it stands if the server can do that."""
    start = part.stat().st_size if part.exists() else 0
    try:
        response = _request(url, start)
    except HTTPError as error:
        if start and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is missing, or the part is of another file: the checksum will tell
        raise InputError(f"{url} answered {error.code} {error.reason}: {remedy}.") from error
    except (URLError, OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or one_line(error)
        raise InputError(f"{url} cannot be reached ({reason}): {remedy}.") from error
    with response:
        if response.status != http.client.PARTIAL_CONTENT:
            start = 0
        _store(response, url, part, start, progress, remedy)


def _request(url: str, start: int) -> http.client.HTTPResponse:
    headers = {"User-Agent": "aesc"}
    if start:
        headers["Range"] = f"bytes={start}-"
    answer: http.client.HTTPResponse = urlopen(Request(url, headers=headers), timeout=_TIMEOUT)
    return answer


def _store(
    response: http.client.HTTPResponse,
    url: str,
    part: Path,
    start: int,
    progress: bool,
    remedy: str,
) -> None:
    length = response.headers.get("Content-Length")
    total = None if length is None else start + int(length)
    blocks = _blocks(response, url, start == 0, remedy)
    head = next(blocks, b"")  # before the part is opened: a web page must not overwrite it
    bar = byte_bar(f"Downloading {part.stem}", total, progress, start)
    with bar, write_errors(part.parent), part.open("ab" if start else "wb") as file:
        for block in chain([head], blocks):
            file.write(block)
            bar.update(len(block))
        if total is not None and file.tell() < total:
            raise InputError(
                f"The download of {url} broke off at {file.tell()} of {total} bytes: "
                "run it again to resume there."
            )


def _blocks(
    response: http.client.HTTPResponse, url: str, first: bool, remedy: str
) -> Iterator[bytes]:
    """Yield the body of a response; refuse a web page in the place of the archive."""
    while True:
        try:
            block = response.read(_BLOCK)
        except (OSError, http.client.HTTPException) as error:
            raise InputError(
                f"The download of {url} broke off ({one_line(error)}): run it again to resume "
                "there."
            ) from error
        if first and (block.lstrip()[:1] == b"<" or "html" in response.headers.get_content_type()):
            raise InputError(f"{url} is a web page, not the archive: {remedy}.")
        if not block:
            return
        yield block
        first = False


def check_digest(archive: Path, sha256: str, progress: bool, remedy: str) -> None:
    """Refuse a file with another checksum; arguments as for `download`.

    Raises:
        InputError: another checksum, or a file that cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     _ = Path(place, "empty").write_bytes(b"")
        ...     digest = hashlib.sha256(b"").hexdigest()
        ...     check_digest(Path(place, "empty"), digest, False, "download it again")
    """
    digest = hashlib.sha256()
    try:
        size = archive.stat().st_size
        with archive.open("rb") as file, byte_bar("Checking SHA-256", size, progress) as bar:
            while block := file.read(_BLOCK):
                digest.update(block)
                bar.update(len(block))
    except OSError as error:
        raise InputError(f"{archive} cannot be read ({error.strerror}): {remedy}.") from error
    if digest.hexdigest() != sha256.lower():
        raise InputError(
            f"{archive} is damaged or another file: its SHA-256 is {digest.hexdigest()}, not "
            f"{sha256}: delete it and {remedy}."
        )
