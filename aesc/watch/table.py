"""The table of a watched folder: rows are only ever added, each on the disk before the next."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from aesc.detector.report import WATCHED, row
from aesc.detector.result import Result
from aesc.errors import InputError
from aesc.files import lock_of, remove_abandoned, sole_user, unwritable, whole_file

_START = "\ufeff".encode()  # a byte-order mark tells Excel that the names are UTF-8


class Version(NamedTuple):
    """What a look at the folder tells about a file: its size and when it was changed, in ns."""

    size: int
    modified: int


@dataclass
class ResultTable:
    """``results.csv`` of one folder, open for adding rows. Made by `ResultTable.open`.

    Attributes:
        path: the file.
        versions: by image, the version that its last row is about.
        digests: by image, the SHA-256 of that version; empty for a file that could not be read.
        rows: rows, read or written.
        history: threshold and p-value of every image that was scored, the oldest first.
        last: SHA-256 of the image that was scored last.
    """

    path: Path
    _file: BinaryIO = field(repr=False)
    versions: dict[str, Version] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    rows: int = 0
    history: list[tuple[str, float]] = field(default_factory=list)
    last: str = ""

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[ResultTable]:
        """Read the rows back, if there are any, and keep other processes away.

        A last line that is not whole, left by a process that was killed while writing, is dropped.

        Args:
            path: the file, made when missing; its folder must be there.

        Raises:
            InputError: another process uses it, another program wrote it, it is damaged, or it
                cannot be read or written.
        """
        with sole_user(lock_of(path)):
            remove_abandoned(path.parent)
            if not path.exists():
                with whole_file(path) as temporary:
                    temporary.write_bytes(_START + _line(WATCHED))
            try:
                with path.open("r+b") as file:
                    table = cls(path, file)
                    table._read_back()
                    yield table
            except OSError as error:
                raise unwritable(path, error) from error

    def add(self, result: Result, version: Version, digest: str) -> None:
        """Write a row; it is on the disk when this returns.

        Raises:
            InputError: the file cannot be written, or the disk is full.
        """
        cells = [*row(result), version.size, version.modified, digest]
        try:
            self._file.write(_line(cells))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise unwritable(self.path, error) from error
        self._count(dict(zip(WATCHED, map(str, cells), strict=True)))

    def _read_back(self) -> None:
        content = self._file.read()
        whole = content[: _whole(content)]
        text = whole.removeprefix(_START).decode("utf-8", "surrogateescape")
        lines = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        if not whole.startswith(_START) or tuple(lines.fieldnames or ()) != WATCHED:
            raise InputError(f"{self.path} was not written by `aesc watch`: choose another folder.")
        try:
            for cells in lines:
                self._count(cells)
        except (csv.Error, TypeError, ValueError) as error:
            raise InputError(
                f"{self.path} is damaged in line {lines.line_num}: repair it or choose another "
                "folder."
            ) from error
        self._file.truncate(len(whole))
        self._file.seek(len(whole))

    def _count(self, cells: dict[str, str]) -> None:
        image = cells["image"]
        version = Version(int(cells["bytes"]), int(cells["modified"]))
        if cells["verdict"] != "error":
            self.history.append((cells["threshold"], float(cells["p_value"])))
            self.last = cells["sha256"]
        self.versions[image], self.digests[image] = version, cells["sha256"]
        self.rows += 1


def _line(cells: Sequence[object]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(cells)
    return text.getvalue().encode("utf-8", "surrogateescape")  # names need not be UTF-8


def _whole(content: bytes) -> int:
    """Length of the part that consists of whole rows.

    A row ends at a line end outside quotes. Quotes come in pairs, also where one stands for itself.
    """
    end = len(content)
    while (end := content.rfind(b"\r\n", 0, end)) >= 0:
        if content.count(b'"', 0, end) % 2 == 0:
            return end + 2
    return 0
