"""The heat maps of a folder of results: those of the table beside them, and no others."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import PIL.Image

from aesc._names import with_ending
from aesc.data.images import is_image_file
from aesc.files import scratch_folder, unwritable

ENDING = ".png"
"""What the name of a heat map has behind that of its image."""


@dataclass(frozen=True)
class HeatMaps:
    """The heat maps of a run, until it is over in a hidden folder. Made by `maps_of`.

    Attributes:
        folder: where they will lie.
        made: where they lie until then.
        common: the folder common to all images.
    """

    folder: Path
    made: Path
    common: str

    def add(self, picture: PIL.Image.Image, image: str) -> None:
        """Keep the heat map of an image.

        Raises:
            InputError: it cannot be written, or the disk is full.
        """
        inside = _place(image, self.common)
        try:
            (self.made / inside).parent.mkdir(parents=True, exist_ok=True)
            picture.save(self.made / inside)
        except OSError as error:
            raise unwritable(self.folder / inside, error) from error

    def clear(self, table: Path) -> None:
        """Remove the heat maps of earlier runs.

        Those are the files that the table of an earlier run names, and those that are called like
        an image with ``.png`` behind it, such as ``a.jpg.png``, which a run may have left that was
        stopped here. Anything else is somebody's own.

        Args:
            table: of the run before; need not exist.

        Raises:
            InputError: one cannot be removed.
        """
        named = _named(table)
        for path in list(_files(self.folder)):
            if path.relative_to(self.folder) in named or _is_called_like_one(path.name):
                remove(path)
                with suppress(OSError):  # not empty; the folder of the results never is
                    os.removedirs(path.parent)

    def move(self) -> None:
        """Put the heat maps where they belong.

        Raises:
            InputError: one cannot be written.
        """
        for path in list(_files(self.made)):
            target = self.folder / path.relative_to(self.made)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
            except OSError as error:
                raise unwritable(target, error) from error


@contextmanager
def maps_of(folder: Path, images: Sequence[Path]) -> Iterator[HeatMaps]:
    """Heat maps that are being made; what was not moved is gone afterwards.

    Args:
        folder: where they will lie; the folder around it must be there.
        images: what they are of, at least one.
    """
    with scratch_folder(folder) as made:
        yield HeatMaps(folder, made, _common(images))


def remove(path: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        InputError: the system refuses it.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def _common(images: Sequence[str | Path]) -> str:
    return os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in images])


def _place(image: str, common: str) -> Path:
    """The path of a heat map in their folder: that of its image in the folder common to all."""
    return with_ending(Path(os.path.relpath(os.path.abspath(image), common)), ENDING)


def _named(table: Path) -> set[Path]:
    """The heat maps that a table may speak of; none of a table of another program."""
    try:
        with table.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            images = [row["image"] for row in csv.DictReader(file) if row["image"]]
        common = _common(images)
    except (OSError, csv.Error, KeyError, ValueError):  # the last of no rows
        return set()
    return {_place(image, common) for image in images}


def _is_called_like_one(name: str) -> bool:
    return name.endswith(ENDING) and is_image_file(Path(name.removesuffix(ENDING)))


def _files(folder: Path) -> Iterator[Path]:
    """All files in a folder and below; what is behind links to folders is not looked at."""
    for inside, _, names in os.walk(folder):
        yield from (Path(inside, name) for name in names)
