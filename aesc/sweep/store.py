"""Where the files of runs go: a folder, or any address that fsspec understands."""

from __future__ import annotations

import glob
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

import fsspec
from fsspec.implementations.local import LocalFileSystem

from aesc.errors import InputError, NotebookError
from aesc.experiment import Record
from aesc.files import check_writable

_RECORD_LAST = (".ipynb", ".safetensors", ".json")
"""Whoever finds a record finds the rest."""


class Store:
    """A folder of runs: for each, a record, its weights and its executed notebook.

    Args:
        address: a local folder, or an fsspec address such as ``s3://bucket/folder``.

    Raises:
        InputError: an address of an unknown kind, or one whose package is not installed.
    """

    def __init__(self, address: str | Path) -> None:
        self.address = str(address)
        try:
            self.files, self.root = fsspec.core.url_to_fs(self.address)
        except (ImportError, ValueError) as error:
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
            self.files.pipe_file(self._path("write-test"), b"aesc")
            self.files.rm_file(self._path("write-test"))

    def finished(self, name: str) -> Record | None:
        """The record of a run that needs no repeating: it is whole, and its notebook is there."""
        with self._explained("read"):
            if not self.files.exists(self._path(f"{name}.ipynb")):
                return None
            try:
                text = self.files.cat_file(self._path(f"{name}.json"))
            except FileNotFoundError:
                return None
        with suppress(InputError, UnicodeDecodeError):
            return Record.parse(text.decode(), name)
        return None

    @contextmanager
    def workplace(self, name: str) -> Iterator[Path]:
        """A local folder to run in, whose files of that run are in the store afterwards.

        A local store is that folder itself, so a run cut short goes on from its checkpoint.
        Elsewhere the files are sent when the run is over, the failed notebook after a failure.
        """
        if self.folder is not None:
            self._tidy(name)
            try:
                yield self.folder
            finally:
                self._tidy(name)
            return
        with tempfile.TemporaryDirectory(prefix="aesc-") as scratch:
            try:
                yield Path(scratch)
            except (InputError, NotebookError) as error:  # whose files are soon elsewhere
                raise type(error)(str(error).replace(scratch, self.address)) from error
            finally:
                for suffix in (".failed.ipynb", *_RECORD_LAST):
                    path = Path(scratch, f"{name}{suffix}")
                    if path.exists():
                        with self._explained("write to"):
                            self.files.put_file(str(path), self._path(path.name))

    def _tidy(self, name: str) -> None:
        """Remove half files of a run, which a process that was killed leaves behind."""
        for path in self.folder.glob(f".{glob.escape(name)}.*.tmp"):
            path.unlink(missing_ok=True)

    def records(self) -> list[Record]:
        """All records, here and below, sorted by path.

        Raises:
            InputError: no such place, no record in it, or a record that cannot be read.
        """
        with self._explained("read"):
            paths = sorted(p for p in self.files.find(self.root) if p.endswith(".json"))
            texts = self.files.cat(paths) if paths else {}
        if not paths:
            raise InputError(f"{self.address} holds no records: run `aesc sweep` first.")
        return [Record.parse(texts[p].decode(errors="replace"), p) for p in paths]

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
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"Cannot {action} {self.address} ({reason}): check address and credentials."
            ) from error
