"""Reading the files of a category into arrays: decoded in threads, or taken from the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from aesc._checks import whole
from aesc.data.cache import ImageCache
from aesc.data.depth import common_white_level, depth_notes
from aesc.data.fingerprint import fingerprint_of
from aesc.data.folders import absolute
from aesc.data.images import FRAMES, decode, image_array, largest_value, read_bytes
from aesc.data.listing import CategoryFiles, SourceFile
from aesc.data.mask_images import DecodedMask, check_same_size, resized_mask
from aesc.data.oddities import faint_notes, page_notes, same_files
from aesc.errors import InputError
from aesc.machine import usable_cores


@dataclass(frozen=True)
class ReadOptions:
    """How a category is read. None of it changes a pixel.

    Attributes:
        memory: bytes that all images and masks of the category may take together. When they would
            take more, the training images are streamed from disk and only what the others leave is
            used to keep some of them. None keeps all of them in memory.
        cache: folder to keep what was read in, and to take it from while no file has changed, for
            example `image_cache()`; None keeps nothing. Streamed images are not kept.
        workers: decoding threads; None takes one per usable core.
        progress: show a progress bar while files are decoded.

    Raises:
        InputError: a number out of range.

    Example:
        >>> ReadOptions(memory=2**30)
        ReadOptions(memory=1073741824, cache=None, workers=None, progress=False)
    """

    memory: int | None = None
    cache: str | Path | None = None
    workers: int | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        if self.memory is not None:
            whole("memory", self.memory, 0)
        if self.workers is not None:
            whole("workers", self.workers)


@dataclass(frozen=True)
class Selection:
    """The files of a category and the part that each of them plays.

    Attributes:
        root: the category folder.
        files: all of them, and notes.
        train: good images to train on.
        validation: good images kept out of training.
    """

    root: Path
    files: CategoryFiles
    train: Sequence[SourceFile]
    validation: Sequence[SourceFile]

    @property
    def test(self) -> Sequence[SourceFile]:
        """The test images."""
        return self.files.test

    def names(self, files: Iterable[SourceFile]) -> tuple[str, ...]:
        """Paths of images relative to the category folder, with ``/``."""
        return tuple(file.image.relative_to(self.root).as_posix() for file in files)


@dataclass
class Arrays:
    """What was read of a category.

    Attributes:
        images: float32 N x C x H x W: training images unless they are streamed, then validation
            and test images.
        masks: bool M x 1 x H x W, of the test images.
        fingerprint: see `aesc.data.Category`.
        notes: sentences on what was found in the files.
        white_level: see `aesc.data.Category`.
        digests: SHA-256 of every file by path; empty when the arrays come from the cache.
    """

    images: NDArray[np.float32]
    masks: NDArray[np.bool_]
    fingerprint: str = ""
    notes: tuple[str, ...] = ()
    white_level: float = 255
    digests: dict[Path, bytes] = field(default_factory=dict)


def room_for_training(
    chosen: Selection, size: int, channels: int, memory: int | None
) -> int | None:
    """Bytes left for training images that must be streamed; None when all of them fit.

    Raises:
        InputError: validation images, test images and masks take more than the memory allowed.
    """
    if memory is None:
        return None
    one = 4 * channels * size**2
    held = one * (len(chosen.validation) + len(chosen.test)) + size**2 * len(chosen.test)
    if held > memory:
        raise InputError(
            f"{chosen.root} has {len(chosen.test)} test and {len(chosen.validation)} validation "
            f"images, which take {held / 2**20:.1f} MiB at {size} x {size} x {channels} values, "
            f"more than the {memory / 2**20:.1f} MiB allowed: choose a smaller size, or move some "
            "test images to a category of their own."
        )
    return memory - held if held + one * len(chosen.train) > memory else None


def read_arrays(
    chosen: Selection, size: int, channels: int, options: ReadOptions, streamed: bool
) -> Arrays:
    """Decode the images that are held in memory, or take them from the cache.

    Args:
        chosen: which files there are.
        size: side of the result in pixels.
        channels: 1 (grey) or 3 (RGB).
        options: threads, cache and progress bar.
        streamed: leave the training images on disk; their files are only checked and hashed.

    Raises:
        InputError: a file that cannot be read.
    """
    held = [*([] if streamed else chosen.train), *chosen.validation, *chosen.test]
    arrays = Arrays(
        np.empty((len(held), channels, size, size), np.float32),
        np.zeros((len(chosen.test), 1, size, size), np.bool_),
    )
    names, entry = chosen.names(held), None
    if options.cache is not None and not streamed:
        folder = absolute(options.cache)
        entry = ImageCache(folder, chosen.root, chosen.files.paths, size, channels)
        facts = entry.load(names, arrays.images, arrays.masks)
        if facts is not None:
            arrays.fingerprint, arrays.white_level = facts["fingerprint"], facts["white_level"]
            arrays.notes = tuple(facts["notes"])
    if not arrays.fingerprint:
        arrays.masks[:] = False  # a damaged entry of the cache may have left something
        _decode_all(arrays, chosen, held, options)
        if entry is not None:
            facts = {
                "fingerprint": arrays.fingerprint,
                "white_level": arrays.white_level,
                "notes": list(arrays.notes),
            }
            entry.save(names, arrays.images, arrays.masks, facts)
    return arrays


@dataclass(frozen=True)
class _Job:
    """A file to read, and the slots that its image and its masks go to, if they are decoded now."""

    file: SourceFile
    image: NDArray[np.float32] | None = None
    mask: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class _Facts:
    """What decoding an image finds out: its largest value, its frames, and masks that look odd."""

    largest: float
    frames: int
    faint_masks: list[Path] = field(default_factory=list)


def _decode_all(
    arrays: Arrays, chosen: Selection, held: Sequence[SourceFile], options: ReadOptions
) -> None:
    """Fill the arrays in threads; decoding and resizing release the GIL."""
    first_test = len(held) - len(chosen.test)
    masks = [None] * first_test + list(arrays.masks)
    jobs = [_Job(*slots) for slots in zip(held, arrays.images, masks, strict=True)]
    there = set(held)
    jobs = [_Job(file) for file in chosen.train if file not in there] + jobs
    arrays.digests, found = _read_all(jobs, arrays.white_level, chosen.root, options)
    largest = {path: facts.largest for path, facts in found.items()}
    white = common_white_level(largest[file.image] for file in chosen.files.good)
    if white != arrays.white_level:  # files of more than 8 bits, which are rare
        arrays.white_level = white
        arrays.masks[:] = False
        decoded = [job for job in jobs if job.image is not None]
        _read_all(decoded, white, chosen.root, options)
    arrays.fingerprint = fingerprint_of(arrays.digests, chosen.root)
    arrays.notes = (
        *same_files(chosen.root, chosen.files, arrays.digests),
        *depth_notes(chosen.root, largest, white),
        *page_notes(chosen.root, {path: facts.frames for path, facts in found.items()}),
        *faint_notes(chosen.root, (mask for f in found.values() for mask in f.faint_masks)),
    )


def _read_all(
    jobs: Sequence[_Job], white_level: float, root: Path, options: ReadOptions
) -> tuple[dict[Path, bytes], dict[Path, _Facts]]:
    """Run jobs; return the SHA-256 of every file and what was found out about every image."""
    digests: dict[Path, bytes] = {}
    facts: dict[Path, _Facts] = {}
    bar = tqdm(
        total=len(jobs), desc=f"Reading {root.name}", unit="image", disable=not options.progress
    )
    with bar, ThreadPoolExecutor(options.workers or usable_cores()) as pool:
        for job, (found, image_facts) in zip(
            jobs, pool.map(lambda job: _read(job, white_level), jobs), strict=True
        ):
            digests.update(found)
            facts[job.file.image] = image_facts
            bar.update()
    return digests, facts


def _read(job: _Job, white_level: float) -> tuple[dict[Path, bytes], _Facts]:
    """Fill the slots of one job; return the SHA-256 of each file and facts about the image."""
    path = job.file.image
    data = read_bytes(path)
    digests = {path: hashlib.sha256(data).digest()}
    image = decode(data, path)
    facts = _Facts(largest_value(image, path), image.info[FRAMES])
    if job.image is not None:
        channels, side, _ = job.image.shape
        job.image[:] = image_array(image, path, (side, side), channels, white_level)
    if job.mask is None:
        return digests, facts
    for mask_path in job.file.masks:
        data = read_bytes(mask_path)
        digests[mask_path] = hashlib.sha256(data).digest()
        mask = decode(data, mask_path)
        check_same_size(mask, mask_path, image, path)
        decoded = DecodedMask.of(mask, mask_path)
        job.mask[0] |= resized_mask(decoded.defect, (side, side))
        if decoded.has_faint_areas():
            facts.faint_masks.append(mask_path)
    return digests, facts
