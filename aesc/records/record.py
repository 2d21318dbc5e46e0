"""The record of a run: one JSON file that says what was done, on what, with what result.

Rule of the schema: within a version a record only grows. A field that is added has a default that
means "not recorded" (None, an empty text) or names the only way there was before, so that every
older record stays readable. No field is renamed, retyped or given another meaning: that needs a new
`SCHEMA`, which `Record.parse` tells from the old. A package that is older than a record refuses the
fields that it does not know.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import from_json

from aesc._checks import choice, counted, first_problem, one_line, quoted
from aesc.errors import InputError
from aesc.files import whole_file
from aesc.provenance import Environment, Text, card

SCHEMA: Final = 1
"""Version of the schema of records, see the rule above."""

EMBEDDED = "embedded"
"""Name of the generated data set that comes with the package."""

KINDS = ("residual", "uncertainty")
"""The anomaly maps of the paper, which come first wherever kinds are listed."""

Count = Annotated[int, Field(ge=0, le=2**53)]
Kind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""Name of an anomaly map: a lower-case word, as it becomes part of the name of a column."""
# JSON has no tuples, and a strict model takes no list for one.
Interval = Annotated[
    tuple[float, float],
    BeforeValidator(lambda ends: tuple(ends) if isinstance(ends, list) else ends),
]


class NoRecordError(InputError):
    """There is no whole record: no file, or half of one, in whose place a run may write its own."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Data(_Part):
    """Which images were read, and how many.

    Attributes:
        dataset: name of the data set.
        category: name of the category.
        fingerprint: SHA-256 over the content of every file read.
        train: number of training images.
        validation: number of good images kept out of training.
        test_good: number of good test images.
        test_defective: number of defective test images.
        left_out_of_pixel_scores: number of test images without a mask that can be trusted.
        quick_fingerprint: what tells changed files without reading them, see
            `aesc.data.quick_fingerprint`; empty in records that are older than this field.
    """

    dataset: Text
    category: Text
    fingerprint: Text
    train: Count
    validation: Count
    test_good: Count
    test_defective: Count
    left_out_of_pixel_scores: Count
    quick_fingerprint: Text = ""


class MethodRecord(_Part):
    """What was trained and how it was scored.

    ``norm`` turns a map into the image score; ``decay`` is how the learning rate fell; ``tile`` is
    the side of the squares that images were cut into, 0 for whole images.
    """

    model: Text
    parameters: Count
    corruption: Text
    preset: Text
    size: Count
    channels: Count
    epochs: Count
    batches: Count
    batch_size: Count
    learning_rate: float
    patience: Count
    momentum: float
    passes: Count
    seed: Count
    loss: Text = "mse"
    norm: Text = "l2"
    decay: Text = "plateau"
    tile: Count = 0


class Training(_Part):
    """How the training went. PSNR in decibels, of the validation images; epochs from 1."""

    images_seen: Count
    best_epoch: Count
    best_validation_psnr: float
    last_loss: float


class Duration(_Part):
    """Wall-clock seconds. A resumed training counts only what this run spent."""

    data: float
    training: float
    scoring: float


class Detection(_Part):
    """Metrics of scores, each None where one class is missing.

    ``auroc_interval`` (low and high) is the 95 % bootstrap interval over the test images; None
    where it was not computed, as for pixels, which are no independent samples.
    """

    auroc: float | None
    average_precision: float | None
    f1_max: float | None
    f1_threshold: float | None
    auroc_interval: Interval | None = None


class Localisation(Detection):
    """Metrics of maps; ``aupro`` up to a false-positive rate of 0.3."""

    aupro: float | None


class DefectType(_Part):
    """One defect type against all good test images: AUROC of the image score, pixel metrics."""

    count: Count
    image_auroc: float | None
    pixel_auroc: float | None
    aupro: float | None


class MapMetrics(_Part):
    """All metrics of one kind of map; ``image`` by norm; ``pixel`` None without masks."""

    image: dict[Text, Detection]
    pixel: Localisation | None
    defects: dict[Text, DefectType]


class Record(_Part):
    """One run. Everything but ``duration`` is the same for the same run on the same machine."""

    schema_version: Literal[1]
    name: Annotated[Text, StringConstraints(min_length=1)]
    data: Data
    method: MethodRecord
    training: Training
    environment: Environment
    duration: Duration
    metrics: Annotated[dict[Kind, MapMetrics], Field(min_length=1)]
    notes: str = ""

    @model_validator(mode="after")
    def _has_its_own_image_scores(self) -> Record:
        norm = self.method.norm
        for kind, metrics in self.metrics.items():
            if norm not in metrics.image:
                raise InputError(f"metrics.{kind} has no image scores of its norm {norm!r}.")
        return self

    def image_metrics(self, kind: str) -> Detection:
        """Metrics of the method's own image score, from the maps of that kind.

        Raises:
            InputError: the method made no such maps.
        """
        return self.metrics[choice("kind", kind, self.metrics)].image[self.method.norm]

    def card(self) -> str:
        """The reproducibility card of a page: a Markdown table of what made this record."""
        data, method, where = self.data, self.method, self.environment
        seconds = self.duration
        tile = f" in tiles of {method.tile} px" if method.tile else ""
        lines = {
            "data": f"{data.dataset}, {data.category}, SHA-256 `{data.fingerprint[:16]}…`",
            "method": f"{method.model} + {method.corruption}, {method.size} px{tile}, "
            f"{counted(method.channels, 'channel')}, {counted(method.passes, 'dropout pass')}",
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
            InputError: the file cannot be read, or as in `parse`; `NoRecordError` where it is
                missing.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            kind = NoRecordError if isinstance(error, FileNotFoundError) else InputError
            raise kind(f"Cannot read record {path} ({error.strerror}): check the path.") from error
        return cls.parse(content, str(path))

    @classmethod
    def parse(cls, text: str | bytes, place: str) -> Record:
        """The record that a JSON text holds.

        Args:
            text: JSON, as `save` writes it.
            place: what messages call it, such as its path.

        Raises:
            InputError: of another schema version, without a field or with one that is not known;
                `NoRecordError` where it is not JSON.
        """
        try:
            content = from_json(text)
        except ValueError as error:
            raise NoRecordError(_damaged(place, f"not JSON, {one_line(error)}")) from error
        version = content.get("schema_version") if isinstance(content, dict) else None
        if type(version) is not int or version != SCHEMA:
            raise InputError(
                f"Record {place} has schema version {quoted(version)}, this package reads "
                f"{SCHEMA}: use the package that wrote it, or move it away and run again."
            )
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise InputError(_damaged(place, first_problem(error)[0])) from error


def kinds(records: list[Record]) -> list[str]:
    """Kinds of anomaly map that records hold: those of the paper first, others by name."""
    found = {kind for record in records for kind in record.metrics}
    return [*(kind for kind in KINDS if kind in found), *sorted(found - {*KINDS})]


def _damaged(place: str, reason: str) -> str:
    return f"Record {place} is not whole ({reason}): move it away and run again."
