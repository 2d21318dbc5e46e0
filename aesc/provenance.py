"""What made a result: device, versions and platform, and the card that a page shows of them.

Reading a record imports this module, so torch is imported only where a device is asked for.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from aesc._markdown import cell

if TYPE_CHECKING:
    import torch


Text = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\p{Cc}]*$")]
"""A name or version in a record: on one line, and no longer than a file name can be."""


class Environment(BaseModel):
    """Where a run took place.

    Rounding differs between devices and, on a CPU, between numbers of threads.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    device: Text
    aesc: Text
    python: Text
    torch: Text
    numpy: Text
    scipy: Text
    pillow: Text
    platform: Text


def card(lines: Mapping[str, object]) -> str:
    """A reproducibility card: what made a page or a record, as a Markdown table.

    Example:
        >>> print(card({"seed": 0, "device": "cpu"}))
        | reproducibility card | |
        |---|---|
        | seed | 0 |
        | device | cpu |
    """
    rows = "\n".join(f"| {cell(name)} | {cell(text)} |" for name, text in lines.items())
    return f"| reproducibility card | |\n|---|---|\n{rows}"


def page_card(**facts: object) -> str:
    """The reproducibility card of a page without a record: its own facts, device and versions.

    Args:
        **facts: lines of the card, such as ``seed=0, data="embedded, washer"``.
    """
    where = environment()
    versions = (f"{name} {getattr(where, name)}" for name in ("aesc", "torch", "numpy"))
    return card(
        {
            **facts,
            "device": where.device,
            "versions": f"Python {where.python}, {', '.join(versions)}, {where.platform}",
        }
    )


def environment(device: torch.device | None = None) -> Environment:
    """Versions and device, for a record or a bug report.

    Args:
        device: where the work is done; by default the one that `aesc.device` prefers here.

    Raises:
        InputError: the device is not available.
    """
    from aesc.device import device_name, resolve_device

    return Environment(
        device=device_name(device or resolve_device()),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        **{name: version(name) for name in ("aesc", "torch", "numpy", "scipy", "pillow")},
    )
