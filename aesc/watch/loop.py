"""Looking at a folder again and again, and scoring what has arrived."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from aesc._checks import choice, counted, number, whole
from aesc._names import with_ending
from aesc.data.images import read_bytes
from aesc.detector import Detector, Drift, Picture, Result
from aesc.detector.detector import BATCH, READERS
from aesc.detector.drift import WINDOW
from aesc.detector.report import without_map
from aesc.errors import InputError
from aesc.files import check_writable, remove_abandoned, whole_file
from aesc.paths import is_folder
from aesc.watch.settling import Look, Settling, look
from aesc.watch.table import ResultTable, Version

PATIENCE = 10
"""A file that cannot be read gets so many times the settling time before it counts as an error: a
slow network may pause in the middle of it, and a system may keep it locked."""


@dataclass(frozen=True)
class WatchSettings:
    """How a folder is watched.

    Attributes:
        settle: seconds for which size and time of a file must not change before it is read.
        interval: seconds between two looks.
        existing: what to do with images that lie in the folder at the very first start: ``score``
            or ``skip``. Those that arrive while nobody watches are scored at the next start.
        sort: ``copy`` puts a copy of each image into ``sorted/VERDICT``; ``none``.
        until: stop when the table has so many rows; None goes on for ever.
        recursive: watch the folders inside as well.

    Raises:
        InputError: a value out of range.
    """

    settle: float = 0.5
    interval: float = 0.5
    existing: Literal["score", "skip"] = "score"
    sort: Literal["none", "copy"] = "none"
    until: int | None = None
    recursive: bool = False

    def __post_init__(self) -> None:
        number("settle", self.settle, 0, 3600)
        number("interval", self.interval, 0, 3600, above=True)
        choice("existing", self.existing, ("score", "skip"))
        choice("sort", self.sort, ("none", "copy"))
        if self.until is not None:
            whole("until", self.until)


def watch(
    detector: Detector,
    folder: str | Path,
    out: str | Path,
    settings: WatchSettings | None = None,
    note: Callable[[str], None] = lambda sentence: None,
) -> Iterator[Result]:
    """Score the images of a folder as they arrive, each content of a file once.

    ``results.csv`` in ``out`` has a row for each, under its name inside the folder. A file that
    cannot be read is a row with the verdict ``error``; when it changes, it is read again. So is a
    file that is written anew, and it gets another row if its content is another one.

    Args:
        detector: calibrated.
        folder: where images arrive.
        out: folder for ``results.csv`` and ``sorted/``; made when missing. One process uses it.
        settings: how to watch.
        note: told in a sentence of drift, of a folder that cannot be listed for a while, and once
            of an image that cannot be looked at.

    Yields:
        The results, without their maps, each after its row has reached the disk.

    Raises:
        InputError: no such folder, a folder ``out`` that cannot be written to or is in use, or a
            detector without a threshold.
    """
    source, target = Path(folder), Path(out)
    if not is_folder(source):
        raise InputError(f"{folder} is not a folder: give the folder that images arrive in.")
    if target.exists() and target.samefile(source):
        raise InputError(f"{out} is the folder that is watched: choose another for the results.")
    Drift.of(detector)  # refused before anything is written
    check_writable(target)
    chosen = settings or WatchSettings()
    skipped = _skipped(source, target, chosen)
    with ResultTable.open(target / "results.csv") as table:
        table.versions = {**skipped, **table.versions}
        for sorted_into, _, _ in os.walk(target / "sorted"):  # copies that were cut short
            remove_abandoned(Path(sorted_into))
        yield from _Watcher(detector, source, target, chosen, note, table).results()


@dataclass(frozen=True)
class _Arrival:
    """A file that was read: its bytes if they are kept, their SHA-256, and the picture or error.

    ``steady``: whether it was still the same file afterwards.
    """

    name: str
    version: Version
    data: bytes | None
    digest: str
    content: Picture | InputError
    steady: bool


class _Watcher:
    def __init__(
        self,
        detector: Detector,
        folder: Path,
        out: Path,
        settings: WatchSettings,
        note: Callable[[str], None],
        table: ResultTable,
    ) -> None:
        self._detector, self._folder, self._out = detector, folder, out
        self._settings, self._note, self._table = settings, note, table
        self._settling = Settling(settings.settle)
        self._unread: set[str] = set()  # settled, and could not be read so far
        self._unlisted: set[str] = set()
        self._passed: set[str] = set()  # told once
        self._drift = Drift.of(detector)
        # After another calibration, p-values are not those of before.
        threshold = f"{detector.threshold:.6g}"
        self._drift.extend(p for at, p in table.history if at == threshold)
        self._told: int | None = None  # rows when drift was told

    def results(self) -> Iterator[Result]:
        with ThreadPoolExecutor(READERS) as pool:
            while self._left() > 0:
                found = look(self._folder, self._settings.recursive, self._out.resolve())
                self._say_what_is_missing(found)
                now = time.monotonic()
                names = self._settling.ready(found.files, self._table.versions, now)
                done = False
                for start in range(0, len(names), BATCH):
                    part = names[start : start + BATCH]
                    for result in self._score(part, found.files, now, pool):
                        done = True
                        yield result
                if not done and self._left() > 0:
                    time.sleep(self._settings.interval)

    def _left(self) -> float:
        until = self._settings.until
        return float("inf") if until is None else until - self._table.rows

    def _score(
        self, names: Sequence[str], files: dict[str, Version], now: float, pool: ThreadPoolExecutor
    ) -> Iterator[Result]:
        started = time.perf_counter()
        read = pool.map(self._read, names, [files[name] for name in names])
        arrived = [each for each in read if self._counts(each, now)]
        pictures = [each.content for each in arrived if isinstance(each.content, Picture)]
        judged = iter(self._detector.judge(pictures, self._table.last))
        seconds = (time.perf_counter() - started) / max(1, len(arrived))
        for each in arrived:
            if self._left() <= 0:
                return
            content = each.content
            result = (
                Result.failed(each.name, self._detector.threshold, str(content))
                if isinstance(content, InputError)
                else next(judged)
            )
            result = replace(without_map(result), seconds=seconds)
            if each.data is not None:
                _copy(each.data, self._out / "sorted" / result.verdict / each.name, each.version)
            self._table.add(result, each.version, each.digest)
            self._tell_drift(result)
            yield result

    def _read(self, name: str, version: Version) -> _Arrival:
        path, data, digest = self._folder / name, None, ""
        content: Picture | InputError
        try:
            data = read_bytes(path)
            digest = hashlib.sha256(data).hexdigest()
            content = self._detector.preprocessing.read(data, name)
        except InputError as error:
            content = error
        after = _version(path)
        steady = after == version or (after is None and data is not None)
        kept = data if self._settings.sort == "copy" else None  # bytes take memory
        return _Arrival(name, version, kept, digest, content, steady)

    def _counts(self, arrival: _Arrival, now: float) -> bool:
        """Whether a file that was read gets a row now."""
        name = arrival.name
        self._unread.discard(name)
        if arrival.digest == self._table.digests.get(name):  # touched, and still what it was
            self._table.versions[name] = arrival.version
            return False
        if isinstance(arrival.content, Picture):
            return arrival.steady
        patience = PATIENCE * self._settings.settle
        if arrival.steady and self._settling.rest(name, now) >= patience:
            return True
        self._unread.add(name)
        return False

    def _say_what_is_missing(self, found: Look) -> None:
        for path, reason in found.unlisted.items():
            if path not in self._unlisted:
                self._note(f"{path} cannot be listed ({reason}): it is tried again until it can.")
        self._unlisted = set(found.unlisted)
        if new := sorted(found.passed.keys() - self._passed):
            more = f", like {counted(len(new) - 1, 'other image')}" if len(new) > 1 else ""
            reason = found.passed[new[0]]
            self._note(
                f"{new[0]} cannot be looked at ({reason}){more}: it is passed over until it can."
            )
            self._passed.update(new)
        if not found.unlisted:
            gone = self._unread - found.files.keys() - found.passed.keys()
            for name in sorted(gone):
                self._note(f"{name} vanished before it could be read: it has no verdict.")
            self._unread -= gone

    def _tell_drift(self, result: Result) -> None:
        """Say when it begins, every so many images while it lasts, and when it is over."""
        if result.verdict == "error":
            return
        self._drift.add(result.p_value)
        state, rows = self._drift.state, self._table.rows
        if state.alarm and (self._told is None or rows - self._told >= WINDOW):
            self._told = rows
            self._note(state.sentence())
        elif self._told is not None and not state.alarm:
            self._told = None
            self._note(state.sentence())


def _version(path: Path) -> Version | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return Version(status.st_size, status.st_mtime_ns)


def _copy(data: bytes, target: Path, version: Version) -> None:
    """Write a copy, beside another content of the same name."""
    if target.exists() and target.read_bytes() != data:
        digest = hashlib.sha256(data).hexdigest()[:8]
        target = with_ending(target.with_name(target.stem), f"-{digest}{target.suffix}")
    with whole_file(target) as temporary:
        temporary.write_bytes(data)
        os.utime(temporary, ns=(version.modified, version.modified))


def _skipped(folder: Path, out: Path, settings: WatchSettings) -> dict[str, Version]:
    """Files of the very first start, which are kept in a list for the next ones."""
    path = out / "skipped.json"
    if settings.existing == "score":
        return {}
    if not (out / "results.csv").exists():
        there = look(folder, settings.recursive, out.resolve()).files
        text = json.dumps({name: [v.size, v.modified] for name, v in there.items()})
        with whole_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    if not path.exists():  # the first start scored what was there
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return {name: Version(*version) for name, version in content.items()}
