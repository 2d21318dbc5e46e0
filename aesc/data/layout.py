"""Layouts of a category folder, one object each: which folders they fit, which files they read."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from aesc.data.listing import GOOD, CategoryFiles, SourceFile, folders, images_in
from aesc.data.masks import MaskFiles, mask_notes
from aesc.paths import is_folder


class Layout(Protocol):
    """One way to lay out a category folder.

    A new one is a class like this, and an entry in `LAYOUTS`.
    """

    def matches(self, root: Path) -> bool:
        """Whether the folder is laid out like this; looks at few names and opens no file."""
        ...

    def files(self, root: Path) -> CategoryFiles:
        """Find the files of a folder that matches.

        Raises:
            InputError: a folder that cannot be listed.
        """
        ...


class MVTecLayout:
    """The layout of MVTec AD: ``train/good``, ``test/<defect type>``, ``ground_truth/...``.

    A mask lies in ``ground_truth/<defect type>`` and is named after its image, as
    ``<image name>_mask.png`` or ``<image name>.png``, in any image format and any case; or it is a
    folder ``<image name>`` of masks that count together, as in MVTec LOCO AD.
    """

    def matches(self, root: Path) -> bool:
        """Whether there is a folder ``train/good``."""
        return is_folder(root / "train" / GOOD)

    def files(self, root: Path) -> CategoryFiles:
        """Good images, test images, and their masks."""
        masks = MaskFiles(root / "ground_truth")
        test: list[SourceFile] = []
        for folder in folders(root / "test"):
            images, defect_type = images_in(folder), folder.name
            found = {} if defect_type == GOOD else masks.match(defect_type, images)
            test += [SourceFile(image, defect_type, found.get(image, ())) for image in images]
        unused = masks.all() - {mask for file in test for mask in file.masks}
        defective = [file for file in test if file.defect_type != GOOD]
        return CategoryFiles(
            good=tuple(SourceFile(image) for image in images_in(root / "train" / GOOD)),
            test=tuple(test),
            has_masks=masks.exist and (not defective or any(file.masks for file in defective)),
            notes=mask_notes(root, test, unused),
            noted=frozenset(unused),
        )


class PlainLayout:
    """A folder of good images, without test images."""

    def matches(self, root: Path) -> bool:
        """Whether images lie in the folder itself."""
        return bool(images_in(root))

    def files(self, root: Path) -> CategoryFiles:
        """All its images."""
        return CategoryFiles(tuple(SourceFile(image) for image in images_in(root)))


PLAIN = PlainLayout()

LAYOUTS: tuple[Layout, ...] = (MVTecLayout(), PLAIN)
"""All layouts. Where several match, the first of them counts."""


def layout_of(root: Path) -> Layout | None:
    """The first of `LAYOUTS` that matches a folder; None if none does.

    Raises:
        InputError: the folder cannot be listed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     (Path(folder) / "train" / "good").mkdir(parents=True)
        ...     type(layout_of(Path(folder))).__name__
        'MVTecLayout'
    """
    return next((layout for layout in LAYOUTS if layout.matches(root)), None)


def rank_of(root: Path) -> int | None:
    """The place in `LAYOUTS` of the layout that a folder has; None if it has none of them."""
    layout = layout_of(root)
    return None if layout is None else LAYOUTS.index(layout)
