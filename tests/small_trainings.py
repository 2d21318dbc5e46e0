"""Trainings of a small network that take a second."""

import torch

from aesc.model import AESc
from aesc.noise import Stain
from aesc.training import Trainer, TrainingSettings

SETTINGS = TrainingSettings(epochs=6, batches=3, batch_size=4, patience=1)


def waves() -> torch.Tensor:
    """Smooth waves of random phase: something a small network can learn."""
    phase = torch.rand(14, 1, 1, 1, generator=torch.Generator().manual_seed(0)) * 6
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    return 0.5 + 0.3 * torch.sin(y / 5 + phase) * torch.cos(x / 7 + phase)


def trainer(images, *, kind=AESc, settings=SETTINGS, corruption=None, seed=0, **options):
    model = kind(depth=3, width=4, momentum=0.1, generator=torch.Generator().manual_seed(seed))
    return Trainer(
        model,
        images[:10],
        images[10:],
        corruption or Stain(),
        settings,
        seed=seed,
        **options,
    )


def weights(run: Trainer) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in run.model.state_dict().items()}


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
