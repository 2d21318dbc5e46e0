"""The command that makes a detector: fit."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from aesc.commands.detectors import add_common, print_promises, shares
from aesc.commands.inputs import names_in, region
from aesc.commands.terminal import Commands, local_path, print_note, resuming, side_or_size
from aesc.files import check_writable, sole_writer
from aesc.paths import check_file

if TYPE_CHECKING:
    from aesc.detector import Detector, FitSettings, RegionOfInterest, Survey
    from aesc.training import TrainingSettings


def add_parsers(commands: Commands) -> None:
    """Add the parser of this module to those of the command."""
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
    add_common(fit, "0.01", "0.05")
    fit.set_defaults(command=_fit)


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
        settings = replace(settings, roi=_region(options.roi, found))
    check_images(found, settings)
    if options.dry_run:
        _announce(found, settings, checkpoint)
        return 0
    check_writable(options.out.parent)
    with sole_writer(options.out), resuming(checkpoint.exists):
        schedule = _announce(found, settings, checkpoint)
        detector = fit(found, settings, schedule, checkpoint, progress=sys.stderr.isatty())
        save(detector, options.out)
        checkpoint.unlink(missing_ok=True)
        _print_made(detector, found)
        _write_page(detector, [g.path for g in found.calibration], page)
    print(f"detector: {options.out}\nreport: {page}")
    return 0


def _announce(found: Survey, settings: FitSettings, checkpoint: Path) -> TrainingSettings:
    """Say what will be done, and return the training."""
    schedule, seconds = settings.schedule(checkpoint)
    for line in found.lines():
        print(line)
    print(f"training: {schedule.epochs} epochs, about {max(1, round(seconds / 60))} min")
    if checkpoint.exists():
        print_note(f"goes on with the training of {checkpoint}; delete it to begin anew.")
    return schedule


def _region(text: str, found: Survey) -> RegionOfInterest:
    """The region of interest, which every image must have the size of."""
    roi = region(text, found.all[0].size)
    for good in found.all:
        roi.check_size(good.size, str(good.path))
    return roi


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
        **shares(options),
    )


def _print_made(detector: Detector, found: Survey) -> None:
    """Print what there is to say of a new detector."""
    from aesc.detector import least_typical

    print("good images that look least typical, with their score in units of the threshold:")
    for path, score in least_typical(detector, found):
        print(f"  {score:5.2f}  {path.name}")
    print_promises(detector)


def _write_page(detector: Detector, calibration: list[Path], page: Path) -> None:
    """Write the page of a detector: its calibration images, the least typical first."""
    from aesc.detector.report import calibration_page
    from aesc.files import whole_file

    text = calibration_page(detector, calibration)
    with whole_file(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
