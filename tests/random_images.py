"""Random numbers that are the same in every run."""

import torch


def generator(seed: int = 0) -> torch.Generator:
    """A generator on the CPU."""
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """White noise in [0, 1)."""
    return torch.rand(*shape, generator=generator(seed), dtype=dtype)
