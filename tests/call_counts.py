"""What torch is asked to compute: a count of its calls, by the name of the operation."""

from __future__ import annotations

from collections import Counter

from torch.utils._python_dispatch import TorchDispatchMode


class Calls(TorchDispatchMode):
    """Counts the operations within its ``with`` block, such as ``aten.convolution.default``."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        """Count and compute."""
        self.counts[str(operation)] += 1
        return operation(*args, **(kwargs or {}))
