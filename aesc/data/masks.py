"""Masks of the MVTec AD layout: which belongs to which image, and which to none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from aesc.data.listing import GOOD, SourceFile, folders, images_in, listed
from aesc.paths import is_folder


class MaskFiles:
    """The masks in a folder ``ground_truth``, by defect type; none if there is no such folder."""

    def __init__(self, truth: Path) -> None:
        self.exist = is_folder(truth)
        self._loose = images_in(truth) if self.exist else []
        self._files = {folder.name: images_in(folder) for folder in folders(truth)}
        self._parts = {
            folder.name: {part.name: tuple(images_in(part)) for part in folders(folder)}
            for folder in folders(truth)
        }

    def match(self, defect_type: str, images: Sequence[Path]) -> dict[Path, tuple[Path, ...]]:
        """The masks of every image that has some. The exact name goes before another case."""
        files, parts = self._files.get(defect_type, []), self._parts.get(defect_type, {})
        exact = _by_stem(files)
        found: dict[Path, tuple[Path, ...]] = {}
        for image in images:
            single = exact.get(f"{image.stem}_mask") or exact.get(image.stem)
            masks = tuple(single[:1]) if single else parts.get(image.stem)
            if masks:
                found[image] = masks
        taken = {mask for masks in found.values() for mask in masks}
        folded = _by_stem((file for file in files if file not in taken), str.casefold)
        for image in images:
            stem = image.stem.casefold()
            single = folded.get(f"{stem}_mask") or folded.get(stem)
            if single and image not in found:
                found[image] = tuple(single[:1])
        return found

    def all(self) -> set[Path]:
        """Every mask, whether it belongs to an image or not."""
        single = (file for files in self._files.values() for file in files)
        parts = (masks for by_name in self._parts.values() for masks in by_name.values())
        return {*self._loose, *single, *(mask for masks in parts for mask in masks)}


def mask_notes(root: Path, test: Sequence[SourceFile], unused: Iterable[Path]) -> tuple[str, ...]:
    """Sentences on the masks that are not read, and on images that share one.

    Args:
        root: the category folder.
        test: the test images, with their masks.
        unused: the masks that belong to none of them.

    Example:
        >>> mask_notes(Path("nut"), [], [Path("nut/ground_truth/good/000_mask.png")])
        ('Masks of good images, which are not read: ground_truth/good/000_mask.png.',)
    """
    stems = {(file.defect_type, file.image.stem.casefold()) for file in test}
    kinds: dict[str, list[Path]] = defaultdict(list)
    for mask in sorted(unused):
        _, *inner = mask.relative_to(root).parent.parts
        defect_type, stem = inner[0] if inner else "", mask.stem.casefold()
        if defect_type == GOOD:
            kinds["Masks of good images, which are not read"].append(mask)
        elif {(defect_type, stem), (defect_type, stem.removesuffix("_mask"))} & stems:
            kinds["Second masks of an image, which are not read"].append(mask)
        else:
            kinds["Masks that belong to no test image, which are not read"].append(mask)
    owners: dict[tuple[Path, ...], list[Path]] = defaultdict(list)
    for file in test:
        owners[file.masks].append(file.image)
    for masks, images in owners.items():
        if masks and len(images) > 1:
            kinds["Images of one name, which share a mask"] += images
    return tuple(
        f"{kind}: {listed(path.relative_to(root).as_posix() for path in paths)}."
        for kind, paths in kinds.items()
    )


def _by_stem(files: Iterable[Path], key: Callable[[str], str] = str) -> dict[str, list[Path]]:
    stems: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        stems[key(file.stem)].append(file)
    return stems
