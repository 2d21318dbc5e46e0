"""The commands about a detector that is there: predict, calibrate, info."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aesc.commands.inputs import images
from aesc.commands.terminal import DEVICES, Commands, local_path, print_note
from aesc.files import check_writable, sole_writer
from aesc.paths import check_file

if TYPE_CHECKING:
    from aesc.detector import Detector, Result


def add_parsers(commands: Commands) -> None:
    """Add the parsers of this module to those of the command."""
    _add_predict(commands)
    _add_calibrate(commands)
    info = commands.add_parser("info", help="methods, versions and devices; or about a detector")
    info.add_argument("model", nargs="?", type=local_path, help="file of a detector")
    info.set_defaults(command=_info)


def _add_predict(commands: Commands) -> None:
    predict = commands.add_parser("predict", help="score new images with a detector")
    predict.add_argument("model", type=local_path, help="file of a detector")
    predict.add_argument("images", nargs="+", help="files, folders, or - for names on stdin")
    predict.add_argument(
        "--out", type=local_path, help="folder for results.csv, report.html, heatmaps/"
    )
    predict.add_argument(
        "--recursive",
        action="store_true",
        help="folders inside folders as well, but for hidden ones and --out",
    )
    predict.add_argument("--json", action="store_true", help="print a line of JSON for each image")
    predict.add_argument("--device", default="auto", help=DEVICES)
    predict.set_defaults(command=_predict)


def _add_calibrate(commands: Commands) -> None:
    calibrate = commands.add_parser("calibrate", help="set the threshold anew, without training")
    calibrate.add_argument(
        "model", type=local_path, help="file of a detector, or weights of `aesc run`"
    )
    calibrate.add_argument("good", type=local_path, help="folder of good images")
    calibrate.add_argument("--out", type=local_path, required=True, help="file of the new detector")
    add_common(calibrate, "the detector's", "the detector's")
    calibrate.set_defaults(command=_calibrate)


def add_common(parser: argparse.ArgumentParser, rejects: str, review: str) -> None:
    """Add the shares, with the defaults that they have, and the device."""
    parser.add_argument(
        "--false-rejects",
        type=float,
        help=f"share of good parts that may be rejected (default: {rejects})",
    )
    parser.add_argument(
        "--review",
        type=float,
        help=f"share that may be rejected or set aside for a person (default: {review})",
    )
    parser.add_argument("--device", default="auto", help=DEVICES)


def _predict(options: argparse.Namespace) -> int:
    from aesc.detector import Drift, load
    from aesc.detector.report import as_json, without_map, write_results

    detector = load(options.model, options.device)
    named = images(options.images, options.recursive, options.out)
    counts: Counter[str] = Counter()
    results: Iterator[Result]
    if options.out is None:
        results = (without_map(result) for result in detector.stream(named))
    else:
        results = write_results(detector, named, options.out)
    drift = Drift.of(detector)
    for result in results:
        counts[result.verdict] += 1
        if result.verdict != "error":
            drift.add(result.p_value)
        if options.json:
            print(as_json(result), flush=True)
        elif options.out is None:
            print(verdict_line(result))
    summary = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
    print(summary, file=sys.stderr)
    if drift.full and drift.state.alarm:
        print_note(drift.state.sentence())
    if options.out is not None:
        print(f"results: {options.out}", file=sys.stderr)
    return int(counts["error"] > 0)


def verdict_line(result: Result) -> str:
    """What is printed of an image: verdict, score, p-value, name and notes."""
    notes = f"  {'; '.join(result.notes)}" if result.notes else ""
    scores = f"{result.score:10.4g}  p {result.p_value:.3f}"
    return f"{result.verdict:6}  {scores}  {result.image}{notes}"


def _calibrate(options: argparse.Namespace) -> int:
    from aesc.detector import good_files, load, save

    check_file(options.out)
    detector = load(options.model, options.device)
    check_writable(options.out.parent)
    with sole_writer(options.out):
        new = detector.calibrate(good_files(options.good), **shares(options))
        save(new, options.out)
    print_promises(new)
    print(f"detector: {options.out}")
    return 0


def _info(options: argparse.Namespace) -> int:
    if options.model is not None:
        return _describe(options.model)
    from aesc.device import available_devices
    from aesc.experiment import METHODS, PRESETS
    from aesc.provenance import environment

    for name, value in environment().model_dump().items():
        print(f"{name:9} {value}")
    print(f"{'devices':9} {', '.join(available_devices())}")
    for name, preset in PRESETS.items():
        epochs = preset.training.epochs
        print(f"{'preset':9} {name}: images of {preset.size} px, {epochs} epochs")
    for name, method in METHODS.items():
        print(f"{'method':9} {name}: trained with {', '.join(method.corruptions)}")
    return 0


def _describe(path: Path) -> int:
    """Print the card of a detector and its promises."""
    from aesc.detector import load

    detector = load(path, "cpu")
    for name, value in detector.card.items():
        if name != "detection limit":  # told with the promises
            print(f"{name:12} {value}")
    print_promises(detector)
    return 0


def shares(options: argparse.Namespace) -> dict[str, Any]:
    """The shares of good parts that were given, by their name."""
    named = {"false_rejects": options.false_rejects, "review": options.review}
    return {name: share for name, share in named.items() if share is not None}


def print_promises(detector: Detector) -> None:
    """Print what the thresholds promise, and the detection limit."""
    from aesc.detector.report import promises

    for line in promises(detector):
        print(line)
    if limit := detector.card.get("detection limit"):
        print(f"detection limit: {limit}")
