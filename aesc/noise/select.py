"""One of several computations for each image of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from aesc.noise.base import on_host


def per_image(kind: Tensor, parts: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
    """Compute for each image the part that it drew.

    On the CPU a part is computed for the images that drew it. On other devices each part is
    computed for the whole batch and one is selected per image: splitting the batch would have to
    wait for the draw.

    Args:
        kind: index of each image's part, B whole numbers.
        parts: functions of the indices of K images to what is computed of them, K x ...

    Returns:
        B x ...

    Example:
        >>> kind = torch.tensor([1, 0, 1])
        >>> per_image(kind, [lambda chosen: 10 * chosen, lambda chosen: -chosen])
        tensor([ 0, 10, -2])
    """
    everyone = torch.arange(len(kind), device=kind.device)
    if not on_host(kind):
        results = torch.stack([part(everyone) for part in parts])  # parts x B x ...
        return results[kind, everyone]
    found: Tensor | None = None
    for number, part in enumerate(parts):
        chosen = (kind == number).nonzero().flatten()
        if len(chosen):
            computed = part(chosen)
            if found is None:
                found = computed.new_empty((len(kind), *computed.shape[1:]))
            found[chosen] = computed
    assert found is not None  # some image drew some part
    return found
