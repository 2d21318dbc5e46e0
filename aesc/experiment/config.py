"""What a run is asked to do: presets, and a configuration checked before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from aesc.device import resolve_device
from aesc.errors import InputError
from aesc.experiment.methods import METHODS
from aesc.model import check_image_size
from aesc.scoring import PASSES
from aesc.training import TrainingSettings

EMBEDDED = "embedded"
"""Name of the generated data set that comes with the package."""

DEPTH = 6


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

    Attributes:
        category: name of the category.
        data: ``embedded`` for the generated data set, else a dataset folder that holds category
            folders, or the category folder itself.
        preset: ``quick``, ``standard`` or ``paper``.
        model: one of `aesc.experiment.METHODS`.
        corruption: one that the method can be trained with; by default its own, ``stain`` for
            ``aesc`` and ``ae``.
        size: side of the images in pixels, at least 64; by default the preset's.
        epochs: training epochs; by default the preset's.
        channels: 1 (grey) or 3; by default the method's, as it was published.
        passes: dropout passes of the uncertainty map, at least 2.
        seed: of the split, the weights, the training and the dropout, from 0.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    category: str = Field(min_length=1)
    data: str = EMBEDDED
    preset: str = "quick"
    model: str = "aesc"
    corruption: str = ""
    size: int = Field(default=0, ge=1, le=4096)
    epochs: int = Field(default=0, ge=1, le=100_000)
    channels: int = 0
    passes: int = Field(default=PASSES, ge=2, le=10_000)
    seed: int = Field(default=0, ge=0, lt=2**31)
    device: str = "auto"

    @field_validator("data")
    @classmethod
    def _from_anywhere(cls, value: str) -> str:
        """Absolute, since the notebook may run in another folder."""
        return value if value == EMBEDDED else str(Path(value).expanduser().absolute())

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, value: str) -> str:
        return _one_of("preset", value, PRESETS)

    @field_validator("model")
    @classmethod
    def _known_model(cls, value: str) -> str:
        return _one_of("model", value, METHODS)

    @field_validator("channels")
    @classmethod
    def _grey_or_colour(cls, value: int) -> int:
        if value not in (1, 3):
            raise InputError(f"channels={value} is not possible: give 1 (grey) or 3 (colour).")
        return value

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
        preset = PRESETS.get(values.get("preset", "quick"))
        method = METHODS.get(values.get("model", "aesc"))
        if preset is not None:
            values = {"size": preset.size, "epochs": preset.training.epochs, **values}
        if method is not None:
            own = {"corruption": method.corruptions[0], "channels": method.channels}
            values = {**own, **values}
        return values

    @model_validator(mode="after")
    def _fits(self) -> RunConfig:
        METHODS[self.model].check_corruption(self.corruption)
        check_image_size(self.size, DEPTH)
        self.training_settings()
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
        return EMBEDDED if self.data == EMBEDDED else Path(self.data).resolve().name

    @property
    def name(self) -> str:
        """Name of the run, unique for a configuration; files of the run start with it."""
        dataset = [] if self.dataset == self.category else [self.dataset]
        usual, colours = METHODS[self.model].channels, {1: "grey", 3: "colour"}
        extras = [
            f"{self.epochs}epochs" * (self.epochs != PRESETS[self.preset].training.epochs),
            colours[self.channels] * (self.channels != usual),
            f"{self.passes}passes" * (self.passes != PASSES),
            f"seed{self.seed}",
        ]
        parts = [self.category, self.model, self.corruption, self.preset, f"{self.size}px"]
        return "-".join([*dataset, *parts, *filter(None, extras)])

    def training_settings(self) -> TrainingSettings:
        """The preset's schedule with this run's number of epochs."""
        preset = PRESETS[self.preset].training
        return TrainingSettings(**{**vars(preset), "epochs": self.epochs})


def first_sentence(error: ValidationError) -> str:
    """The first problem of a validation, as one sentence that names the value."""
    problem = error.errors()[0]
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return str(cause)
    place = ".".join(str(part) for part in problem["loc"])
    rule = problem["msg"].lower().removeprefix("input ")
    return f"{place}={problem['input']!r} is not possible: it {rule}."


def _one_of(name: str, value: str, known: dict[str, Any]) -> str:
    if value not in known:
        raise InputError(f"Unknown {name} {value!r}: choose one of {', '.join(known)}.")
    return value
