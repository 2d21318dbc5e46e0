"""The record of a run: one JSON file that says what was done, on what, with what result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from aesc.errors import InputError
from aesc.experiment.config import first_sentence
from aesc.files import whole_file

SCHEMA = 1


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Data(_Part):
    """Which images: counts, and a SHA-256 over every file read."""

    dataset: str
    category: str
    fingerprint: str
    train: int
    validation: int
    test_good: int
    test_defective: int
    left_out_of_pixel_scores: int


class Method(_Part):
    """What was trained and how it was scored. ``norm`` turns a map into the image score."""

    model: str
    parameters: int
    corruption: str
    preset: str
    size: int
    channels: int
    epochs: int
    batches: int
    batch_size: int
    learning_rate: float
    patience: int
    momentum: float
    passes: int
    seed: int
    loss: str = "mse"
    norm: str = "l2"


class Training(_Part):
    """How the training went. PSNR in decibels, of the validation images; epochs from 1."""

    images_seen: int
    best_epoch: int
    best_validation_psnr: float
    last_loss: float


class Environment(_Part):
    """Where it ran. Another device, and on a CPU another number of threads, rounds otherwise."""

    device: str
    aesc: str
    python: str
    torch: str
    numpy: str
    scipy: str
    pillow: str
    platform: str


class Duration(_Part):
    """Wall-clock seconds. A resumed training counts only what this run spent."""

    data: float
    training: float
    scoring: float


class Detection(_Part):
    """Metrics of scores, each None where one class is missing."""

    auroc: float | None
    average_precision: float | None
    f1_max: float | None
    f1_threshold: float | None


class Localisation(Detection):
    """Metrics of maps; ``aupro`` up to a false-positive rate of 0.3."""

    aupro: float | None


class DefectType(_Part):
    """One defect type against all good test images: AUROC of the image score, pixel metrics."""

    count: int
    image_auroc: float | None
    pixel_auroc: float | None
    aupro: float | None


class MapMetrics(_Part):
    """All metrics of one kind of map; ``image`` by norm; ``pixel`` None without masks."""

    image: dict[str, Detection]
    pixel: Localisation | None
    defects: dict[str, DefectType]


def card(lines: Mapping[str, object]) -> str:
    """A reproducibility card: what made a page or a record, as a Markdown table."""
    rows = "\n".join(f"| {name} | {text} |" for name, text in lines.items())
    return f"| reproducibility card | |\n|---|---|\n{rows}"


class Record(_Part):
    """One run. Everything but ``duration`` is the same for the same run on the same machine."""

    schema_version: Literal[1]
    name: str
    data: Data
    method: Method
    training: Training
    environment: Environment
    duration: Duration
    metrics: dict[str, MapMetrics]
    notes: str = ""

    def image_metrics(self, kind: str) -> Detection:
        """Metrics of the method's own image score, from the maps of that kind."""
        return self.metrics[kind].image[self.method.norm]

    def card(self) -> str:
        """The reproducibility card of a page: a Markdown table of what made this record."""
        data, method, where = self.data, self.method, self.environment
        seconds = self.duration
        lines = {
            "data": f"{data.dataset}, {data.category}, SHA-256 `{data.fingerprint[:16]}…`",
            "method": f"{method.model} + {method.corruption}, {method.size} px, "
            f"{method.channels} channel(s), {method.passes} dropout passes",
            "training": f"preset {method.preset}: {method.epochs} epochs of {method.batches} "
            f"batches of {method.batch_size}, best epoch {self.training.best_epoch}",
            "seed": str(method.seed),
            "device": where.device,
            "versions": f"aesc {where.aesc}, Python {where.python}, torch {where.torch}, "
            f"numpy {where.numpy}, {where.platform}",
            "duration": f"data {seconds.data:.0f} s, training {seconds.training:.0f} s, "
            f"scoring {seconds.scoring:.0f} s",
        }
        if self.notes:
            lines["notes"] = self.notes
        return card(lines)

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all.

        Raises:
            InputError: the folder cannot be written to, or the disk is full.
        """
        with whole_file(path) as temporary:
            temporary.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read a record.

        Raises:
            InputError: the file is missing, not JSON, of another schema version, or not whole.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"Cannot read record {path} ({error.strerror}): check the path."
            ) from error
        except UnicodeDecodeError as error:
            raise InputError(
                f"Record {path} is not JSON ({error}): delete it, run again."
            ) from error
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, place: str) -> Record:
        """The record that a JSON text holds; ``place`` names it in messages.

        Raises:
            InputError: not JSON, of another schema version, or not whole.
        """
        try:
            content = json.loads(text)
        except ValueError as error:
            raise InputError(
                f"Record {place} is not JSON ({error}): delete it, run again."
            ) from error
        version = content.get("schema_version") if isinstance(content, dict) else None
        if version != SCHEMA:
            raise InputError(
                f"Record {place} has schema version {version}, this package reads {SCHEMA}: "
                "delete it and run again, or use the package that wrote it."
            )
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise InputError(
                f"Record {place} is not whole ({first_sentence(error)}): delete it and run again."
            ) from error
