"""One category: good images to train on, test images, labels, masks and a fingerprint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from aesc._checks import channels as check_channels
from aesc._checks import number, whole
from aesc.data.folders import absolute, list_category
from aesc.data.listing import GOOD, listed
from aesc.data.reading import Arrays, ReadOptions, Selection, read_arrays, room_for_training
from aesc.data.stream import ImageStream

MAX_VALIDATION = 500
"""Most validation images, however large the folder.

They stay in memory and are looked at after every epoch. The mean PSNR of this many is known to
about a tenth of a decibel.
"""

NEARLY_ALL = 0.9
"""A mask that covers more than this share of its image is worth a note."""

_File = TypeVar("_File")
_READ_ALL = ReadOptions()


@dataclass(frozen=True, eq=False)
class Category:
    """The images of one category, read and resized. H = W = ``size`` pixels, C = ``channels``.

    Attributes:
        name: name of the folder.
        root: absolute path of the folder.
        size: side of every image in pixels.
        channels: 1 (grey) or 3 (RGB).
        train: float32 N x C x H x W in [0, 1], good images; an `ImageStream` of them when they
            would take more memory than allowed.
        validation: float32 N x C x H x W in [0, 1], the good images kept out of training.
        test: the same, good and defective images.
        masks: bool N x 1 x H x W for the test images, True on a defect; None when the folder has
            no ``ground_truth`` folder.
        labels: int64 N for the test images, 0 good and 1 defective.
        defect_types: for each test image, its defect type or ``"good"``.
        train_paths: for each training image, its path relative to ``root``, with ``/``.
        validation_paths: the same for the validation images.
        test_paths: the same for the test images.
        pixel_scored: bool N for the test images, False for those that pixel scores must leave out:
            defective ones whose mask is empty at this size, and all of them without masks.
        white_level: value in the files that became 1: 255 for 8 bits; for more, what 10, 12, 14 or
            16 bits hold, whichever the good images need.
        notes: sentences on what was passed over, left out or is odd; none is the usual case.
        fingerprint: SHA-256 (64 hex digits) over the sorted relative paths of all files read, masks
            included, each followed by the SHA-256 of its bytes; it tells data apart, whatever the
            size, channels or split they were read with.
    """

    name: str
    root: Path
    size: int
    channels: int
    train: Tensor | ImageStream = field(repr=False)
    validation: Tensor = field(repr=False)
    test: Tensor = field(repr=False)
    masks: Tensor | None = field(repr=False)
    labels: Tensor = field(repr=False)
    defect_types: tuple[str, ...] = field(repr=False)
    train_paths: tuple[str, ...] = field(repr=False)
    validation_paths: tuple[str, ...] = field(repr=False)
    test_paths: tuple[str, ...] = field(repr=False)
    pixel_scored: Tensor = field(repr=False)
    fingerprint: str
    white_level: float = 255
    notes: tuple[str, ...] = ()


def load_category(
    folder: str | Path,
    size: int = 256,
    channels: int = 1,
    validation_fraction: float = 0.2,
    seed: int = 0,
    options: ReadOptions = _READ_ALL,
) -> Category:
    """Read a category folder.

    Two layouts are understood. That of MVTec AD has ``train/good``, ``test/<defect type>`` and
    ``ground_truth/<defect type>/<image name>_mask.png``; without ``ground_truth`` there are scores
    per image only. A plain folder of good images has no test images. Hidden files are skipped, and
    what else is not read is counted in ``notes``. How files become arrays is told at
    `aesc.data.read_image` and `aesc.data.read_mask`.

    Args:
        folder: the category folder.
        size: side in pixels that every image is resized to.
        channels: 1 (grey) or 3 (RGB).
        validation_fraction: share of the good training images kept for validation, between 0 and
            1; rounded, with at least one image on either side, at most `MAX_VALIDATION`.
        seed: not negative; draws the validation images, with ``numpy.random.default_rng``, from
            the sorted names.
        options: memory, cache, threads and progress bar; they change no pixel.

    Returns:
        The category, its images in memory or, the training images, as a stream.

    Raises:
        InputError: the folder has none of the layouts, fewer than two good images, or a file that
            cannot be read; test images that take more memory than allowed; or an argument out of
            range.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for grey in (0, 51, 102, 153, 204):
        ...         Image.new("L", (8, 8), grey).save(f"{folder}/{grey:03}.png")
        ...     category = load_category(folder, size=4, seed=1)
        >>> category.train.shape, category.validation_paths, category.validation.mean()
        (torch.Size([4, 1, 4, 4]), ('204.png',), tensor(0.8000))
    """
    whole("size", size)
    check_channels(channels)
    number("validation_fraction", validation_fraction, 0, 1, above=True, below=True)
    whole("seed", seed, 0)
    root = absolute(folder)
    files = list_category(root)
    train, validation = split(files.good, validation_fraction, seed)
    chosen = Selection(root, files, train, validation)
    room = room_for_training(chosen, size, channels, options.memory)
    arrays = read_arrays(chosen, size, channels, options, streamed=room is not None)
    return _assemble(chosen, arrays, room)


def split(good: Sequence[_File], fraction: float, seed: int) -> tuple[list[_File], list[_File]]:
    """Draw the validation images from the good ones.

    Args:
        good: at least two files, or whatever stands for them.
        fraction: share of them for validation; at least one, at most `MAX_VALIDATION`.
        seed: of the draw.

    Returns:
        Those for training and those for validation, both in the order given.

    Example:
        >>> split(["0.png", "1.png", "2.png", "3.png", "4.png"], 0.4, seed=0)
        (['0.png', '1.png', '3.png'], ['2.png', '4.png'])
    """
    held_out = min(max(round(len(good) * fraction), 1), len(good) - 1, MAX_VALIDATION)
    order = np.random.default_rng(seed).permutation(len(good))
    validation, train = sorted(order[:held_out]), sorted(order[held_out:])
    return [good[i] for i in train], [good[i] for i in validation]


def _assemble(chosen: Selection, arrays: Arrays, room: int | None) -> Category:
    """Cut the arrays into the sets of a category; ``room`` is None unless training is streamed."""
    images = torch.from_numpy(arrays.images)  # N x C x H x W
    _, channels, size, _ = images.shape
    first_test = len(images) - len(chosen.test)
    first_validation = first_test - len(chosen.validation)
    labels = torch.tensor([f.defect_type != GOOD for f in chosen.test], dtype=torch.int64)
    masks = torch.from_numpy(arrays.masks) if chosen.files.has_masks else None
    if room is None:
        train: Tensor | ImageStream = images[:first_validation]
    else:
        paths = [file.image for file in chosen.train]
        digests = [arrays.digests[path] for path in paths]
        white = arrays.white_level
        train = ImageStream(
            paths, size, channels, cache_bytes=room, digests=digests, white_level=white
        )
    return Category(
        name=chosen.root.name,
        root=chosen.root,
        size=size,
        channels=channels,
        train=train,
        validation=images[first_validation:first_test],
        test=images[first_test:],
        masks=masks,
        labels=labels,
        defect_types=tuple(file.defect_type for file in chosen.test),
        train_paths=chosen.names(chosen.train),
        validation_paths=chosen.names(chosen.validation),
        test_paths=chosen.names(chosen.test),
        pixel_scored=_pixel_scored(labels, masks),
        fingerprint=arrays.fingerprint,
        white_level=arrays.white_level,
        notes=(*_left_out(chosen, masks, size), *chosen.files.notes, *arrays.notes),
    )


def _pixel_scored(labels: Tensor, masks: Tensor | None) -> Tensor:
    if masks is None:
        return torch.zeros(len(labels), dtype=torch.bool)
    return (labels == 0) | masks.flatten(1).any(1)


def _left_out(chosen: Selection, masks: Tensor | None, size: int) -> Iterator[str]:
    """Sentences on the test images that pixel scores leave out, and why."""
    if not chosen.test:
        return
    if masks is None:
        yield f"{chosen.root.name} has no masks in ground_truth, so it has image scores only."
        return
    defective = [
        (file, bool(mask.any()))
        for file, mask in zip(chosen.test, masks, strict=True)
        if file.defect_type != GOOD
    ]
    without = chosen.names(file for file, _ in defective if not file.masks)
    if without:
        yield f"Left out of the pixel scores because they have no mask: {listed(without)}."
    full = chosen.names(
        file
        for file, mask in zip(chosen.test, masks, strict=True)
        if float(mask.float().mean()) > NEARLY_ALL
    )
    if full:
        yield f"Masks cover nearly the whole image; are they inverted? {listed(full)}."
    empty = chosen.names(file for file, any_ in defective if file.masks and not any_)
    if empty:
        yield (
            f"Left out of the pixel scores because their mask is empty at {size} pixels "
            f"although they are defective: {listed(empty)}."
        )
