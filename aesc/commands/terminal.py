"""What the commands share: an argument that is a path, and what is said on stderr."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from aesc.errors import InputError
from aesc.paths import own_path

if TYPE_CHECKING:
    from aesc.records import Record

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""To which `aesc.cli` has each module add its parsers."""

DEVICES = "auto, cpu, cuda, cuda:N, mps (default: auto)"
"""Where to compute."""

PLACE = "folder or fsspec address"
"""Where runs can go to."""


class InterruptedWorkError(KeyboardInterrupt):
    """Somebody interrupted a command that says what the same one will do the next time."""


def local_path(text: str) -> Path:
    """A path on this machine; ``~`` is the home, also after an equals sign, where no shell sees it.

    Raises:
        argparse.ArgumentTypeError: the address of another place, or nothing.

    Example:
        >>> local_path("~/runs") == Path.home() / "runs"
        True
    """
    if not text or re.match(r"[a-z][a-z0-9+.-]+:/", text, re.I):
        raise argparse.ArgumentTypeError(f"it is {text!r}: give a path on this machine.")
    try:
        return own_path(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def width_and_height(text: str) -> tuple[int, int]:
    """A size such as ``1024x768``.

    Raises:
        argparse.ArgumentTypeError: another text.

    Example:
        >>> width_and_height("1024x768")
        (1024, 768)
    """
    found = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"it is {text!r}: give WIDTHxHEIGHT, such as 1024x768.")
    return int(found[1]), int(found[2])


def side_or_size(text: str) -> int | tuple[int, int]:
    """The side of a square, such as ``256``, or a size, such as ``512x256``.

    Raises:
        argparse.ArgumentTypeError: another text.

    Example:
        >>> side_or_size("256"), side_or_size("512x256")
        (256, (512, 256))
    """
    if "x" in text:
        return width_and_height(text)
    if not re.fullmatch(r"[1-9]\d{0,5}", text):
        raise argparse.ArgumentTypeError(
            f"it is {text!r}: give the side of a square, such as 256, or WIDTHxHEIGHT."
        )
    return int(text)


@contextmanager
def resuming(kept: Callable[[], bool]) -> Iterator[None]:
    """Have whoever interrupts the block told what the same command will do the next time.

    Args:
        kept: whether something is there that it goes on with; asked when it is interrupted.

    Raises:
        InterruptedWorkError: the block was interrupted.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        will = "resumes where it stopped" if kept() else "begins anew"
        raise InterruptedWorkError(f"the same command {will}") from interrupt


def print_notes(records: Iterable[Record]) -> None:
    """What the runs found odd about their data, once for each category."""
    notes = {f"{r.data.dataset}/{r.data.category}: {r.notes}": None for r in records if r.notes}
    for note in notes:
        print_note(note)


def print_note(text: str) -> None:
    """Print what is worth knowing and stops nothing."""
    print(f"aesc: note: {text}", file=sys.stderr)


def print_error(text: str, code: int = 2) -> int:
    """Print what went wrong; return the exit code."""
    print(f"aesc: error: {text}", file=sys.stderr)
    return code
