"""Mixed precision, by what the device computes fast."""

from __future__ import annotations

import torch


def autocast_type(device: torch.device) -> torch.dtype | None:
    """Mixed precision on a CUDA card: bfloat16 where the card computes it, float16 elsewhere."""
    if device.type != "cuda":
        return None
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float16
