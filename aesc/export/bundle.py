"""A folder that gives verdicts on a machine without torch and without this package."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from aesc.detector import Detector
from aesc.errors import ExportError, InputError
from aesc.export import predict
from aesc.export.exporting import Checked, export, facts
from aesc.export.reading import Input, Size
from aesc.files import check_writable, scratch_folder, unwritable
from aesc.paths import check_new_folder

REQUIREMENTS = ("numpy>=1.26", "pillow>=10", "onnxruntime>=1.17")
"""All that a bundle needs beside Python."""


def bundle(
    detector: Detector, folder: str | Path, images: Sequence[Path], size: Size | None = None
) -> list[Checked]:
    """Write a folder with ``model.onnx`` and all that is needed to use it.

    Beside the model it holds ``predict.py`` (NumPy, Pillow and onnxruntime), ``requirements.txt``,
    ``card.json``, and three of the images in ``examples`` with their scores, which
    ``python predict.py --self-test`` compares. It is written whole or not at all.

    Args:
        detector: as for `export`.
        folder: the folder, which must not exist or be empty; the one around it is made when
            missing.
        images: as for `export`; the ones with the lowest, the middle and the highest score are
            copied.
        size: as for `export`.

    Returns:
        As `export`.

    Raises:
        InputError: as `export`, or a folder that is not empty or cannot be written.
        ExportError: as `export`.
    """
    target = Path(folder)
    check_new_folder(target)
    try:
        if target.is_file() or (target.is_dir() and any(target.iterdir())):
            raise InputError(f"{target} is there already: give the name of a new folder.")
        check_writable(target.parent)
        with scratch_folder(target) as scratch:
            made = scratch / "bundle"
            checked = export(detector, made / "model.onnx", images, size)
            _complete(made, detector, checked, size)
            if target.is_dir():
                target.rmdir()
            os.replace(made, target)
    except OSError as error:
        raise unwritable(target, error) from error
    return checked


def _complete(
    made: Path, detector: Detector, checked: Sequence[Checked], size: Size | None
) -> None:
    """Write all that stands beside the model."""
    shutil.copyfile(predict.__file__, made / "predict.py")
    _write(made / "requirements.txt", "".join(f"{each}\n" for each in REQUIREMENTS))
    card = {**facts(Input.of(detector, size)), "card": detector.card}
    _write(made / "card.json", json.dumps(card, indent=2) + "\n")
    _write_examples(made, checked)


def _write_examples(made: Path, checked: Sequence[Checked]) -> None:
    """Copy the images with the lowest, the middle and the highest score."""
    examples = made / "examples"
    examples.mkdir()
    ordered = sorted(checked, key=lambda each: each.score)
    places = {0, len(ordered) // 2, len(ordered) - 1}
    expected = {}
    for number, place in enumerate(sorted(places), start=1):
        chosen = ordered[place]
        name = f"{number}{chosen.path.suffix}"
        shutil.copyfile(chosen.path, examples / name)
        expected[name] = {"verdict": chosen.verdict, "score": chosen.score}
    _write(examples / "expected.json", json.dumps(expected, indent=2) + "\n")
    wrong = predict.self_test(predict.Model(made / "model.onnx", threads=1), examples)
    if wrong:
        raise ExportError(f"The bundle does not pass its own test: {wrong[0]}.")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
