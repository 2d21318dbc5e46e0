"""What a detector said, as files: a table, pictures, and a page that needs no network."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import PIL.Image

from aesc.data.images import decode, read_bytes
from aesc.detector.calibration import images_needed
from aesc.detector.detector import Detector
from aesc.detector.drawing import overlay, thumbnail
from aesc.detector.heatmaps import maps_of, remove
from aesc.detector.result import VERDICTS, Result
from aesc.errors import InputError
from aesc.files import (
    check_writable,
    lock_of,
    remove_abandoned,
    sole_user,
    unwritable,
    whole_file,
)

COLUMNS = (
    "image", "verdict", "score", "threshold", "p_value", "regions", "x", "y", "width", "height",
    "area", "notes", "seconds",
)  # fmt: skip
"""Columns of ``results.csv``; the box is that of the strongest region."""

WATCHED = (*COLUMNS, "bytes", "modified", "sha256")
"""Columns of the table of ``aesc watch``: also what tells this content of a file from another one,
its size, the time it was last changed (nanoseconds since 1970), and its SHA-256."""

SHOWN = 100
"""Most images on a page, the most anomalous ones; the table has all."""


@dataclass(frozen=True)
class Shown:
    """A result as the page shows it: without its map, with a picture or none."""

    result: Result
    picture: str


def write_results(
    detector: Detector, images: Sequence[Path], out: Path, heat_maps: bool = True
) -> Iterator[Result]:
    """Score files and write ``results.csv``, ``report.html`` and ``heatmaps/`` into a folder.

    They are there under their names when the last image is scored, and not before: a run that is
    stopped leaves those of the run before. A heat map has the path that its image has inside the
    folder common to all images; those of earlier runs go (see `aesc.detector.heatmaps`). An image
    that has gone since it was scored has its row, and no picture. The folder is in use until the
    last result was taken, or the iterator was closed.

    Args:
        detector: calibrated.
        images: files, any number.
        out: the folder; made when missing.
        heat_maps: write a PNG of the size of the original for every image that is not good.

    Yields:
        The results, without their maps, in the order of the images.

    Raises:
        InputError: no images, a folder that cannot be written to, is in use or holds the table of
            ``aesc watch``, or a detector without threshold.
    """
    if not images:
        raise InputError("No image was given: give at least one file.")
    detector.threshold  # noqa: B018  (refused before anything is written)
    check_writable(out)
    table = out / "results.csv"
    with sole_user(lock_of(table)):
        _refuse_watched(table)
        remove_abandoned(out)
        yield from _written(detector, images, out, heat_maps)


def row(result: Result) -> list[object]:
    """A result as a line of the table, in the order of `COLUMNS`."""
    first = result.regions[0] if result.regions else None
    place = [first.x, first.y, first.width, first.height, first.area] if first else [""] * 5
    score, p_value = (
        f"{value:.6g}" if value == value else "" for value in (result.score, result.p_value)
    )
    return [
        result.image, result.verdict, score, f"{result.threshold:.6g}", p_value,
        len(result.regions), *place, "; ".join(result.notes), f"{result.seconds:.4f}",
    ]  # fmt: skip


def report(detector: Detector, shown: Sequence[Shown], counts: Counter[str], title: str) -> str:
    """A page of HTML with all that it needs in itself.

    Args:
        detector: calibrated.
        shown: results with pictures, the most anomalous first.
        counts: how many images there are of each verdict.
        title: of the page.
    """
    entries = [
        {**each.result.to_dict(), "thumbnail": each.picture, "image": _short(each.result.image)}
        for each in shown
    ]
    calibration = detector.images
    data = {
        "results": entries,
        "left_out": sum(counts.values()) - len(entries),
        "calibration": [] if calibration is None else calibration.scores.tolist(),
        "threshold": detector.threshold,
        "verdicts": [{"verdict": v, "count": counts[v]} for v in VERDICTS if counts[v]],
        "about": {**{line: "" for line in promises(detector)}, **detector.card},
    }
    about = {name: str(value) for name, value in data["about"].items()}
    text = json.dumps({**data, "about": about}, allow_nan=False)
    # Inside a script element, a "<" could end the element.
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    template = (files("aesc.detector") / "report.html").read_text(encoding="utf-8")
    return template.replace("%TITLE%", title).replace("%DATA%", text)


def calibration_page(detector: Detector, images: Iterable[Path]) -> str:
    """The page of a detector itself: its calibration images, the least typical first.

    Args:
        detector: calibrated.
        images: the files that it was calibrated on.
    """
    shown: list[Shown] = []
    counts: Counter[str] = Counter()
    quiet = relative_quiet(detector)
    for result in detector.stream(images):
        counts[result.verdict] += 1
        small = _small(_picture(result, quiet))
        shown = _worst([*shown, Shown(without_map(result), small)])
    return report(detector, shown, counts, "Good images of the calibration")


def promises(detector: Detector) -> list[str]:
    """What the thresholds of a detector promise, in words, and what so few images cannot."""
    calibration = detector.images
    if calibration is None:
        return ["no threshold: calibrate it with `aesc calibrate`"]
    lines = []
    for what, share in (("rejected", detector.false_rejects), ("in review", detector.review)):
        promise = calibration.promise(share)
        also = "rejected or " if what == "in review" else ""
        lines.append(
            f"{also}{what}: of good parts {promise.expected:.1%} on average, "
            f"with 95 % confidence at most {promise.bound:.1%}"
        )
        if not promise.kept:
            lines.append(
                f"asked for {share:.1%}, which {len(calibration)} calibration images cannot "
                f"promise: {images_needed(share)} are needed"
            )
    return lines


def relative_quiet(detector: Detector) -> float:
    """The level below which a map is not painted, in units of the pixel threshold."""
    return detector.quiet / max(detector.pixel_threshold, 1e-12)


def without_map(result: Result) -> Result:
    """The same result without its map, which takes memory."""
    return replace(result, map=None)


def _refuse_watched(table: Path) -> None:
    """Leave the table of ``aesc watch`` alone: its rows are all that tells which images are done.

    Raises:
        InputError: it is one, or cannot be read.
    """
    try:
        with table.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            columns = next(csv.reader(file), [])
    except (FileNotFoundError, csv.Error):  # none, or of no table
        return
    except OSError as error:
        raise unwritable(table, error) from error
    if tuple(columns) == WATCHED:
        raise InputError(f"{table} was written by `aesc watch`: choose another folder.")


def _written(
    detector: Detector, images: Sequence[Path], out: Path, heat_maps: bool
) -> Iterator[Result]:
    """As `write_results`, into a folder that is free to be written to.

    However it ends, no heat map and no page lies beside the table of another run: the old ones go
    before the new table has its name, and the new ones come after it.
    """
    table, page = out / "results.csv", out / "report.html"
    quiet = relative_quiet(detector)
    shown: list[Shown] = []
    counts: Counter[str] = Counter()
    with maps_of(out / "heatmaps", images) as maps:
        with whole_file(table) as temporary, closing(_rows(detector, images, temporary)) as rows:
            for result in rows:
                counts[result.verdict] += 1
                picture = _picture(result, quiet)
                if heat_maps and picture is not None and result.verdict != "good":
                    maps.add(picture, result.image)
                shown = _worst([*shown, Shown(without_map(result), _small(picture))])
                yield without_map(result)
            remove(page)
            maps.clear(table)
        maps.move()
    text = report(detector, shown, counts, "Anomaly report")
    with whole_file(page) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _rows(detector: Detector, images: Sequence[Path], path: Path) -> Generator[Result, None, None]:
    """Score images and write the table, a row for each."""
    # A byte-order mark tells Excel that the names are UTF-8.
    # Names need not be UTF-8: their bytes are written as they are.
    with path.open("w", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for result in detector.stream(images):
            writer.writerow(row(result))
            yield result


def _worst(shown: list[Shown]) -> list[Shown]:
    """The `SHOWN` most anomalous, errors first, in order."""

    def key(each: Shown) -> tuple[bool, float]:
        score = each.result.score
        return each.result.verdict != "error", -score if score == score else 0.0

    return sorted(shown, key=key)[:SHOWN]


def _short(name: str) -> str:
    """The name of a file and of the folder that it lies in."""
    return "/".join(Path(name).parts[-2:])


def _picture(result: Result, quiet: float) -> PIL.Image.Image | None:
    """The original with its map laid over it; None for one that cannot be read, or no more."""
    if result.verdict == "error":
        return None
    try:
        original = decode(read_bytes(result.image), result.image)
    except InputError:  # it was read once: what is known of it counts more than its picture
        return None
    return overlay(original, result, quiet)


def _small(picture: PIL.Image.Image | None) -> str:
    return "" if picture is None else thumbnail(picture)


def as_json(result: Result) -> str:
    """A result as one line of JSON."""
    values: dict[str, Any] = result.to_dict()
    return json.dumps(values, allow_nan=False)
