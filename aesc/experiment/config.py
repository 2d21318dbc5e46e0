"""What a run is asked to do: presets, and a configuration checked before anything is computed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from aesc._checks import channels, choice, first_sentence, whole
from aesc.data import category_name, content_fingerprint, quick_fingerprint, resolve_category
from aesc.device import resolve_device
from aesc.errors import InputError
from aesc.experiment.methods import METHODS
from aesc.paths import own_path
from aesc.records import EMBEDDED, Record
from aesc.scoring import PASSES
from aesc.synthetic import SIZE as EMBEDDED_SIZE
from aesc.synthetic import VERSION, embedded
from aesc.tiling import Tiling
from aesc.training import TrainingSettings

_LIMITS = {
    "size": (1, 4096),
    "tile": (0, 4096),
    "epochs": (1, 100_000),
    "passes": (2, 10_000),
    "seed": (0, 2**31 - 1),
}


@dataclass(frozen=True)
class Preset:
    """A named budget: image size, schedule, and the momentum of the batch norms.

    In a short training, statistics with the published momentum of 0.01 would still be far behind
    the weights at the end, so the short presets use PyTorch's default of 0.1. The shortest also
    doubles the published learning rate.
    """

    size: int
    momentum: float
    training: TrainingSettings


PRESETS = {
    "quick": Preset(
        64, 0.1, TrainingSettings(epochs=10, batches=35, learning_rate=2e-3, patience=3)
    ),
    "standard": Preset(128, 0.1, TrainingSettings(epochs=24, batches=125, patience=4)),
    "paper": Preset(256, 0.01, TrainingSettings()),
}
"""``quick``: under a minute a category on two cores. ``standard``: ten minutes.
``paper``: as published, which wants a GPU."""


class RunConfig(BaseModel):
    """One category, one method, one budget, one seed.

    Whole numbers may be given as text of digits, as they come from a command line.

    Attributes:
        category: name of the category.
        data: ``embedded`` for the generated data set, else a dataset folder that holds category
            folders, or the category folder itself.
        preset: ``quick``, ``standard`` or ``paper``.
        model: one of `aesc.experiment.METHODS`.
        corruption: one that the method can be trained with; by default its own, ``stain`` for
            ``aesc`` and ``ae``.
        size: side of the images in pixels, at least ``Method.smallest``; by default the preset's.
        tile: side of the squares that images are cut into: the network is trained on some at random
            places, and maps are laid together; 0 (default) shows it whole images.
        epochs: training epochs; by default the preset's.
        channels: 1 (grey) or 3; by default the method's, as it was published.
        passes: dropout passes of the uncertainty map, at least 2.
        seed: seed of the split, the weights, the training and the dropout, from 0.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Example:
        >>> RunConfig.checked(category="washer", model="itae", seed=1).name
        'embedded-washer-itae-erasing-quick-64px-seed1'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    category: str = Field(min_length=1)
    data: str = EMBEDDED
    preset: str = "quick"
    model: str = "aesc"
    corruption: str = ""
    size: int = 0
    tile: int = 0
    epochs: int = 0
    channels: int = 0
    passes: int = PASSES
    seed: int = 0
    device: str = "auto"

    @field_validator("category")
    @classmethod
    def _no_path(cls, value: str) -> str:
        return category_name(value)

    @field_validator("data")
    @classmethod
    def _from_anywhere(cls, value: str) -> str:
        """Absolute, since the notebook may run in another folder."""
        if value == EMBEDDED:
            return value
        folder = own_path(value).absolute()
        if Path(os.path.realpath(folder)).name == EMBEDDED:
            raise InputError(
                f"data is {str(folder)!r}: rename the folder, since records call the generated "
                f"data set {EMBEDDED}."
            )
        return str(folder)

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, value: str) -> str:
        return choice("preset", value, PRESETS)

    @field_validator("model")
    @classmethod
    def _known_model(cls, value: str) -> str:
        return choice("model", value, METHODS)

    @field_validator(*_LIMITS, "channels", mode="before")
    @classmethod
    def _whole(cls, value: object, info: ValidationInfo) -> int:
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,12}", value):
            value = int(value)
        name = info.field_name or ""
        return channels(value) if name == "channels" else whole(name, value, *_LIMITS[name])

    @field_validator("device")
    @classmethod
    def _device_is_there(cls, value: str) -> str:
        resolve_device(value)
        return value

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, values: dict[str, Any]) -> dict[str, Any]:
        """What is left out, or None as from a command line, is the preset's or the method's."""
        values = {k: v for k, v in values.items() if v is not None}
        preset = PRESETS.get(str(values.get("preset", "quick")))
        method = METHODS.get(str(values.get("model", "aesc")))
        if preset is not None:
            values = {"size": preset.size, "epochs": preset.training.epochs, **values}
        if method is not None:
            own = {"corruption": method.own_corruption, "channels": method.channels}
            values = {**own, **values}
        return values

    @model_validator(mode="after")
    def _fits(self) -> RunConfig:
        METHODS[self.model].check_corruption(self.corruption)
        METHODS[self.model].check_size(self.tile or self.size, "tile" if self.tile else "size")
        if self.tiling is not None:
            self.tiling.check(self.size, self.size, "size")
        return self

    @classmethod
    def checked(cls, **values: Any) -> RunConfig:
        """Build a configuration.

        Raises:
            InputError: a value that is unknown or out of range.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            raise InputError(first_sentence(error)) from error

    @property
    def dataset(self) -> str:
        """Name of the data set: the folder's own name, never its path."""
        return EMBEDDED if self.data == EMBEDDED else Path(os.path.realpath(self.data)).name

    @property
    def name(self) -> str:
        """Name of the run; its files start with it.

        It tells configurations for one data set apart, but not every two data sets: `matches` does.
        """
        dataset = [] if self.dataset == self.category else [self.dataset]
        parts = [self.category, self.model, self.corruption, self.preset, f"{self.size}px"]
        if self.tile:
            parts.append(f"{self.tile}tile")
        if self.epochs != PRESETS[self.preset].training.epochs:
            parts.append(f"{self.epochs}epochs")
        if self.channels != METHODS[self.model].channels:
            parts.append({1: "grey", 3: "colour"}[self.channels])
        if self.passes != PASSES:
            parts.append(f"{self.passes}passes")
        return "-".join([*dataset, *parts, f"seed{self.seed}"])

    @property
    def tiling(self) -> Tiling | None:
        """How images are cut, neighbours with an overlap of a quarter; None leaves them whole."""
        return Tiling(self.tile, self.tile // 4) if self.tile else None

    def training_settings(self) -> TrainingSettings:
        """The preset's schedule with this run's number of epochs and the method's decay."""
        preset = PRESETS[self.preset].training
        return replace(preset, epochs=self.epochs, decay=METHODS[self.model].decay)

    def folder(self, progress: bool = False) -> Path:
        """The category folder. Embedded images are generated if they are not there yet.

        Args:
            progress: show a bar while they are.

        Raises:
            InputError: there is no such category.
        """
        if self.data != EMBEDDED:
            return resolve_category(self.category, self.data)
        # Rendered once at its usual size, and only for larger images anew: smaller ones are
        # reduced from it, as photographs would be.
        size = max(self.size, EMBEDDED_SIZE)
        return embedded(size, names=[self.category], progress=progress) / self.category

    def quick_fingerprint(self) -> str:
        """What tells changed data without reading them: for the embedded ones, their version.

        Raises:
            InputError: there is no such category.
        """
        if self.data == EMBEDDED:
            return f"{EMBEDDED} {VERSION}"
        return quick_fingerprint(self.folder())

    def matches(self, record: Record, place: str) -> bool:
        """Whether a record of this name was made from the images that the run reads.

        Files of other times are read again and compared by their content, so that a copy of a data
        set is the same data.

        Args:
            record: a record of this name.
            place: what messages call it, such as its path.

        Returns:
            True for the same images. False where the data set is not on this machine, or where the
            package has since changed how the embedded images are generated.

        Raises:
            InputError: the record was made from other images, whose result must not be lost.
        """
        known = record.data
        if (known.dataset, known.category) != (self.dataset, self.category):
            raise InputError(
                f"Record {place} is of category {known.category!r} of data set {known.dataset!r}: "
                f"choose another --out for category {self.category!r} of {self.dataset!r}, a run "
                "of the same name."
            )
        if self.data != EMBEDDED and not Path(self.data).exists():
            return False
        if known.quick_fingerprint == self.quick_fingerprint():
            return True
        folder = self.folder()
        if known.fingerprint == content_fingerprint(folder):
            return True
        if self.data == EMBEDDED:
            return False
        raise InputError(
            f"Record {place} was made from other images than {folder} holds now: choose another "
            "--out, or remove the files of that run to train again."
        )


def full_length(records: list[Record]) -> list[Record]:
    """The records whose training had at least the epochs of its preset; none was cut short.

    Raises:
        InputError: a record of an unknown preset.
    """
    return [
        record
        for record in records
        if record.method.epochs
        >= PRESETS[choice("preset", record.method.preset, PRESETS)].training.epochs
    ]
