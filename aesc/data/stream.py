"""Training images that stay on disk: read ahead by other processes, kept in memory while they fit.

`batches_of` gives a training its batches, from a tensor or from an `ImageStream`; both give the
same values in the same order, so where the images lie does not change what is learnt.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from aesc._checks import channels as check_channels
from aesc._checks import number, whole
from aesc.data.images import read_bytes, read_image
from aesc.errors import InputError
from aesc.machine import memory_limit, usable_cores

MAX_WORKERS = 8
"""Most reader processes by default; each holds two batches that wait to be fetched."""


class ImageStream(Dataset[Tensor]):
    """Image files in place of an N x C x H x W tensor, decoded when asked for; H = W = ``size``.

    Images are decoded and resized as by `aesc.data.read_image`, so a damaged file is found only
    when its turn comes; `aesc.data.load_category` decodes every file once before it streams them.

    Args:
        paths: the N image files.
        size: side of the images in pixels.
        channels: 1 (grey) or 3 (RGB).
        cache_bytes: memory for decoded images, in bytes. As many of the first images as fit are
            kept once they were read. None is replaced: every pass asks for every image once, in
            an order of its own, and then no replacement finds more images in memory.
        workers: processes that read ahead. None takes one per thread of torch, but no more than
            usable cores or 8; 0 reads in this process, where no other can be started.
        digests: SHA-256 of each file's bytes, if they are known already.
        white_level: value in the files that becomes 1; None as for `aesc.data.read_image`.

    Raises:
        InputError: an argument out of range.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        size: int,
        channels: int = 1,
        *,
        cache_bytes: int = 2**30,
        workers: int | None = None,
        digests: Sequence[bytes] | None = None,
        white_level: float | None = None,
    ) -> None:
        self.size, self.channels = whole("size", size), check_channels(channels)
        self.cache_bytes = whole("cache_bytes", cache_bytes, 0)
        usual = min(MAX_WORKERS, torch.get_num_threads(), usable_cores())
        self.workers = usual if workers is None else whole("workers", workers, 0)
        # One buffer: touching a Python object makes a worker copy the page that it lies on.
        self._paths = np.array([os.fsencode(path) for path in paths])
        self._digests = digests
        if white_level is not None:
            number("white_level", white_level, 0, above=True)
        self.white_level = white_level

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> Tensor:
        """Decode one image: float32 ``channels x size x size`` in [0, 1].

        Raises:
            InputError: the file cannot be read.
        """
        path = self._path(index)
        return torch.from_numpy(read_image(path, self.size, self.channels, self.white_level))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """N, C, H and W."""
        return len(self), self.channels, self.size, self.size

    @cached_property
    def identity(self) -> str:
        """SHA-256 (64 hex digits) over size, channels, white level and the digests, in their order.

        Every file is read for it, once, unless the digests were given.
        """
        whole = hashlib.sha256(f"{self.size} {self.channels} {self.white_level}".encode())
        for index in range(len(self)):
            whole.update(self._digests[index] if self._digests else self._digest(index))
        return whole.hexdigest()

    def split(self, batch_size: int) -> Iterator[Tensor]:
        """Read all images once, in their order, B x C x H x W at a time, as a tensor's ``split``.

        Raises:
            InputError: a file cannot be read.
        """
        order = torch.arange(len(self)).split(batch_size)
        return _Reader(self, torch.device("cpu"), cache_bytes=0)(order)

    def _path(self, index: int) -> str:
        return os.fsdecode(self._paths[index])

    def _digest(self, index: int) -> bytes:
        return hashlib.sha256(read_bytes(self._path(index))).digest()


def batches_of(
    images: Tensor | ImageStream, device: torch.device
) -> Callable[[Iterable[Tensor]], Iterator[Tensor]]:
    """Prepare random access to training images by batches.

    Args:
        images: N x C x H x W in [0, 1]. A tensor is moved to ``device`` as a whole.
        device: where the batches are put.

    Returns:
        A function from the indices of some batches (B whole numbers from 0 to N - 1 each) to these
        batches (B x C x H x W on ``device``). It raises InputError for a file that cannot be read.

    Example:
        >>> images = torch.arange(4.0).reshape(4, 1, 1, 1)
        >>> fetch = batches_of(images, torch.device("cpu"))
        >>> [batch.flatten().tolist() for batch in fetch([torch.tensor([2, 0]), torch.tensor([3])])]
        [[2.0, 0.0], [3.0]]
    """
    if isinstance(images, ImageStream):
        return _Reader(images, device, images.cache_bytes)
    here = images.to(device)
    return lambda order: (here[index] for index in order)


def half_of_memory(device: torch.device) -> int:
    """Half the main memory for this run, or half that of its card if it has less, in bytes.

    Args:
        device: where the images are to be used.

    Example:
        >>> half_of_memory(torch.device("cpu")) > 0
        True
    """
    memory = memory_limit()
    if device.type == "cuda":
        memory = min(memory, torch.cuda.get_device_properties(device).total_memory)
    return memory // 2


class _Reader:
    """Batches of an `ImageStream` on a device. Its processes end with it."""

    def __init__(self, stream: ImageStream, device: torch.device, cache_bytes: int) -> None:
        _, *shape = stream.shape
        room = cache_bytes // (4 * stream.channels * stream.size**2)
        # Pages of memory that nothing was written to take no memory.
        self._kept = torch.empty(min(room, len(stream)), *shape)
        self._have: set[int] = set()
        self._device = device
        self._missing: list[list[int]] = []
        self._loader = DataLoader(
            _Attempts(stream),
            batch_size=None,
            sampler=self._missing,
            num_workers=stream.workers,
            persistent_workers=stream.workers > 0,
            collate_fn=_as_it_is,
            generator=torch.Generator(),  # seeds the workers; torch's global one is left alone
        )

    def __call__(self, order: Iterable[Tensor]) -> Iterator[Tensor]:
        batches = [index.tolist() for index in order]
        self._missing[:] = self._to_read(batches)
        for batch, missing, images in zip(batches, self._missing, self._loader, strict=True):
            if isinstance(images, InputError):
                raise images
            read = dict(zip(missing, torch.from_numpy(images), strict=True))
            self._keep(read)
            yield self._assemble(batch, read)

    def _to_read(self, batches: list[list[int]]) -> Iterator[list[int]]:
        """Indices that each batch has yet to read, if every image is kept while there is room."""
        have = set(self._have)
        for batch in batches:
            missing = [index for index in batch if index not in have]
            have.update(index for index in missing if index < len(self._kept))
            yield missing

    def _keep(self, read: dict[int, Tensor]) -> None:
        for index, image in read.items():
            if index < len(self._kept):
                self._kept[index] = image
                self._have.add(index)

    def _assemble(self, batch: list[int], read: dict[int, Tensor]) -> Tensor:
        images = [read[index] if index in read else self._kept[index] for index in batch]
        # A card fetches from pinned memory by itself, while the host goes on.
        pinned = self._device.type == "cuda"
        whole = torch.empty(len(batch), *self._kept.shape[1:], pin_memory=pinned)
        return torch.stack(images, out=whole).to(self._device, non_blocking=pinned)


class _Attempts(Dataset[NDArray[np.float32] | InputError]):
    """Lists of indices to the images, or to the error, which DataLoader would wrap in a page.

    Arrays come through a pipe. Tensors would come through shared memory, which is a little faster,
    but containers have little of it.
    """

    def __init__(self, stream: ImageStream) -> None:
        self.stream = stream

    def __getitem__(self, indices: list[int]) -> NDArray[np.float32] | InputError:
        _, *shape = self.stream.shape
        images = np.empty((len(indices), *shape), np.float32)
        try:
            for place, index in enumerate(indices):
                images[place] = self.stream[index]
        except InputError as error:
            return error
        return images


def _as_it_is(item: object) -> object:
    return item
