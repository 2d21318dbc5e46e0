"""Where the files of runs go: a folder, or any address that fsspec understands."""

from __future__ import annotations

import posixpath
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol
from uuid import uuid4

import fsspec
from fsspec.implementations.local import LocalFileSystem
from pydantic_core import from_json

from aesc._checks import one_line, quoted, shortened
from aesc.errors import InputError, NotebookError
from aesc.files import check_writable, remove_abandoned
from aesc.records.record import NoRecordError, Record

_FAILED = ".failed.ipynb"
_RECORD_LAST = (".ipynb", ".safetensors", ".json")
"""Whoever finds a record finds the rest."""


_HALF_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/(?!/)", re.I)
"""An address with one slash, which would be taken for a folder; no drive of Windows."""


class Run(Protocol):
    """What a store has to know of a run: its name, and which records are its own."""

    @property
    def name(self) -> str:
        """Name of the run; its files start with it."""
        ...

    def matches(self, record: Record, place: str) -> bool:
        """Whether a record of this name was made from the data that the run reads.

        Args:
            record: a record of the run's name.
            place: what messages call it.

        Raises:
            InputError: it was made from other data.
        """
        ...


class Store:
    """A folder of runs: for each, a record, its weights and its executed notebook.

    Args:
        address: a local folder, or an fsspec address such as ``s3://bucket/folder``.

    Raises:
        InputError: an address of an unknown kind, or one whose package is not installed.

    Example:
        >>> from aesc.resources import resource
        >>> record = Store(resource("results") / "magnetic_tile").records()[0]
        >>> record.name
        'magnetic_tile-ae_l2-none-standard-128px-seed0'
    """

    def __init__(self, address: str | Path) -> None:
        self.address = str(address)
        if not self.address or _HALF_ADDRESS.match(self.address):
            raise InputError(
                f"The place of the runs is {quoted(self.address)}: give a folder, or an address "
                "such as s3://bucket/folder."
            )
        try:
            self.files, self.root = fsspec.core.url_to_fs(self.address)
        except (ImportError, ValueError, OSError) as error:
            raise InputError(
                f"Cannot use {self.address} ({error}): give a folder or an address that fsspec "
                "knows, and install the package for it."
            ) from error

    @property
    def folder(self) -> Path | None:
        """The local folder; None for any other address."""
        return Path(self.root) if isinstance(self.files, LocalFileSystem) else None

    def check(self) -> None:
        """Raise InputError now, and not after an hour of work, when nothing can be written."""
        if self.folder is not None:
            check_writable(self.folder)
            return
        with self._explained("write to"):
            test = self._path(f".write-test-{uuid4().hex}")
            self.files.pipe_file(test, b"aesc")
            self.files.rm_file(test)

    def finished(self, run: Run) -> Record | None:
        """The record of a run that needs no repeating; None when there is something to do.

        The record is whole and of the data that the run reads, and its notebook is there.

        Raises:
            InputError: a record of that name was made from other data, or by another version of
                the package; or the store is out of reach.
        """
        place = self._path(f"{run.name}.json")
        with self._explained("read"):
            try:
                text = self.files.cat_file(place)
            except FileNotFoundError:
                return None
        try:
            record = Record.parse(text, place)
        except NoRecordError:
            return None
        if not run.matches(record, place):
            return None
        with self._explained("read"):
            return record if self.files.exists(self._path(f"{run.name}.ipynb")) else None

    @contextmanager
    def workplace(self, name: str) -> Iterator[Path]:
        """A local folder to run in, whose files of that run are in the store afterwards.

        A local store is that folder itself, so a run cut short resumes from its checkpoint.
        Elsewhere the files are sent when the run is over, the failed notebook after a failure; the
        one of a failure before goes with a success.
        """
        if self.folder is not None:
            try:
                yield self.folder
            finally:  # a kernel that was killed leaves half files
                remove_abandoned(self.folder, f"{name}.")
            return
        with tempfile.TemporaryDirectory(prefix="aesc-") as scratch:
            try:
                yield Path(scratch)
            except (InputError, NotebookError) as error:  # whose files are soon elsewhere
                raise type(error)(str(error).replace(scratch, self.address)) from error
            finally:
                with self._explained("write to"):
                    self._send(Path(scratch), name)

    def _send(self, folder: Path, name: str) -> None:
        """Store what a run left in a local folder."""
        for suffix in (_FAILED, *_RECORD_LAST):
            path = folder / f"{name}{suffix}"
            if path.exists():
                self.files.put_file(str(path), self._path(path.name))
        failed = self._path(f"{name}{_FAILED}")
        if (folder / f"{name}.ipynb").exists() and self.files.exists(failed):
            self.files.rm_file(failed)

    def records(self) -> list[Record]:
        """All records, here and below, sorted by path; see `scan`.

        Raises:
            InputError: no such place, no record in it, or a record that cannot be read.
        """
        return self.scan()[0]

    def scan(self) -> tuple[list[Record], list[str]]:
        """All records, here and below, sorted by path, and a note on what was passed over.

        Hidden files and those in hidden folders, JSON files that are no records, and copies of a
        record beside it are passed over.

        Raises:
            InputError: no such place, no record in it, or a record that cannot be read.
        """
        with self._explained("read"):
            found = [path for path in self.files.find(self.root) if path.endswith(".json")]
            visible = [path for path in found if not self._hidden(path)]
            # Not `cat`, which takes [ ] * ? in the name of a file for a pattern.
            contents = self.files.cat_ranges(visible, None, None)
            for content in contents:
                if isinstance(content, Exception):
                    raise content
        texts = dict(zip(visible, contents, strict=True))
        records = {
            path: Record.parse(texts[path], path)
            for path in sorted(texts)
            if _looks_like_a_record(texts[path])
        }
        copies = _copies(records)
        kept = [record for path, record in records.items() if path not in copies]
        if not kept:
            raise InputError(f"{self.address} holds no records: run `aesc sweep` first.")
        others = set(found) - (records.keys() - copies)
        return kept, _note(self.address, sorted(map(self._relative, others)))

    def _relative(self, path: str) -> str:
        return posixpath.relpath(path, self.root)

    def _hidden(self, path: str) -> bool:
        return any(part.startswith(".") for part in self._relative(path).split("/") if part != ".")

    def _path(self, name: str) -> str:
        return str(PurePosixPath(self.root, name))

    @contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        """Turn whatever a storage service raises, which is anything, into one sentence."""
        try:
            yield
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"Cannot {action} {self.address} ({one_line(error)}): check address and "
                "credentials."
            ) from error


def _looks_like_a_record(text: bytes) -> bool:
    """Whether a JSON file was written by `Record.save`, even if it has been damaged since."""
    try:
        content = from_json(text)
    except ValueError:
        return text.lstrip().startswith(b"{") and b'"schema_version"' in text
    return (
        isinstance(content, dict)
        and "schema_version" in content
        and not content.keys().isdisjoint({"method", "metrics"})
    )


def _copies(records: dict[str, Record]) -> set[str]:
    """Paths of records under another name than their own, in the folder of the one they copy."""

    def own(path: str) -> str:
        return posixpath.join(posixpath.dirname(path), f"{records[path].name}.json")

    return {path for path in records if path != own(path) and own(path) in records}


def _note(address: str, passed_over: list[str]) -> list[str]:
    """One sentence on files that are no records; none where there is no such file."""
    names = shortened(", ".join(passed_over))
    return [f"Passed over in {address}, as no records of runs: {names}."] if passed_over else []
