"""Cache of decoded images on disk, so that a folder is decoded once and not on every run.

An entry belongs to the files' names, sizes and times of last change, to the size and channels that
were asked for, and to the version of Pillow; when any of them differs, it is another entry. It is
one safetensors file, written whole or not at all. Whatever is wrong with it, the images are read
from their files.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from aesc.files import cache_folder, whole_file

VERSION = 4
"""Raised whenever `aesc.data` turns a file into other numbers, so that no stale entry is read."""

MAX_BYTES = 2 * 2**30
"""Size of all entries together, 2 GiB; those that were not used for longest make room."""

HEADER = 1024
"""More bytes than an entry has besides arrays and names."""

SETTLED = 3.0
"""Seconds for which files must have been left alone before they are kept.

The clock of a file system may tick as slowly as every two seconds (FAT), and a file that is changed
twice within a tick shows the same time.
"""

CHANGE_TIME = os.name == "posix"
"""Whether the system itself records when a file last changed.

Programs may set back the time of modification, as copying does. On POSIX systems they cannot set
the time of change (``st_ctime``), so that no entry is stale. Windows has no such time.
"""

_ENTRY = re.compile(r"\.?[0-9a-f]{64}\.safetensors(\.[\w-]+\.tmp)?")
"""Names of entries and of what an interrupted writer left; nothing else is ever removed."""

_FAULTS = (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError)
"""What a damaged or unwritable entry raises; `aesc.errors.InputError` is a ValueError."""


class ImageCache:
    """The entry of one list of files at one size and number of channels.

    Args:
        folder: where the entries lie; made when the first is written.
        root: the category folder.
        files: every file that is read, masks included.
        size: side of the images in pixels.
        channels: of the images.
    """

    def __init__(
        self, folder: Path, root: Path, files: Sequence[Path], size: int, channels: int
    ) -> None:
        self.files, self.stamped = files, time.time()
        self.stamps = _stamps(files)
        request = [VERSION, PIL.__version__, str(root), size, channels, self.stamps]
        key = hashlib.sha256(json.dumps(request).encode()).hexdigest()
        self.path = folder / f"{key}.safetensors"

    def load(
        self, names: Sequence[str], images: NDArray[np.float32], masks: NDArray[np.bool_]
    ) -> dict[str, Any] | None:
        """Fill the arrays and return the facts kept with them.

        Without a usable entry return None; the arrays may then hold anything.

        Args:
            names: of the images, in the order wanted; the entry may store another order.
            images: N x C x H x W.
            masks: M x 1 x H x W.
        """
        row = {name: index for index, name in enumerate(names)}
        try:
            with safe_open(self.path, framework="numpy") as entry:
                about = json.loads(entry.metadata()["about"])
                rows = [row.pop(name) for name in about["names"]]
                kept = entry.get_slice("images")
                for place, index in enumerate(rows):
                    images[index] = kept[place]
                masks[:] = entry.get_tensor("masks")
            facts: dict[str, Any] = about["facts"]
            arrays = [*(images[index] for index in rows), masks]
            if row or _checksum(json.dumps(facts), arrays) != about["checksum"]:
                return None
        except _FAULTS:
            return None
        with suppress(OSError):
            os.utime(self.path)  # the time of the latest use, by which entries make room
        return facts

    def save(
        self,
        names: Sequence[str],
        images: NDArray[np.float32],
        masks: NDArray[np.bool_],
        facts: dict[str, Any],
    ) -> None:
        """Keep what was read, as far as possible.

        Args:
            names: paths of the images, in their order.
            images: N x C x H x W.
            masks: M x 1 x H x W.
            facts: what else reading found out, in words that JSON knows.
        """
        checksum = _checksum(json.dumps(facts), [images, masks])
        about = {"names": names, "facts": facts, "checksum": checksum}
        text = json.dumps(about)
        needed = images.nbytes + masks.nbytes + 2 * len(text) + HEADER  # quotes in it are escaped
        try:
            if self._is_settled() and _make_room(self.path.parent, needed):
                with whole_file(self.path) as temporary:
                    tensors = {"images": images, "masks": masks}
                    save_file(tensors, temporary, {"about": text})
        except _FAULTS:
            return

    def _is_settled(self) -> bool:
        """Whether no file changed while they were read, or shortly before."""
        if self.stamps is None or self.stamps != _stamps(self.files):
            return False
        newest = max(max(times) for _, _, *times in self.stamps)
        return newest / 1e9 < self.stamped - SETTLED


def image_cache() -> Path | None:
    """The folder that `aesc.data.load_category` may keep images in, for runs that repeat.

    ``images`` in `aesc.files.cache_folder`; None where the system does not record for itself when
    files change (Windows), because an old image could then be taken for a new one.
    """
    return cache_folder() / "images" if CHANGE_TIME else None


def _stamps(files: Iterable[Path]) -> list[tuple[str, int, int, int]] | None:
    """Name, size and times of modification and change (ns) of files; None if one is missing."""
    try:
        found = [(str(file), file.stat()) for file in files]
    except OSError:
        return None
    return [(name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for name, stat in found]


def _checksum(text: str, arrays: Iterable[NDArray[np.generic]]) -> int:
    """CRC-32 of a text and the bytes of contiguous arrays, one after the other."""
    value = zlib.crc32(text.encode())
    for array in arrays:
        value = zlib.crc32(array.data.cast("B") if array.size else b"", value)
    return value


def _make_room(folder: Path, needed: int) -> bool:
    """Remove the oldest entries until ``needed`` bytes more fit; False when they never will."""
    if needed > MAX_BYTES:
        return False
    files = folder.iterdir() if folder.is_dir() else []
    entries = [(file, file.stat()) for file in files if _ENTRY.fullmatch(file.name)]
    stats = sorted(entries, key=lambda pair: pair[1].st_mtime)
    total = sum(stat.st_size for _, stat in stats)
    for file, stat in stats:
        if total + needed <= MAX_BYTES:
            break
        file.unlink(missing_ok=True)
        total -= stat.st_size
    return True
