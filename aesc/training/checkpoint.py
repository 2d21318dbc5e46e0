"""Everything a training needs to go on, in one safetensors file: nothing is ever unpickled."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from aesc.errors import InputError
from aesc.files import whole_file

FORMAT = "aesc-checkpoint-1"


@dataclass
class Checkpoint:
    """State after a finished epoch.

    Attributes:
        identity: what the training is of (network, corruption, settings, seed, data, device); a
            training resumes only from a checkpoint of the same identity.
        tensors: weights now (``model.``), best weights (``best.``), moments of Adam
            (``optimizer.``) and the random generator's state.
        numbers: epoch, history, scheduler, scaler: whatever JSON can hold.
    """

    identity: dict[str, Any]
    tensors: dict[str, Tensor]
    numbers: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Tensors whose name starts with ``prefix.``, without it."""
        start = f"{prefix}."
        return {k.removeprefix(start): v for k, v in self.tensors.items() if k.startswith(start)}

    def save(self, path: Path) -> None:
        """Write to ``path``, whole or not at all.

        Raises:
            InputError: the folder cannot be written to, or the disk is full.
        """
        metadata = {
            "format": FORMAT,
            "identity": json.dumps(self.identity),
            "numbers": json.dumps(self.numbers),
        }
        save_tensors(self.tensors, path, metadata)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read a checkpoint.

        Raises:
            InputError: the file is missing, damaged, or not a checkpoint of this format.
        """
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if metadata.get("format") == FORMAT:
                identity, numbers = (json.loads(metadata[k]) for k in ("identity", "numbers"))
                return cls(identity, tensors, numbers)
        except FileNotFoundError as error:
            raise InputError(f"There is no checkpoint {path}: check the path.") from error
        except (SafetensorError, OSError, KeyError, json.JSONDecodeError) as error:
            raise InputError(
                f"Checkpoint {path} is damaged ({error}): delete it to train from the start."
            ) from error
        raise InputError(
            f"{path} is not a checkpoint of this version: delete it or choose another."
        )

    def check(self, identity: dict[str, Any], path: Path) -> None:
        """Raise InputError, naming what differs, unless the checkpoint is of that identity."""
        for key, value in identity.items():
            if self.identity.get(key) != value:
                raise InputError(
                    f"Checkpoint {path} is of another training ({key} is {self.identity.get(key)}, "
                    f"now {value}): delete it or choose another folder."
                )


def save_tensors(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Write tensors, from any device, as one safetensors file, whole or not at all.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    copies = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    with whole_file(path) as temporary:
        try:
            save_file(copies, temporary, metadata)
        except SafetensorError as error:
            raise OSError(str(error)) from error


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """State of an optimizer as named tensors (``<parameter index>.<entry>``)."""
    state = optimizer.state_dict()["state"]
    return {
        f"{i}.{key}": torch.as_tensor(v) for i, entry in state.items() for key, v in entry.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` took, keeping the optimizer's own parameter groups.

    Moments get the memory layout of their parameter: a file holds none, and the fused Adam walks
    through parameter and moments in the order of memory.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        if tensor.ndim > 0:
            tensor = torch.empty_like(parameters[int(index)]).copy_(tensor)
        state.setdefault(int(index), {})[key] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
