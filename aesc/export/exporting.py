"""A detector as an ONNX file that was run and gives the same verdicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx

from aesc.detector import Detector
from aesc.errors import ExportError, InputError
from aesc.export.graph import Graph
from aesc.export.judging import VERDICTS, add_regions, add_verdict, limits
from aesc.export.maps import exportable
from aesc.export.predict import TOLERANCE, Model
from aesc.export.reading import Input, Size, add_reading
from aesc.export.tiles import add_scored
from aesc.files import whole_file
from aesc.paths import check_file

FORMAT, SCHEMA = "aesc-onnx", "1"
"""What an exported file says of itself, and the version of that."""


@dataclass(frozen=True)
class Checked:
    """An image that detector and exported file agreed about.

    Attributes:
        path: the image.
        verdict: of both.
        score: of the detector.
        difference: of the other score, relative to it.
    """

    path: Path
    verdict: str
    score: float
    difference: float


def export(
    detector: Detector, path: str | Path, images: Sequence[Path], size: Size | None = None
) -> list[Checked]:
    """Write a detector as an ONNX file, whole and checked or not at all.

    The file holds everything from the pixels of an image file to the verdict: scaling, grey,
    region of interest, padding, resizing, network, map, score, p-value, and what is odd about an
    image. It is run on ``images`` before it gets its name.

    Args:
        detector: calibrated, of AESc, AE or AESc+.
        path: the file.
        images: image files to compare on, at least one; best those of the calibration.
        size: width and height of all images that the file will take; by default that of the good
            images.

    Returns:
        The images, in their order, with what both said of them.

    Raises:
        InputError: a path that is a folder, another method, no calibration, a size that the good
            images did not have, or images that cannot be read.
        ExportError: a verdict differs, or a score by more than `TOLERANCE`.
    """
    check_file(Path(path))
    model = build(detector, size)
    with whole_file(Path(path)) as temporary:
        onnx.save_model(model, str(temporary))
        return check(detector, Model(temporary, threads=1), images)


def build(detector: Detector, size: Size | None = None) -> onnx.ModelProto:
    """The ONNX model of a detector, not yet run; arguments and errors as for `export`."""
    network = exportable(detector)
    taken = Input.of(detector, size)
    graph = Graph()
    read = add_reading(graph, taken)  # N x C x H x W
    found, score = add_scored(graph, network, read, taken)  # N x H x W, N
    add_verdict(graph, read, score, detector, taken.shape_read)
    add_regions(graph, found, detector, taken.probe.valid)
    return graph.model({name: json.dumps(fact) for name, fact in facts(taken).items()})


def facts(taken: Input) -> dict[str, Any]:
    """What an exported file says of itself, by name, as JSON can hold it."""
    detector, reading = taken.detector, taken.detector.preprocessing
    tiling = reading.tiling
    assert detector.familiar is not None and detector.images is not None  # checked by `Input.of`
    allowed = limits(detector.familiar)
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        "aesc": version("aesc"),
        "method": detector.method,
        "input": list(taken.size),
        "planes": taken.planes,
        "type": taken.kind,
        "modes": list(taken.modes),
        "size": list(taken.probe.valid.shape[::-1]),
        "tile": None if tiling is None else [tiling.side, tiling.overlap],
        "channels": reading.channels,
        "white_level": reading.white_level,
        "roi": None if reading.roi is None else list(reading.roi.box),
        "box": list(taken.probe.box),
        "verdicts": list(VERDICTS),
        "threshold": detector.threshold,
        "pixel_threshold": detector.pixel_threshold,
        "false_rejects": detector.false_rejects,
        "review": detector.review,
        "calibration_images": len(detector.images),
        "measurements": [
            {"name": name, "good": list(known), "limits": list(allowed[name])}
            for name, known in detector.familiar.ranges.items()
        ],
        "fingerprint": detector.card.get("fingerprint"),
        "licence": detector.card.get("licence"),
    }


def check(detector: Detector, model: Model, images: Sequence[Path]) -> list[Checked]:
    """Compare an exported file with its detector; arguments and errors as for `export`."""
    if not images:
        raise InputError("images is empty: give at least one image to compare on.")
    return [_check_one(detector, model, path) for path in images]


def _check_one(detector: Detector, model: Model, path: Path) -> Checked:
    ours = detector.predict(path)
    try:
        exported = model.predict(path)
    except ValueError as error:
        raise InputError(str(error)) from error
    difference = abs(exported["score"] - ours.score) / max(ours.score, 1e-12)
    if exported["verdict"] != ours.verdict or not difference <= TOLERANCE:
        raise ExportError(
            f"The exported file says {exported['verdict']} of {path} with a score of "
            f"{exported['score']:.6g}, the detector {ours.verdict} with {ours.score:.6g}: nothing "
            "was written."
        )
    return Checked(path, ours.verdict, ours.score, difference)
