"""How fast a category is read into memory, from its files and from the cache.

    python -m benchmarks.reading [--quick] [--threads N]

The reference resizes in 8 bits and `aesc.data` in floating point, so the two agree to the rounding
of the reference: after the change to grey and after the resizing in both directions, half a level
each time. With ``--quick`` there are a tenth of the images.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import zoom

from aesc.data import Category, ReadOptions, load_category
from aesc.data.cache import SETTLED
from aesc.machine import usable_cores
from benchmarks.harness import Row, arguments, compare, write
from benchmarks.reference.reading import read_folder

IMAGES, SIDE, SIZE = 300, 900, 256
DISTINCT = 15
TOLERANCE = 1.5 / 255 + 1e-6


def main() -> None:
    """Write images, check, measure and write."""
    options = arguments(__doc__.splitlines()[0])
    images, repeats = (IMAGES // 10, 3) if options.quick else (IMAGES, 5)
    with tempfile.TemporaryDirectory() as scratch:
        folder, cache = Path(scratch) / "images", Path(scratch) / "cache"
        megabytes = make_images(folder, images) / 1e6
        time.sleep(SETTLED + 1)  # files that are still being written are not kept
        check(folder, load_category(folder, SIZE, options=ReadOptions(cache=cache)))
        check(folder, load_category(folder, SIZE, options=ReadOptions(cache=cache)))
        rows = _rows(folder, cache, images, options.threads, repeats)
    write(options, "reading", rows, megabytes_per_image=megabytes / images)


def _rows(folder: Path, cache: Path, images: int, workers: int | None, repeats: int) -> list[Row]:
    what = f"{images} RGB files of {SIDE} x {SIDE} to grey {SIZE} x {SIZE}"
    against = "a loop with Pillow and numpy"
    threads = workers or usable_cores()
    return [
        compare(
            f"reading {what}, {threads} threads",
            against,
            lambda: read_folder(folder, SIZE),
            lambda: load_category(folder, SIZE, options=ReadOptions(workers=workers)),
            goal=1.8,
            repeats=repeats,
        ),
        compare(
            f"reading {what} from the cache",
            against,
            lambda: read_folder(folder, SIZE),
            lambda: load_category(folder, SIZE, options=ReadOptions(cache=cache)),
            goal=10,
            repeats=repeats,
        ),
    ]


def make_images(folder: Path, count: int) -> int:
    """Write PNGs (RGB) of smooth textures with the noise of a camera; returns their bytes.

    There are `DISTINCT` ones, each written under several names.
    """
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(min(count, DISTINCT)):
        coarse = rng.uniform(40, 215, (30, 30, 3))
        smooth = zoom(coarse, (SIDE / 30, SIDE / 30, 1), order=1)
        pixels = smooth + rng.normal(0, 1.5, smooth.shape)
        image = Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
        image.save(folder / f"{index:03}.png")
    for index in range(DISTINCT, count):
        shutil.copyfile(folder / f"{index % DISTINCT:03}.png", folder / f"{index:03}.png")
    return sum(path.stat().st_size for path in folder.iterdir())


def check(folder: Path, category: Category) -> None:
    """Assert that the images are those of the reference."""
    assert isinstance(category.train, torch.Tensor), "these few images fit into memory"
    ours = dict(zip(category.train_paths, category.train, strict=True))
    ours.update(zip(category.validation_paths, category.validation, strict=True))
    read = torch.stack([ours[name] for name in sorted(ours)]).numpy()
    np.testing.assert_allclose(read, read_folder(folder, SIZE), rtol=0, atol=TOLERANCE)


if __name__ == "__main__":
    main()
