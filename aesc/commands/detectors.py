"""The commands about detectors: fit, predict, calibrate, info."""

from __future__ import annotations

import argparse
import io
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aesc.commands.terminal import Commands, local_path, print_note, side_or_size
from aesc.errors import InputError
from aesc.files import own_path

if TYPE_CHECKING:
    from aesc.detector import Detector, RegionOfInterest, Result


def add_parsers(commands: Commands) -> None:
    """Add the parsers of this module to those of the command."""
    fit = commands.add_parser("fit", help="make a detector of good images")
    fit.add_argument("good", type=local_path, help="folder of good images, or of a category")
    fit.add_argument("--out", type=local_path, required=True, help="file of the detector")
    fit.add_argument(
        "--calibration", type=local_path, help="good images of another day, to set the threshold"
    )
    fit.add_argument(
        "--exclude", type=local_path, help="text file with names of images to leave out"
    )
    fit.add_argument("--method", default="aesc", help="that `aesc info` lists (default: aesc)")
    fit.add_argument("--preset", default="quick", help="quick, standard or paper (default: quick)")
    fit.add_argument(
        "--size",
        type=side_or_size,
        help="SIDE or WIDTHxHEIGHT of the input (default: the preset's)",
    )
    fit.add_argument("--tile", type=int, help="cut large images into tiles of so many pixels")
    fit.add_argument(
        "--overlap", type=int, help="of neighbouring tiles in pixels (default: a quarter of --tile)"
    )
    fit.add_argument("--channels", type=int, help="1 grey, 3 colour (default: the method's)")
    fit.add_argument("--minutes", type=float, help="about how long to train (default: the preset)")
    fit.add_argument("--roi", help="where to look: x,y,width,height or a mask file")
    fit.add_argument("--licence", help="of the images, to be kept in the card")
    fit.add_argument("--seed", type=int, default=0, help="seed (default: 0)")
    fit.add_argument("--dry-run", action="store_true", help="only say what would be done")
    _add_common(fit)
    fit.set_defaults(command=_fit)

    predict = commands.add_parser("predict", help="score new images with a detector")
    predict.add_argument("model", type=local_path, help="file that `aesc fit` wrote")
    predict.add_argument("images", nargs="+", help="files, folders, or - for names on stdin")
    predict.add_argument(
        "--out", type=local_path, help="folder for results.csv, report.html, heatmaps/"
    )
    predict.add_argument("--recursive", action="store_true", help="folders inside folders as well")
    predict.add_argument("--json", action="store_true", help="print a line of JSON for each image")
    predict.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (default: auto)")
    predict.set_defaults(command=_predict)

    calibrate = commands.add_parser("calibrate", help="set the threshold anew, without training")
    calibrate.add_argument(
        "model", type=local_path, help="file that `aesc fit` or `aesc run` wrote"
    )
    calibrate.add_argument("good", type=local_path, help="folder of good images")
    calibrate.add_argument("--out", type=local_path, required=True, help="file of the new detector")
    _add_common(calibrate)
    calibrate.set_defaults(command=_calibrate)

    info = commands.add_parser("info", help="methods, versions and devices; or about a detector")
    info.add_argument("model", nargs="?", type=local_path, help="file that `aesc fit` wrote")
    info.set_defaults(command=_info)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--false-rejects", type=float, help="share of good parts that may be rejected (0.01)"
    )
    parser.add_argument(
        "--review", type=float, help="share that may be rejected or set aside for a person (0.05)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (default: auto)")


def _fit(options: argparse.Namespace) -> int:
    from aesc.detector import FitSettings, fit, good_files, least_typical, save, survey
    from aesc.detector.fitting import check_images
    from aesc.files import check_writable

    settings = FitSettings(
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
    good = good_files(options.good, _names(options.exclude))
    apart = good_files(options.calibration) if options.calibration else None
    found = survey(good, apart)
    if options.roi:
        settings = replace(settings, roi=_roi(options.roi, found.all[0].size))
    check_images(found, settings)
    checkpoint = options.out.with_name(options.out.name + ".checkpoint")
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
    print("good images that look least typical, with their score in units of the threshold:")
    for path, score in least_typical(detector, found):
        print(f"  {score:5.2f}  {path.name}")
    _print_promises(detector)
    page = _page(detector, [g.path for g in found.calibration], options.out)
    print(f"detector: {options.out}\nreport: {page}")
    return 0


def _predict(options: argparse.Namespace) -> int:
    from aesc.detector import Drift, load
    from aesc.detector.report import as_json, without_map, write_results

    detector = load(options.model, options.device)
    images = _images(options.images, options.recursive)
    counts: Counter[str] = Counter()
    results: Iterator[Result]
    if options.out is None:
        results = (without_map(result) for result in detector.stream(images))
    else:
        results = write_results(detector, images, options.out)
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
    from aesc.files import check_writable

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


def _images(names: list[str], recursive: bool) -> list[Path]:
    """The files that are named, those in folders that are named, and those named on stdin."""
    from aesc.data.images import is_image_file

    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # names need not be UTF-8
    listed = [line.rstrip("\n") for line in sys.stdin] if names == ["-"] else names
    found: list[Path] = []
    for name in filter(None, listed):
        path = own_path(name)
        if path.is_dir():
            inside = path.rglob("*") if recursive else path.glob("*")
            images = sorted(each for each in inside if is_image_file(each) and each.is_file())
            if not images:
                raise InputError(
                    f"{name} holds no image: give a folder of images, or --recursive for those in "
                    "its folders."
                )
            found += images
        else:
            found.append(path)  # one that is missing becomes a row with its error
    if not found:
        raise InputError("No image was named: give files or folders, or names on stdin after -.")
    return found


def _names(path: Path | None) -> list[str]:
    """Names in a text file, one a line."""
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: give a text file with a name a line.") from error
    return [line.strip() for line in lines if line.strip()]


def _roi(text: str, size: tuple[int, int]) -> RegionOfInterest:
    from aesc.detector import RegionOfInterest

    parts = text.split(",")
    if len(parts) == 4 and all(part.strip().lstrip("-").isdigit() for part in parts):
        x, y, width, height = map(int, parts)
        return RegionOfInterest.rectangle((x, y, width, height), size)
    return RegionOfInterest.of_mask(own_path(text))


def _shares(options: argparse.Namespace) -> dict[str, Any]:
    named = {"false_rejects": options.false_rejects, "review": options.review}
    return {name: share for name, share in named.items() if share is not None}


def _print_promises(detector: Detector) -> None:
    from aesc.detector.report import promises

    for line in promises(detector):
        print(line)
    if limit := detector.card.get("detection limit"):
        print(f"detection limit: {limit}")


def _page(detector: Detector, images: list[Path], out: Path) -> Path:
    """Write the page of a detector: its calibration images, the least typical first."""
    from aesc.detector.report import calibration_page
    from aesc.files import whole_file

    page = out.with_name(out.name + ".html")
    text = calibration_page(detector, images)
    with whole_file(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return page
