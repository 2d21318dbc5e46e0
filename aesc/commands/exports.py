"""The command that writes a detector for machines without torch: export."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aesc.commands.terminal import Commands, local_path, print_error, print_note, width_and_height
from aesc.paths import check_file, check_new_folder

if TYPE_CHECKING:
    from aesc.detector import Detector


def add_parsers(commands: Commands) -> None:
    """Add the parser of this module to those of the command."""
    export = commands.add_parser("export", help="write a detector as an ONNX file, and check it")
    export.add_argument("model", type=local_path, help="file of a detector")
    export.add_argument("--out", type=local_path, required=True, help="the file, such as part.onnx")
    export.add_argument(
        "--bundle",
        action="store_true",
        help="a folder instead, named as --out without .onnx: with a script that needs no torch",
    )
    export.add_argument(
        "--input",
        type=width_and_height,
        help="WIDTHxHEIGHT of all images (default: that of the good ones)",
    )
    export.add_argument(
        "--images",
        type=local_path,
        help="folder of images to check the file on, preferably good ones",
    )
    export.set_defaults(command=_export)


def _export(options: argparse.Namespace) -> int:
    from aesc.detector import load
    from aesc.errors import ExportError
    from aesc.export import bundle, export
    from aesc.files import check_writable, sole_writer

    out = options.out
    if options.bundle and out.suffix == ".onnx":
        out = out.with_suffix("")
    (check_new_folder if options.bundle else check_file)(out)
    detector = load(options.model, "cpu")
    check_writable(out.parent)
    try:
        with sole_writer(out), _images(detector, options) as images:
            checked = (bundle if options.bundle else export)(detector, out, images, options.input)
    except ExportError as error:
        return print_error(str(error), 1)
    most = max(each.difference for each in checked)
    print(f"checked: {len(checked)} images, same verdicts, scores within {most:.1g}")
    print(f"{'bundle' if options.bundle else 'model'}: {out}")
    return 0


@contextmanager
def _images(detector: Detector, options: argparse.Namespace) -> Iterator[list[Path]]:
    """The images to check on: those of a folder, or some made of the mean good image."""
    from aesc.detector import good_files
    from aesc.export import Input, write_probes

    if options.images is not None:
        yield good_files(options.images)
        return
    taken = Input.of(detector, options.input)
    with tempfile.TemporaryDirectory() as folder:
        images = write_probes(taken, Path(folder))
        print_note(
            f"checked on {len(images)} images made of the mean good image: name a folder of good "
            "images with --images to check on those."
        )
        yield images
