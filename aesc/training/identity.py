"""How a checkpoint tells the parts of a training from others: a loss, a corruption, a change."""

from __future__ import annotations

import inspect
import re
from functools import partial
from typing import Any

from torch import nn

from aesc._checks import quoted
from aesc.errors import InputError
from aesc.training.settings import InTurn

_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
"""Where an object lies in memory, which is another place in the next process."""

_NAMED_ALONE = ("aesc", "torch")
"""Packages whose functions go by their name, as in the checkpoints that were written first."""


def identity_of(name: str, part: object) -> str:
    """A function by its module and name, anything else by its ``repr``.

    Args:
        name: what the message calls it.
        part: a loss, a corruption or an augmentation.

    Raises:
        InputError: what tells it from others does not outlive this process: it is a function
            without a name of its own, or an object whose ``repr`` is its address.

    Example:
        >>> from aesc.noise import Gaussian
        >>> identity_of("corruption", Gaussian(0.2))
        'Gaussian(sigma=0.2)'
        >>> identity_of("loss", lambda *_: 0)
        Traceback (most recent call last):
            ...
        aesc.errors.InputError: loss is <function <lambda> at 0x...>, which no checkpoint can tell
        from another: give a function of a module or an object with a repr of its own, or leave the
        checkpoint out.
    """
    text = _told(part)
    if _ADDRESS.search(text):
        raise InputError(
            f"{name} is {quoted(part)}, which no checkpoint can tell from another: give a function "
            "of a module or an object with a repr of its own, or leave the checkpoint out."
        )
    return text


def momenta(model: nn.Module) -> list[str]:
    """The momenta of a network's batch norms, each once; its weights and sizes do not show them.

    Example:
        >>> momenta(nn.Sequential(nn.BatchNorm2d(1, momentum=0.5), nn.BatchNorm2d(1, momentum=0.5)))
        ['0.5']
    """
    norms = (module for module in model.modules() if isinstance(module, nn.BatchNorm2d))
    return sorted({str(norm.momentum) for norm in norms})


def _told(part: Any) -> str:
    if isinstance(part, InTurn):
        changes = [_told(change) for change in part.changes]
        return f"InTurn(changes=({', '.join(changes)}{',' * (len(changes) == 1)}))"  # as its repr
    if isinstance(part, partial):
        return f"partial({_told(part.func)}, {part.args}, {part.keywords})"
    name = getattr(part, "__qualname__", None)
    if name is None or "<" in name or inspect.ismethod(part):
        return repr(part)
    module = str(part.__module__)
    return part.__name__ if module.split(".")[0] in _NAMED_ALONE else f"{module}.{name}"
