"""Names of files that are made from other names, short enough for a file system."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

LONGEST = 255
"""Bytes that the name of a file may have on most file systems."""


def with_ending(path: Path, ending: str) -> Path:
    """``path`` with ``ending`` behind its name.

    A name that would become too long is cut, and a hash of the whole tells it from its like.

    Example:
        >>> with_ending(Path("heatmaps", "a.jpg"), ".png").name
        'a.jpg.png'
        >>> len(with_ending(Path("a" * 255), ".png").name)
        255
    """
    name = path.name + ending
    if len(os.fsencode(name)) > LONGEST:
        ending = f"-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}{ending}"
        name = cut_name(path.name, LONGEST - len(os.fsencode(ending))) + ending
    return path.with_name(name)


def cut_name(name: str, longest: int) -> str:
    """The beginning of a name, ``longest`` bytes of it at most.

    It is cut between characters, since half of one is no name on every file system.

    Example:
        >>> cut_name("süß", 3), cut_name("süß", 4)
        ('sü', 'sü')
    """
    data = os.fsencode(name)
    if len(data) <= longest:
        return name
    return data[:longest].decode(sys.getfilesystemencoding(), "ignore")
