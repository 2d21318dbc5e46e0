"""One category: good images to train on, test images, labels, masks and a fingerprint."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from aesc.data.cache import ImageCache
from aesc.data.images import (
    check_channels,
    check_same_size,
    check_size,
    decode,
    image_array,
    is_integer,
    mask_array,
    read_bytes,
)
from aesc.data.layout import GOOD, SourceFile, absolute, find_files
from aesc.data.stream import ImageStream
from aesc.errors import InputError

MAX_VALIDATION = 500
"""Validation images at most, however large the folder.

They stay in memory and are looked at after every epoch. The mean PSNR of this many is known to
about a tenth of a decibel.
"""

_Job = tuple[SourceFile, NDArray[np.float32] | None, NDArray[np.bool_] | None]
"""A file to read, the slot its image goes to if it is decoded now, the slot its mask goes to."""


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

    @property
    def notes(self) -> str:
        """One sentence on what pixel scores leave out and why; empty when that is nothing."""
        left_out = [
            path
            for path, scored in zip(self.test_paths, self.pixel_scored.tolist(), strict=True)
            if not scored
        ]
        if not left_out:
            return ""
        if self.masks is None:
            return f"{self.name} has no ground_truth folder, so it has image scores only."
        return (
            f"Left out of the pixel scores because their mask is empty at {self.size} pixels "
            f"although they are defective: {', '.join(left_out)}."
        )


def load_category(
    folder: str | Path,
    size: int = 256,
    channels: int = 1,
    validation_fraction: float = 0.2,
    seed: int = 0,
    workers: int | None = None,
    progress: bool = False,
    memory: int | None = None,
    cache: str | Path | None = None,
) -> Category:
    """Read a category folder.

    Three layouts are understood. MVTec AD: ``train/good``, ``test/<defect type>`` and
    ``ground_truth/<defect type>/<image name>_mask.png`` (or any other image extension). The same
    without ``ground_truth``, for image scores only. A plain folder of good images, which has no
    test images. Hidden files and files that are no images are skipped. How files become arrays is
    told at `aesc.data.read_image` and `aesc.data.read_mask`.

    Args:
        folder: the category folder.
        size: side in pixels that every image is resized to.
        channels: 1 (grey) or 3 (RGB).
        validation_fraction: share of the good training images kept for validation, between 0 and
            1; rounded, with at least one image on either side, at most `MAX_VALIDATION`.
        seed: not negative; draws the validation images, with ``numpy.random.default_rng``, from
            the sorted names.
        workers: decoding threads; None takes one per processor that the process may use.
        progress: show a progress bar while files are decoded.
        memory: bytes that the training images may take. When all of them take more, they are
            streamed from disk and ``memory`` bounds what is kept of them; their files are read
            once now, for the fingerprint, and not decoded. None keeps all of them in memory.
        cache: folder to keep what was read in, and to take it from while no file has changed, for
            example `image_cache()`; None keeps nothing. Streamed images are not kept.

    Raises:
        InputError: the folder has none of the layouts, fewer than two good images, a defective
            image without mask beside a ``ground_truth`` folder, or a file that cannot be read; or
            an argument is out of range.
    """
    _check_arguments(size, channels, validation_fraction, seed, workers, memory)
    root = absolute(folder)
    good, test, has_masks = find_files(root)
    train, validation = _split(good, validation_fraction, seed)
    streamed = memory is not None and 4 * channels * size**2 * len(train) > memory
    held = [*validation, *test] if streamed else [*train, *validation, *test]
    names = _relative(held, root)
    images = np.empty((len(held), channels, size, size), np.float32)
    masks = np.zeros((len(test), 1, size, size), np.bool_)
    entry = None
    if cache is not None and not streamed:
        entry = ImageCache(absolute(cache), root, _all_paths([*good, *test]), size, channels)
    fingerprint = entry and entry.load(names, images, masks)
    digests: dict[Path, bytes] = {}
    if fingerprint is None:
        jobs = _jobs(train if streamed else [], held, images, masks)
        bar = tqdm(total=len(jobs), desc=f"Reading {root.name}", unit="image", disable=not progress)
        digests = _read_all(jobs, workers, bar)
        fingerprint = _fingerprint(digests, root)
        if entry is not None:
            entry.save(names, images, masks, fingerprint)
    labels = torch.tensor([file.defect_type != GOOD for file in test], dtype=torch.int64)
    mask_tensor = torch.from_numpy(masks) if has_masks else None
    tensor = torch.from_numpy(images)
    first_test = len(held) - len(test)
    first_validation = first_test - len(validation)
    return Category(
        name=root.name,
        root=root,
        size=size,
        channels=channels,
        train=(
            _stream(train, digests, size, channels, memory)
            if streamed
            else tensor[:first_validation]
        ),
        validation=tensor[first_validation:first_test],
        test=tensor[first_test:],
        masks=mask_tensor,
        labels=labels,
        defect_types=tuple(file.defect_type for file in test),
        train_paths=_relative(train, root),
        validation_paths=_relative(validation, root),
        test_paths=_relative(test, root),
        pixel_scored=_pixel_scored(labels, mask_tensor),
        fingerprint=fingerprint,
    )


def _split(
    good: list[SourceFile], fraction: float, seed: int
) -> tuple[list[SourceFile], list[SourceFile]]:
    held_out = min(max(round(len(good) * fraction), 1), len(good) - 1, MAX_VALIDATION)
    order = np.random.default_rng(seed).permutation(len(good))
    validation, train = sorted(order[:held_out]), sorted(order[held_out:])
    return [good[i] for i in train], [good[i] for i in validation]


def _stream(
    files: list[SourceFile], digests: dict[Path, bytes], size: int, channels: int, memory: int
) -> ImageStream:
    paths = [file.image for file in files]
    known = [digests[path] for path in paths]
    return ImageStream(paths, size, channels, cache_bytes=memory, digests=known)


def _all_paths(files: list[SourceFile]) -> list[Path]:
    masks = [file.mask for file in files if file.mask is not None]
    return [*(file.image for file in files), *masks]


def _jobs(
    later: list[SourceFile],
    held: list[SourceFile],
    images: NDArray[np.float32],
    masks: NDArray[np.bool_],
) -> list[_Job]:
    """Files that are only read, then those that are decoded, the test images last."""
    masks[:] = False  # a damaged entry of the cache may have left something
    unmasked: list[NDArray[np.bool_] | None] = [None] * (len(held) - len(masks))
    jobs: list[_Job] = [(file, None, None) for file in later]
    return jobs + list(zip(held, images, [*unmasked, *masks], strict=True))


def _read_all(jobs: list[_Job], workers: int | None, bar: tqdm) -> dict[Path, bytes]:
    """Run the jobs in threads (decoding and resizing release the GIL); return file digests."""
    digests: dict[Path, bytes] = {}
    with bar, ThreadPoolExecutor(workers or _processors()) as pool:
        for found in pool.map(_read, jobs):
            digests.update(found)
            bar.update()
    return digests


def _processors() -> int | None:
    """How many processors this process may use, which can be fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _read(job: _Job) -> dict[Path, bytes]:
    """Fill the slots of one image and its mask; return the SHA-256 of each file."""
    file, image_slot, mask_slot = job
    data = read_bytes(file.image)
    if image_slot is None:
        return {file.image: hashlib.sha256(data).digest()}
    image = decode(data, file.image)
    channels, size, _ = image_slot.shape
    image_slot[:] = image_array(image, file.image, size, channels)
    digests = {file.image: hashlib.sha256(data).digest()}
    if file.mask is not None and mask_slot is not None:
        data = read_bytes(file.mask)
        mask = decode(data, file.mask)
        check_same_size(mask, file.mask, image, file.image)
        mask_slot[0] = mask_array(mask, size)
        digests[file.mask] = hashlib.sha256(data).digest()
    return digests


def _pixel_scored(labels: Tensor, masks: Tensor | None) -> Tensor:
    if masks is None:
        return torch.zeros(len(labels), dtype=torch.bool)
    return (labels == 0) | masks.flatten(1).any(1)


def _relative(files: list[SourceFile], root: Path) -> tuple[str, ...]:
    return tuple(file.image.relative_to(root).as_posix() for file in files)


def _fingerprint(digests: dict[Path, bytes], root: Path) -> str:
    by_name = {path.relative_to(root).as_posix(): digest for path, digest in digests.items()}
    whole = hashlib.sha256()
    for name in sorted(by_name):
        whole.update(os.fsencode(name) + b"\0" + by_name[name])  # fixed length, so unambiguous
    return whole.hexdigest()


def _check_arguments(
    size: int, channels: int, fraction: float, seed: int, workers: int | None, memory: int | None
) -> None:
    check_size(size)
    check_channels(channels)
    if not 0 < fraction < 1:
        raise InputError(f"validation_fraction is {fraction!r}; give a number between 0 and 1.")
    if not is_integer(seed) or seed < 0:
        raise InputError(f"seed is {seed!r}; give a whole number of at least 0.")
    if workers is not None and (not is_integer(workers) or workers < 1):
        raise InputError(f"workers is {workers!r}; give a positive whole number or None.")
    if memory is not None and (not is_integer(memory) or memory < 0):
        raise InputError(f"memory is {memory!r}; give a number of bytes of at least 0, or None.")
