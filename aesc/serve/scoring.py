"""What stands between the requests and the detectors: one queue, one thread, and counters."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from aesc.detector import Detector, Drift, Result
from aesc.detector.report import without_map
from aesc.errors import InputError

READERS = 2
"""Threads that read files."""


_Found = TypeVar("_Found")


class Busy(Exception):
    """As many images wait as the queue holds."""


class Scorer:
    """Scores images of many requests one after the other, in a thread of its own.

    Files are read by other threads, so that one that cannot be read, or declares more pixels than
    are allowed, is told without waiting for those that are computed.

    Args:
        detectors: calibrated ones, by name.
        queue: number of requests that may wait or be computed; the next one is `Busy`.

    Attributes:
        counts: by model and verdict, how many images were scored.
        seconds: by model, how long reading and scoring took, without waiting.
        drifts: by model, whether its last images still look like the good ones.
        waiting: requests that wait or are computed.

    Raises:
        InputError: a detector without a threshold.
    """

    def __init__(self, detectors: Mapping[str, Detector], queue: int) -> None:
        self.detectors = detectors
        self.drifts = {name: Drift.of(detector) for name, detector in detectors.items()}
        self.counts: Counter[tuple[str, str]] = Counter()
        self.seconds = dict.fromkeys(detectors, 0.0)
        self.waiting = 0
        self._queue = queue
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reading")
        # One thread: torch uses all cores for one image, and two would only disturb each other.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scoring")

    async def score(self, name: str, images: Sequence[tuple[str, bytes]]) -> list[Result]:
        """Score the images of one request; one that cannot be read is a result with an error.

        The images of a batch take turns with those of other requests.

        Args:
            name: of the detector.
            images: name and content of each file.

        Raises:
            Busy: the queue is full.
        """
        if self.waiting >= self._queue:
            raise Busy
        self.waiting += 1
        try:
            return [await self._one(name, *image) for image in images]
        finally:
            self.waiting -= 1

    async def _one(self, model: str, name: str, content: bytes) -> Result:
        loop, detector = asyncio.get_running_loop(), self.detectors[model]
        work = _Work()
        try:
            picture = await loop.run_in_executor(
                self._readers, work.timed, lambda: detector.preprocessing.read(content, name)
            )
            (result,) = await loop.run_in_executor(
                self._thread, work.timed, lambda: detector.judge([picture])
            )
            if result.verdict != "error":
                self.drifts[model].add(result.p_value)
        except InputError as error:
            result = Result.failed(name, detector.threshold, str(error))
        self.counts[model, result.verdict] += 1
        self.seconds[model] += work.seconds
        return replace(without_map(result), seconds=work.seconds)

    def close(self) -> None:
        """Wait for what is being computed; nothing new is begun."""
        self._readers.shutdown(cancel_futures=True)
        self._thread.shutdown(cancel_futures=True)


@dataclass
class _Work:
    """Time of work on one image, whose steps follow each other in several threads.

    Taken in the threads themselves: before each of them, the image waits.
    """

    seconds: float = 0.0

    def timed(self, step: Callable[[], _Found]) -> _Found:
        started = time.perf_counter()
        try:
            return step()
        finally:
            self.seconds += time.perf_counter() - started
