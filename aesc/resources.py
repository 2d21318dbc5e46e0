"""Files that come with the package: the category notebook, committed records, measured speeds."""

from __future__ import annotations

from pathlib import Path

from aesc.errors import InputError


def resource(name: str) -> Path:
    """Path of a file or folder that an installed package and a checkout both have.

    Args:
        name: relative to the root of the repository, such as ``results``.

    Raises:
        InputError: neither has it.
    """
    package = Path(__file__).resolve().parent
    for root in (package, package.parent):
        if (root / name).exists():
            return root / name
    raise InputError(f"{name} is missing beside {package}: install aesc again.")
