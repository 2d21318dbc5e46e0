"""The device to compute on: a GPU where there is one, or the CPU."""

from __future__ import annotations

import torch

from aesc._checks import counted, quoted
from aesc.errors import InputError


def resolve_device(name: str = "auto") -> torch.device:
    """The device of that name; ``auto`` takes CUDA where there is one, then MPS, then the CPU.

    Args:
        name: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises:
        InputError: an unknown name, or a device that is not available here.

    Example:
        >>> resolve_device("cpu")
        device(type='cpu')
    """
    if name == "auto":
        return torch.device(available_devices()[-1])
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise InputError(f"device is {quoted(name)}: choose auto, cpu, cuda, cuda:N or mps.")
    here = available_devices()
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if device.type not in here or (device.index or 0) >= count:
        raise InputError(
            f"device is {name!r}, which is not available: choose auto, or one of {', '.join(here)}."
        )
    return device


def available_devices() -> list[str]:
    """Kinds of device that torch can use here, the preferred one last.

    Example:
        >>> available_devices()[0]
        'cpu'
    """
    here = ["cpu"]
    if torch.backends.mps.is_available():
        here.append("mps")
    if torch.cuda.is_available():
        here.append("cuda")
    return here


def device_name(device: torch.device) -> str:
    """What a record calls the device: the card's name, or the kind with its thread count.

    Example:
        >>> device_name(torch.device("mps"))
        'mps'
    """
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        return f"cpu ({counted(torch.get_num_threads(), 'thread')})"
    return device.type
