"""The shapes that a network's convolutions give."""

import torch
from torch import nn


def shapes_of(model: nn.Module, images: torch.Tensor) -> dict[str, list[tuple[int, ...]]]:
    """Output shapes of the convolutions of encoder and decoder, in order, without the batch."""
    shapes: dict[str, list[tuple[int, ...]]] = {"encoder": [], "decoder": []}
    for part, found in shapes.items():
        for module in getattr(model, part).modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.register_forward_hook(
                    lambda _, __, output, found=found: found.append(tuple(output.shape[1:]))
                )
    with torch.inference_mode():
        model(images)
    return shapes
