"""Which files of a folder have arrived and are written no more."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from aesc.data.images import is_image_file
from aesc.data.listing import is_listed_folder
from aesc.watch.table import Version


@dataclass(frozen=True)
class Look:
    """One look at a folder.

    Attributes:
        files: by name inside the folder, with ``/`` between folders, the version of each image.
        passed: by name, why an image was passed over: a link in a circle, no permission.
        broken: names of links to files that are not there, or not yet.
        unlisted: by path, why a folder could not be listed.
    """

    files: dict[str, Version] = field(default_factory=dict)
    passed: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    unlisted: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, entry: os.DirEntry[str]) -> None:
        """Add an image, unless it cannot be looked at: one of them must not hide the others."""
        try:
            status = entry.stat()
        except FileNotFoundError:
            if entry.is_symlink():  # and if not, it has gone again
                self.broken.append(name)
            return
        except OSError as error:
            self.passed[name] = error.strerror or str(error)
            return
        if stat.S_ISREG(status.st_mode):
            self.files[name] = Version(status.st_size, status.st_mtime_ns)


def look(folder: Path, recursive: bool = False, without: Path | None = None) -> Look:
    """Look at a folder.

    Args:
        folder: where images arrive.
        recursive: look into the folders inside as well; links to folders are not followed.
        without: folder inside to leave out.

    Example:
        >>> import tempfile
        >>> place = Path(tempfile.mkdtemp())
        >>> for name in ("a.png", ".b.png", "c.txt"):
        ...     _ = (place / name).write_bytes(b"12345")
        >>> [(name, version.size) for name, version in look(place).files.items()]
        [('a.png', 5)]
    """
    found = Look()
    pending = [("", str(folder))]
    while pending:
        prefix, path = pending.pop()
        try:
            for entry in _entries(path):
                if recursive and is_listed_folder(entry, follow_symlinks=False):
                    if without is None or Path(entry.path).resolve() != without:
                        pending.append((f"{prefix}{entry.name}/", entry.path))
                elif _is_image(os.path.splitext(entry.name)[1]):
                    found.add(prefix + entry.name, entry)
        except OSError as error:
            found.unlisted[path] = error.strerror or str(error)
    return found


class Settling:
    """Remembers since when each file has not changed, by the clock of this machine.

    The times of the files do not count: the clock of the machine that writes them may be wrong.

    Args:
        settle: seconds that a file must rest.
    """

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._resting: dict[str, tuple[Version, float]] = {}

    def ready(
        self, files: Mapping[str, Version], known: Mapping[str, Version], now: float
    ) -> list[str]:
        """Names of new files that have rested long enough, in the order of their times.

        Args:
            files: what is there.
            known: versions that are done with.
            now: seconds of a clock that never goes back.
        """
        resting = {}
        for name, version in files.items():
            if known.get(name) != version:
                before = self._resting.get(name)
                same = before is not None and before[0] == version
                resting[name] = before if same and before else (version, now)
        self._resting = resting
        rested = (name for name in resting if self.rest(name, now) >= self._settle)
        return sorted(rested, key=lambda name: (resting[name][0].modified, name))

    def rest(self, name: str, now: float) -> float:
        """Seconds for which a file has not changed."""
        return now - self._resting[name][1]


@cache
def _is_image(suffix: str) -> bool:
    """As `aesc.data.images.is_image_file`, which takes its time for a folder of many files."""
    return is_image_file(Path(f"name{suffix}"))


def _entries(path: str) -> Iterator[os.DirEntry[str]]:
    """What is in a folder, without hidden names."""
    with os.scandir(path) as entries:
        yield from (entry for entry in entries if not entry.name.startswith("."))
