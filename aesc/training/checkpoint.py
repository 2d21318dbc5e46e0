"""Everything a training needs to resume, in one safetensors file: nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import json
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from aesc._checks import one_line, quoted
from aesc.errors import InputError
from aesc.files import whole_file

FORMAT = "aesc-checkpoint-2"

_CHECKSUM = "crc32"
"""Entry of a file's metadata: checksum of everything else in it, against accidents, not forgery."""


class DamagedFileError(InputError):
    """A file whose content is not what was written: cut short, or changed on the disk.

    Args:
        sentence: what is said of it, as of any `InputError`.
        reason: how that shows, without a full stop.
    """

    def __init__(self, sentence: str, reason: str = "") -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass
class Checkpoint:
    """State after a finished epoch.

    Attributes:
        identity: the training that the state belongs to (network, corruption, settings, seed, data,
            device); a training resumes only from a checkpoint of the same identity.
        tensors: weights now (``model.``), best weights (``best.``), moments of Adam
            (``optimizer.``) and the random generator's state.
        numbers: epoch, history, scheduler, scaler: whatever JSON can hold.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "a.checkpoint")
        >>> Checkpoint({"seed": 0}, {"model.bias": torch.zeros(2)}, {"epoch": 3}).save(path)
        >>> Checkpoint.load(path).part("model")
        {'bias': tensor([0., 0.])}
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
            DamagedFileError: the content is not what was written, or was never a checkpoint.
            InputError: the file is missing, cannot be read, or has the format of another version.
        """
        tensors, metadata = load_tensors(path)
        if metadata.get("format") != FORMAT:
            raise InputError(
                f"{path} is not a checkpoint of this version: delete it or choose another."
            )
        identity, numbers = (json.loads(metadata[name]) for name in ("identity", "numbers"))
        return cls(identity, tensors, numbers)

    @classmethod
    def find(cls, path: Path) -> Checkpoint | None:
        """The checkpoint to resume from; None where a training has to start from the beginning.

        That is where there is no file, or a damaged one, of which a warning tells.

        Raises:
            InputError: the file cannot be read, or has the format of another version.
        """
        if not path.exists():
            return None
        try:
            return cls.load(path)
        except DamagedFileError as error:
            warnings.warn(
                f"Checkpoint {path} is damaged ({error.reason}): the training starts from the "
                "beginning.",
                stacklevel=3,
            )
            return None

    def check(self, identity: dict[str, Any], path: Path) -> None:
        """Refuse to resume another training.

        Raises:
            InputError: the identity differs; the sentence names what.
        """
        for key, value in identity.items():
            # A checkpoint from before a key was added does not have it, and is not refused for it.
            if self.identity.get(key, value) != value:
                raise InputError(
                    f"Checkpoint {path} belongs to another training ({key} is "
                    f"{quoted(self.identity.get(key))}, now {quoted(value)}): delete it, or "
                    "write to another place."
                )


def join_parts(parts: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors of several parts under one name each, ``part.name``, as `Checkpoint.part` finds them.

    Example:
        >>> join_parts({"model": {"bias": torch.zeros(2)}})
        {'model.bias': tensor([0., 0.])}
    """
    return {f"{part}.{name}": t for part, named in parts.items() for name, t in named.items()}


def save_tensors(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Write tensors, from any device, as one safetensors file, whole or not at all.

    Args:
        tensors: by name.
        path: where to.
        metadata: text to go with them; a checksum of everything is added.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    copies = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    content = save(copies, {**metadata, _CHECKSUM: _checksum(copies, metadata)})
    with whole_file(path) as temporary:
        # Not by safetensors' own writer, whose errors do not tell a full disk from another fault.
        temporary.write_bytes(content)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors, on the CPU, and metadata that `save_tensors` wrote.

    Raises:
        DamagedFileError: the content is not what was written, or another program wrote it.
        InputError: the file is missing or cannot be read.
        MemoryError: memory is short, which says nothing about the file; torch's RuntimeError as
            well.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "w.safetensors")
        >>> save_tensors({"weight": torch.ones(2)}, path, {"epoch": "3"})
        >>> load_tensors(path)
        ({'weight': tensor([1., 1.])}, {'epoch': '3'})
    """
    try:
        with open(path, "rb"):  # the reader below calls every failure alike
            pass
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}: check the path.") from error
    except OSError as error:
        raise InputError(f"Cannot read {path} ({one_line(error)}): check the path.") from error
    except (MemoryError, RuntimeError):
        raise  # called damaged, a whole file would be deleted for want of memory
    except Exception as error:  # damaged bytes make the reader raise anything else
        raise _damaged(path, one_line(error)) from error
    found = metadata.pop(_CHECKSUM, None)
    if found is None:
        raise _damaged(path, "it has no checksum")
    if found != _checksum(tensors, metadata):
        raise _damaged(path, "its content does not fit its checksum")
    return tensors, metadata


def _damaged(path: Path, reason: str) -> DamagedFileError:
    return DamagedFileError(f"{path} is damaged ({reason}): delete it.", reason)


def _checksum(tensors: dict[str, Tensor], metadata: dict[str, str]) -> str:
    value = zlib.crc32(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        value = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), value)
        value = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, value)
    return f"{value:08x}"


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


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    """A copy of all weights and statistics, by their name in the state dict."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def digest(images: Tensor) -> str:
    """SHA-256 of the values of images, in their order; two shapes of the same values agree.

    The shape is left out, since with it no checkpoint written so far would be resumed from.
    """
    return hashlib.sha256(images.cpu().contiguous().numpy().data).hexdigest()
