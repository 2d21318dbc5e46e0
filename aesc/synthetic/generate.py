"""Write the embedded data set to disk, in the folder layout of MVTec AD.

Every image has a random generator of its own, so any of them can be rendered alone and the order
of work does not matter. ``AESC_CACHE`` in the environment moves the cache folder.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from tqdm import tqdm

from aesc._checks import whole
from aesc.errors import InputError
from aesc.files import cache_folder, scratch_folder
from aesc.synthetic.objects import OBJECTS
from aesc.synthetic.spec import Image, Mask, Spec
from aesc.synthetic.textures import TEXTURES

VERSION = 2
"""Raised whenever the generator's output changes, so that no stale cache is read."""

CATEGORIES: dict[str, Spec] = {spec.name: spec for spec in (*TEXTURES, *OBJECTS)}
"""The embedded categories by name, textures first."""

SIZE = 128
"""Usual side of the images in pixels."""

MIN_SIZE = 32
"""Smallest side in pixels at which the categories can still be told from a blur."""

Split = Literal["train", "test", "fresh"]
"""``fresh`` images are in no folder: see :func:`good_images`."""


@dataclass(frozen=True)
class Counts:
    """How many images a category gets; ``per_defect`` for each of its defect types."""

    train: int = 80
    test_good: int = 24
    per_defect: int = 10

    def total(self, spec: Spec) -> int:
        """Number of images, masks not counted."""
        return self.train + self.test_good + self.per_defect * len(spec.defects)


COUNTS = Counts()


def render_image(
    name: str, split: Split, defect: str | None, index: int, size: int = SIZE, seed: int = 0
) -> tuple[Image, Mask]:
    """One image of the data set: size x size x 3 in [0, 1], and its mask (size x size, bool).

    ``defect=None`` gives a good image with an empty mask. Raises InputError for an unknown
    category or defect type, a size below 32 or a negative seed.
    """
    spec = category_spec(name)
    _check(size, seed)
    if defect is not None and defect not in spec.defects:
        known = ", ".join(spec.defects)
        raise InputError(f"{name} has no defect type {defect!r}; choose one of {known}.")
    words = (name, split, defect or "good")
    entropy = [seed, *(zlib.crc32(word.encode()) for word in words), index]
    return spec.render(np.random.default_rng(np.random.SeedSequence(entropy)), size, defect)


def good_images(name: str, count: int, size: int = SIZE, seed: int = 0) -> NDArray[np.float32]:
    """Fresh good images of a category, as many as asked for.

    They are drawn like those of the data set but are none of them, whatever the seed, so a decision
    such as a threshold can be taken or tried on them. The first images do not depend on ``count``.
    Values are rounded to 8 bits, as in the files of the data set.

    Args:
        name: the embedded category.
        count: number of images.
        size: side of the images in pixels.
        seed: images of another seed are other images.

    Returns:
        ``count x size x size x 3``, values in [0, 1].

    Raises:
        InputError: an unknown category, a count below 1, a size below 32 or a negative seed.

    Example:
        >>> images = good_images("wood", count=2, size=32)
        >>> images.shape, bool((images[0] == good_images("wood", 1, 32)[0]).all())
        ((2, 32, 32, 3), True)
    """
    images = [
        render_image(name, "fresh", None, i, size, seed)[0] for i in range(whole("count", count))
    ]
    return (np.rint(np.stack(images) * 255) / 255).astype(np.float32)


def render_category(
    name: str,
    folder: str | Path,
    size: int = SIZE,
    seed: int = 0,
    counts: Counts = COUNTS,
    on_image: Callable[[], object] | None = None,
) -> Path:
    """Write one category to ``folder/name`` and return that path.

    ``train/good``, ``test/good`` and ``test/<defect>`` hold RGB PNGs of ``size`` pixels,
    ``ground_truth/<defect>`` masks of 0 and 255. The category appears whole or not at all.
    ``on_image`` is called after each image. Raises InputError for an unknown name, a size below
    32, a negative seed, a category that is already there and a folder that cannot be written.
    """
    spec, target = category_spec(name), Path(folder) / name
    _check(size, seed)
    if target.exists():
        raise InputError(f"{target} already exists: remove it or choose another folder.")
    _render_to(target, spec, size, seed, counts, on_image)
    return target


def _render_to(
    target: Path,
    spec: Spec,
    size: int,
    seed: int,
    counts: Counts,
    on_image: Callable[[], object] | None,
) -> None:
    """Write a category, whole or not at all; one that another process wrote meanwhile stays."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(target) as scratch:
            part = scratch / spec.name  # made here because the temporary folder is closed to others
            for split, defect, index in _plan(spec, counts):
                image, mask = render_image(spec.name, split, defect, index, size, seed)
                _write(part, split, defect, index, image, mask)
                if on_image is not None:
                    on_image()
            _publish(part, target)
    except OSError as error:
        raise InputError(
            f"Cannot write {target} ({error.strerror or error}): choose a folder you can write to, "
            "for the cache by setting AESC_CACHE."
        ) from error


def embedded(
    size: int = SIZE,
    seed: int = 0,
    names: Iterable[str] | None = None,
    cache: str | Path | None = None,
    progress: bool = True,
) -> Path:
    """The folder of the embedded data set, one sub-folder per category; generates what is missing.

    ``names`` are the categories that are needed (default: all ten). The folder lies in ``cache``,
    by default the folder named by the environment variable ``AESC_CACHE`` or else the user's cache
    folder. Raises InputError like :func:`render_category`.
    """
    wanted = list(CATEGORIES) if names is None else list(dict.fromkeys(names))
    specs = [category_spec(name) for name in wanted]
    _check(size, seed)
    root = Path(cache or cache_folder()) / "embedded" / f"v{VERSION}-{size}px-seed{seed}"
    missing = [spec for spec in specs if not (root / spec.name).is_dir()]
    total = sum(COUNTS.total(spec) for spec in missing)
    silent = not (progress and missing)
    with tqdm(total=total, unit="image", desc="embedded data", disable=silent) as bar:
        for spec in missing:
            _render_to(root / spec.name, spec, size, seed, COUNTS, bar.update)
    return root


def category_spec(name: str) -> Spec:
    """The embedded category of that name; raises InputError, listing the known ones, if none is."""
    if name not in CATEGORIES:
        known = ", ".join(CATEGORIES)
        raise InputError(f"There is no embedded category {name!r}: choose one of {known}.")
    return CATEGORIES[name]


def _check(size: int, seed: int) -> None:
    whole("size", size, MIN_SIZE)
    whole("seed", seed, 0)


def _plan(spec: Spec, counts: Counts) -> Iterator[tuple[Split, str | None, int]]:
    """Every image of a category as (split, defect type, index)."""
    yield from (("train", None, index) for index in range(counts.train))
    yield from (("test", None, index) for index in range(counts.test_good))
    for defect in spec.defects:
        yield from (("test", defect, index) for index in range(counts.per_defect))


def _write(
    folder: Path, split: Split, defect: str | None, index: int, image: Image, mask: Mask
) -> None:
    kind = defect or "good"
    _save(folder / split / kind / f"{index:03d}.png", np.rint(image * 255).astype(np.uint8))
    if defect is not None:
        truth = folder / "ground_truth" / defect / f"{index:03d}_mask.png"
        _save(truth, np.where(mask, 255, 0).astype(np.uint8))


def _save(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Sensor noise hardly compresses: higher levels take longer and gain little.
    PIL.Image.fromarray(pixels).save(path, compress_level=1)


def _publish(part: Path, target: Path) -> None:
    """Give a finished category its name; a process that was quicker wrote the same bytes."""
    try:
        part.rename(target)
    except OSError:
        if not target.is_dir():
            raise
