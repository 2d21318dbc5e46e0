"""One safetensors file for a detector: names, numbers and text, nothing that could be executed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from aesc._checks import first_problem, one_line
from aesc.detector.calibration import Calibration
from aesc.detector.detector import Detector
from aesc.detector.familiar import Familiar
from aesc.detector.inputs import Preprocessing
from aesc.detector.region import RegionOfInterest
from aesc.device import resolve_device
from aesc.errors import InputError
from aesc.experiment import METHODS
from aesc.paths import check_file, is_folder
from aesc.tiling import Tiling
from aesc.training import DamagedFileError, load_tensors, save_tensors

FORMAT = "aesc-detector"
"""What a file of this kind says of itself."""

SCHEMA = "1"
"""Version of the format: a file of another one is refused."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Content(_Strict):
    """What a file says beside its tensors."""

    method: str
    size: int | tuple[int, int] | None  # the first files gave the side of a square
    tile: tuple[int, int] | None = None  # side and overlap
    channels: Literal[1, 3]
    white_level: float = Field(gt=0)
    roi: tuple[tuple[int, int], tuple[int, int, int, int]] | None
    sizes: tuple[tuple[int, int], ...]
    modes: tuple[str, ...]
    ranges: dict[str, tuple[float, float]]
    quiet: float
    false_rejects: float
    review: float
    card: dict[str, Any]


def save(detector: Detector, path: str | Path) -> None:
    """Write a detector, whole or not at all.

    Args:
        detector: calibrated.
        path: the file.

    Raises:
        InputError: the detector was never calibrated, the path is a folder, its folder cannot be
            written to, or the disk is full.
    """
    check_file(Path(path))
    known, images, pixels = detector.familiar, detector.images, detector.pixels
    if known is None or images is None or pixels is None:
        raise InputError("The detector has no threshold: calibrate it before it is saved.")
    reading, tiling = detector.preprocessing, detector.preprocessing.tiling
    tensors = {f"model.{name}": value for name, value in detector.model.state_dict().items()}
    tensors |= {f"learned.{name}": value for name, value in detector.learned.items()}
    tensors |= {
        "images": torch.from_numpy(images.scores),
        "pixels": torch.from_numpy(pixels.scores),
        "mean": torch.from_numpy(known.mean),
    }
    roi = None
    if reading.roi is not None:
        roi = (reading.roi.size, reading.roi.box)
        tensors["roi"] = torch.from_numpy(reading.roi.mask.astype(np.uint8))
    content = _Content(
        method=detector.method,
        size=reading.size,
        tile=None if tiling is None else (tiling.side, tiling.overlap),
        channels=1 if reading.channels == 1 else 3,
        white_level=reading.white_level,
        roi=roi,
        sizes=known.sizes,
        modes=known.modes,
        ranges=known.ranges,
        quiet=detector.quiet,
        false_rejects=detector.false_rejects,
        review=detector.review,
        card=detector.card,
    ).model_dump_json()
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    metadata = {
        "format": FORMAT,
        "schema": SCHEMA,
        "content": content,
        "checksum": _sha256(tensors, content),
    }
    save_tensors(tensors, Path(path), metadata)


def load(path: str | Path, device: str = "auto") -> Detector:
    """Read a detector, or the weights of a run, which give a detector without a threshold.

    Args:
        path: file that `save` or ``aesc run`` wrote.
        device: where to compute: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises:
        InputError: the file is missing, a folder, not whole, of another version or of another
            program, the weights of a method that cannot score without its training images, or a
            detector whose region of interest covers no pixel.
    """
    metadata, tensors = _read(Path(path))
    place = resolve_device(device)
    if metadata.get("format") == FORMAT:
        return _detector(Path(path), metadata, tensors, place)
    if "config" in metadata:
        return _of_run(Path(path), metadata, tensors, place)
    raise InputError(f"{path} is not a detector: give a file that `aesc fit` wrote.")


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    if is_folder(path):
        raise InputError(f"{path} is a folder: give the file of a detector.")
    if not os.path.lexists(path):
        raise InputError(f"There is no detector {path}: check the path.")
    try:
        tensors, metadata = load_tensors(path)
    except DamagedFileError as error:
        raise InputError(
            f"{path} is not a whole detector ({error.reason}): copy it again, or make it anew with "
            "`aesc fit`."
        ) from error
    return metadata, tensors


def _detector(
    path: Path, metadata: dict[str, str], tensors: dict[str, Tensor], device: torch.device
) -> Detector:
    if metadata.get("schema") != SCHEMA:
        raise InputError(
            f"{path} is a detector of version {metadata.get('schema')}, this package reads "
            f"{SCHEMA}: use the package that wrote it, or make it anew with `aesc fit`."
        )
    try:
        content = _Content.model_validate_json(metadata.get("content", ""))
        reading = _reading(path, content, tensors)
        return Detector(
            model=_network(path, content.method, reading, tensors, device),
            method=content.method,
            preprocessing=reading,
            learned=_part(tensors, "learned"),
            familiar=Familiar(
                content.sizes, content.modes, content.ranges, tensors["mean"].numpy()
            ),
            images=Calibration.of(tensors["images"].numpy()),
            pixels=Calibration.of(tensors["pixels"].numpy()),
            quiet=content.quiet,
            false_rejects=content.false_rejects,
            review=content.review,
            card=content.card,
            device=device,
        )
    except ValidationError as error:
        raise InputError(
            f"{path} is not a whole detector ({first_problem(error)[0]}): make it anew "
            "with `aesc fit`."
        ) from error


def _reading(path: Path, content: _Content, tensors: dict[str, Tensor]) -> Preprocessing:
    roi = None
    if content.roi is not None:
        roi = RegionOfInterest(*content.roi, tensors["roi"].bool().numpy())
    tiling = None if content.tile is None else Tiling(*content.tile)
    size = (content.size, content.size) if isinstance(content.size, int) else content.size
    try:
        return Preprocessing(size, content.channels, content.white_level, roi, tiling)
    except InputError as error:
        cause = one_line(error).partition(": ")[0]  # its remedy is for who makes a detector
        raise InputError(
            f"{path} holds settings that cannot be used ({cause}): make it anew with `aesc fit`."
        ) from error


def _of_run(
    path: Path, metadata: dict[str, str], tensors: dict[str, Tensor], device: torch.device
) -> Detector:
    """The weights that a run wrote, without a threshold."""
    try:
        config = json.loads(metadata["config"])
        method, size, channels = config["model"], config["size"], config["channels"]
        tile = config.get("tile", 0)
        learns = METHODS[method].learn
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise InputError(
            f"{path} is not the weights of a run of this package ({one_line(error)}): give a file "
            "that `aesc run` or `aesc fit` wrote."
        ) from error
    if learns is not METHODS["aesc"].learn:
        raise InputError(
            f"{path} holds weights of {METHODS[method].title}, whose scores need its training "
            "images: use `aesc fit`, which keeps what is needed."
        )
    tiling = Tiling(tile, tile // 4) if tile else None
    reading = Preprocessing((size, size), channels, 255, tiling=tiling)
    network = _network(path, method, reading, {f"model.{k}": v for k, v in tensors.items()}, device)
    card = {"made by": "aesc run", **{str(k): v for k, v in config.items()}}
    return Detector(network, method, reading, card=card, device=device)


def _network(
    path: Path,
    method: str,
    reading: Preprocessing,
    tensors: dict[str, Tensor],
    device: torch.device,
) -> nn.Module:
    """The network of a method with the weights of a file."""
    if method not in METHODS:
        raise InputError(
            f"{path} was made with the method {method}, which this package does not have: use the "
            "package that wrote it."
        )
    generator = torch.Generator().manual_seed(0)
    network = METHODS[method].build(reading.channels, reading.shape[0], 0.1, generator)
    try:
        network.load_state_dict(_part(tensors, "model"))
    except RuntimeError as error:
        raise InputError(
            f"{path} does not fit the network of {METHODS[method].title} ({one_line(error)}): use "
            "the package that wrote it, or make it anew with `aesc fit`."
        ) from error
    return network.to(device).eval()


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    start = f"{name}."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def _sha256(tensors: dict[str, Tensor], content: str) -> str:
    """What version 0.2 of the package looks for; `load_tensors` checks types and shapes as well."""
    digest = hashlib.sha256(content.encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
