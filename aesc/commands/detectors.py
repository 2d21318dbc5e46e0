"""The commands about detectors: fit, predict, calibrate, info."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aesc.commands.inputs import images, names_in, region
from aesc.commands.terminal import DEVICES, Commands, local_path, print_note, side_or_size
from aesc.files import check_writable
from aesc.paths import check_file

if TYPE_CHECKING:
    from aesc.detector import Detector, FitSettings, Result, Survey


def add_parsers(commands: Commands) -> None:
    """Add the parsers of this module to those of the command."""
    _add_fit(commands)
    _add_predict(commands)
    _add_calibrate(commands)
    info = commands.add_parser("info", help="methods, versions and devices; or about a detector")
    info.add_argument("model", nargs="?", type=local_path, help="file of a detector")
    info.set_defaults(command=_info)


def _add_fit(commands: Commands) -> None:
    fit = commands.add_parser("fit", help="make a detector of good images")
    fit.add_argument("good", type=local_path, help="folder of good images, or of a category")
    fit.add_argument("--out", type=local_path, required=True, help="file of the detector")
    fit.add_argument(
        "--calibration", type=local_path, help="good images of another day, to set the threshold"
    )
    fit.add_argument(
        "--exclude", type=local_path, help="text file with names of images to leave out"
    )
    fit.add_argument(
        "--method", default="aesc", help="a method that `aesc info` lists (default: aesc)"
    )
    fit.add_argument("--preset", default="quick", help="quick, standard or paper (default: quick)")
    fit.add_argument(
        "--size",
        type=side_or_size,
        help="SIDE or WIDTHxHEIGHT of the input (default: the preset's)",
    )
    fit.add_argument(
        "--tile", type=int, help="cut large images into tiles with sides of this many pixels"
    )
    fit.add_argument(
        "--overlap",
        type=int,
        help="overlap of neighbouring tiles in pixels (default: a quarter of --tile)",
    )
    fit.add_argument("--channels", type=int, help="1 grey, 3 colour (default: the method's)")
    fit.add_argument(
        "--minutes", type=float, help="about how long to train (default: the preset's schedule)"
    )
    fit.add_argument("--roi", help="where to look: x,y,width,height or a mask file")
    fit.add_argument("--licence", help="licence of the images, to be kept in the card")
    fit.add_argument("--seed", type=int, default=0, help="seed (default: 0)")
    fit.add_argument("--dry-run", action="store_true", help="only say what would be done")
    _add_common(fit, "0.01", "0.05")
    fit.set_defaults(command=_fit)


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
    _add_common(calibrate, "the detector's", "the detector's")
    calibrate.set_defaults(command=_calibrate)


def _add_common(parser: argparse.ArgumentParser, rejects: str, review: str) -> None:
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


def _fit(options: argparse.Namespace) -> int:
    from aesc.detector import fit, good_files, save, survey
    from aesc.detector.fitting import check_images

    check_file(options.out)
    checkpoint, page = (
        options.out.with_name(options.out.name + suffix) for suffix in (".checkpoint", ".html")
    )
    check_file(checkpoint)
    check_file(page)
    settings = _settings(options)
    good = good_files(options.good, names_in(options.exclude))
    apart = good_files(options.calibration) if options.calibration else None
    found = survey(good, apart)
    if options.roi:
        settings = replace(settings, roi=region(options.roi, found.all[0].size))
    check_images(found, settings)
    schedule, seconds = settings.schedule(checkpoint)
    for line in found.lines():
        print(line)
    print(f"training: {schedule.epochs} epochs, about {max(1, round(seconds / 60))} min")
    if checkpoint.exists():
        print_note(f"goes on with the training of {checkpoint}; delete it to begin anew.")
    if options.dry_run:
        return 0
    check_writable(options.out.parent)
    detector = fit(found, settings, schedule, checkpoint, progress=sys.stderr.isatty())
    save(detector, options.out)
    checkpoint.unlink(missing_ok=True)
    _print_made(detector, found)
    _write_page(detector, [g.path for g in found.calibration], page)
    print(f"detector: {options.out}\nreport: {page}")
    return 0


def _settings(options: argparse.Namespace) -> FitSettings:
    """How a detector is made, but for the region, which is told by the images."""
    from aesc.detector import FitSettings

    return FitSettings(
        method=options.method,
        preset=options.preset,
        size=options.size,
        tile=options.tile,
        overlap=options.overlap,
        channels=options.channels,
        minutes=options.minutes,
        seed=options.seed,
        device=options.device,
        licence=options.licence,
        **_shares(options),
    )


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
    new = detector.calibrate(good_files(options.good), **_shares(options))
    save(new, options.out)
    _print_promises(new)
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
    _print_promises(detector)
    return 0


def _shares(options: argparse.Namespace) -> dict[str, Any]:
    named = {"false_rejects": options.false_rejects, "review": options.review}
    return {name: share for name, share in named.items() if share is not None}


def _print_promises(detector: Detector) -> None:
    from aesc.detector.report import promises

    for line in promises(detector):
        print(line)
    if limit := detector.card.get("detection limit"):
        print(f"detection limit: {limit}")


def _print_made(detector: Detector, found: Survey) -> None:
    """Print what there is to say of a new detector."""
    from aesc.detector import least_typical

    print("good images that look least typical, with their score in units of the threshold:")
    for path, score in least_typical(detector, found):
        print(f"  {score:5.2f}  {path.name}")
    _print_promises(detector)


def _write_page(detector: Detector, calibration: list[Path], page: Path) -> None:
    """Write the page of a detector: its calibration images, the least typical first."""
    from aesc.detector.report import calibration_page
    from aesc.files import whole_file

    text = calibration_page(detector, calibration)
    with whole_file(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
