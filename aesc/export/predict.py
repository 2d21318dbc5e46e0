"""Verdicts on images by an exported detector, with NumPy, Pillow and onnxruntime alone.

    python predict.py IMAGE [IMAGE...] [--json]
    python predict.py --self-test

A line for each image, as CSV or JSON: verdict (good, review, reject, error), score, p-value, the
box of all that stands out in pixels of the image, and what is odd about it. Exit code 0: done; 1:
some image could not be scored, or the self-test failed; 2: bad input.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

TOLERANCE = 1e-4
"""Relative difference of scores up to which the self-test passes."""

FIELDS = ("image", "verdict", "score", "threshold", "p_value", "x", "y", "width", "height", "notes")
"""Columns of the table."""

Size = tuple[int, int]
"""Width and height in pixels."""

_limit_lock = threading.Lock()


class Model:
    """An exported detector.

    Args:
        path: the ONNX file.
        threads: cores to use; by default, as many as onnxruntime takes.

    Raises:
        ValueError: a file that is missing, not whole, or another program's.
    """

    def __init__(self, path: str | Path, threads: int = 0) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self.session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its own types, one for each cause
            raise ValueError(
                f"{path} is not a whole ONNX file: copy or export it again."
            ) from error
        texts = self.session.get_modelmeta().custom_metadata_map
        if texts.get("format") != '"aesc-onnx"':
            raise ValueError(f"{path} is not a detector: give a file that `aesc export` wrote.")
        self.facts: dict[str, Any] = {name: json.loads(text) for name, text in texts.items()}
        self.names = [output.name for output in self.session.get_outputs()]

    def read(self, path: str | Path) -> NDArray[Any]:
        """Pixels of an image file as the model takes them: height x width x planes.

        Raises:
            ValueError: a file that cannot be read, or an image of another size or mode than the
                good images.
        """
        width, height = self.facts["input"]
        with _opened(path) as opened:
            # By its header, before it takes memory; a tag may say that it is to be turned.
            self._check_size(path, opened.size, (width, height), (height, width))
            image = _decoded(path, opened)
        self._check_size(path, image.size, (width, height))
        if image.mode not in self.facts["modes"]:
            known = " or ".join(self.facts["modes"])
            raise ValueError(
                f"{path} is of mode {image.mode}: give images of mode {known}, like the good ones."
            )
        if self.facts["planes"] == 3 and image.mode == "L":
            image = image.convert("RGB")
        pixels = np.asarray(image)
        if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
            raise ValueError(f"{path} holds NaN or infinite values: save it again.")
        if pixels.ndim == 2:
            pixels = np.repeat(pixels[..., None], self.facts["planes"], axis=2)
        return np.ascontiguousarray(pixels, self.facts["type"])

    def _check_size(self, path: str | Path, size: Size, *known: Size) -> None:
        if size not in known:
            width, height = self.facts["input"]
            raise ValueError(
                f"{path} is {size[0]} x {size[1]} pixels: give images of "
                f"{width} x {height} pixels, like the good ones."
            )

    def run(self, images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """All outputs for N x height x width x planes, by name."""
        values = self.session.run(None, {"image": images})
        return dict(zip(self.names, values, strict=True))

    def predict(self, path: str | Path) -> dict[str, Any]:
        """Score an image file: see `FIELDS`.

        Raises:
            ValueError: as `read`, or a score that is not finite.
        """
        found = {name: value[0] for name, value in self.run(self.read(path)[None]).items()}
        if not np.isfinite(found["score"]):
            raise ValueError(
                f"{path} gets a score that is not finite: run the self-test, and export the "
                "detector again if it fails."
            )
        verdict = self.facts["verdicts"][int(found["verdict"])]
        box = self._box(found["regions"])
        notes = self._notes(found["measured"])
        if verdict == "reject" and box is None:
            notes.append("diffuse: rejected as a whole, without a region that stands out")
        return {
            "image": str(path),
            "verdict": verdict,
            "score": float(found["score"]),
            "threshold": self.facts["threshold"],
            "p_value": float(found["p_value"]),
            **dict(zip(("x", "y", "width", "height"), box or (None,) * 4, strict=True)),
            "notes": "; ".join(notes),
        }

    def _box(self, regions: NDArray[np.bool_]) -> tuple[int, ...] | None:
        """Left edge, upper edge, width and height of all that stands out; None if nothing does."""
        rows, columns = np.flatnonzero(regions.any(1)), np.flatnonzero(regions.any(0))
        if not len(rows):
            return None
        left, top, across, down = self.facts["box"]  # of the image, covered by the map
        height, width = regions.shape
        x, right = (left + round(int(c) * across / width) for c in (columns[0], columns[-1] + 1))
        y, below = (top + round(int(r) * down / height) for r in (rows[0], rows[-1] + 1))
        # A pixel of the map may lie half beyond the edge of the image.
        wide, high = self.facts["input"]
        x, y = min(max(x, 0), wide - 1), min(max(y, 0), high - 1)
        right, below = min(right, wide), min(below, high)
        return x, y, max(1, right - x), max(1, below - y)

    def _notes(self, measured: NDArray[np.float32]) -> list[str]:
        """What about an image lies outside the good images."""
        notes = []
        for value, known in zip(measured, self.facts["measurements"], strict=True):
            low, high = known["good"]
            if not known["limits"][0] <= value <= known["limits"][1]:
                notes.append(
                    f"{known['name']}: {value:.3g}, the good images had {low:.3g} to {high:.3g}"
                )
        return notes


def self_test(model: Model, folder: Path) -> list[str]:
    """What the examples in a folder give otherwise than written in its ``expected.json``.

    Raises:
        ValueError: that file is missing or damaged.
    """
    wrong = []
    for name, wanted in _expected(folder / "expected.json").items():
        try:
            found = model.predict(folder / name)
        except ValueError as error:
            wrong.append(f"{name}: {error}")
            continue
        difference = abs(found["score"] - wanted["score"]) / max(wanted["score"], 1e-12)
        if found["verdict"] != wanted["verdict"] or not difference <= TOLERANCE:
            wrong.append(
                f"{name}: {found['verdict']} with {found['score']:.6g}, expected "
                f"{wanted['verdict']} with {wanted['score']:.6g}"
            )
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, score images, print; return the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # names need not be UTF-8
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("images", nargs="*", help="image files")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each image")
    parser.add_argument("--self-test", action="store_true", help="score the three examples")
    options = parser.parse_args(arguments)
    if not options.images and not options.self_test:
        parser.error("give image files, or --self-test")
    here = Path(__file__).resolve().parent
    try:
        model = Model(here / "model.onnx")
        if options.self_test:
            wrong = self_test(model, here / "examples")
            print("\n".join(wrong) or "self-test passed")
            return int(bool(wrong))
    except ModuleNotFoundError as error:
        parser.error(f"the package {error.name} is missing: pip install -r requirements.txt")
    except ValueError as error:
        parser.error(str(error))
    return _print_all(model, options.images, options.json)


def _print_all(model: Model, paths: Sequence[str], as_json: bool) -> int:
    table = csv.DictWriter(sys.stdout, FIELDS, lineterminator="\n")
    if not as_json:
        table.writeheader()
    failed = False
    for path in paths:
        try:
            row = model.predict(path)
        except ValueError as error:
            failed = True
            row = {**dict.fromkeys(FIELDS), "image": path, "verdict": "error", "notes": str(error)}
        if as_json:
            print(json.dumps(row), flush=True)
        else:
            table.writerow(row)
    return int(failed)


def _expected(path: Path) -> dict[str, dict[str, Any]]:
    """Verdict and score of each example, by its name."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: {"verdict": str(each["verdict"]), "score": float(each["score"])}
            for name, each in read.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is missing or damaged: copy or export the bundle again."
        ) from error


def _opened(path: str | Path) -> Image.Image:
    """An image file, not decoded, however large: Pillow's own limit is below line-scan cameras."""
    with _told(path), _limit_lock:  # the limit is a global
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(path)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _decoded(path: str | Path, image: Image.Image) -> Image.Image:
    """The image, upright, in one of the modes L, RGB, I;16*, I and F; transparent is black."""
    with _told(path):
        kind = image.format
        image.load()
        upright = image if kind == "TIFF" else ImageOps.exif_transpose(image)
        return _simplified(upright, kind)


@contextmanager
def _told(path: str | Path) -> Iterator[None]:
    """Make one sentence of whatever a file makes Pillow raise."""
    try:
        yield
    except Exception as error:  # damaged data makes Pillow raise a dozen unrelated types
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ValueError(f"{path} cannot be read ({reason}): replace or remove it.") from error


def _simplified(image: Image.Image, kind: str | None) -> Image.Image:
    mode, see_through = image.mode, "transparency" in image.info
    if mode == "I" and kind in ("PNG", "PPM"):
        return image.convert("I;16")
    if mode.startswith("I") or mode == "F" or (mode in ("L", "RGB") and not see_through):
        return image
    if mode == "1":
        return image.convert("L")
    if see_through or mode in ("RGBA", "RGBa", "LA", "La", "PA", "P"):
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        flat = Image.alpha_composite(black, image.convert("RGBA"))
        return flat.convert("L" if mode in ("L", "LA", "La") else "RGB")
    return image.convert("RGB")


if __name__ == "__main__":
    sys.exit(main())
