"""Fillings of the rich corruption: what an image is changed to."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from aesc.noise.base import normal, uniform
from aesc.noise.shapes import turned_grid

COARSE = 16
"""Low frequencies of an image are what is left of it on a grid of this many values a side."""

Filling = Callable[[Tensor, Tensor, torch.Generator], Tensor]
"""Images, as many other good images (K x C x H x W twice) and a source of draws to what the shapes
in those images are filled with, K x C x H x W."""


def colour(images: Tensor, others: Tensor, generator: torch.Generator) -> Tensor:
    """One colour per image, every second time a grey, with slight grain."""
    count, channels = images.shape[:2]
    grey = uniform((count, 1, 1, 1), (0.0, 1.0), generator, images)
    coloured = uniform((count, channels, 1, 1), (0.0, 1.0), generator, images)
    plain = uniform((count, 1, 1, 1), (0.0, 1.0), generator, images) < 0.5
    grain = normal(tuple(images.shape), generator, images).mul_(0.02)
    return grain.add_(torch.where(plain, grey, coloured))


def piece(images: Tensor, others: Tensor, generator: torch.Generator) -> Tensor:
    """A piece of another image: shifted, turned, scaled, brighter or darker."""
    count = len(others)
    zoom = uniform((count,), (0.7, 1.4), generator, others)
    turn = uniform((count,), (0.0, 2 * math.pi), generator, others)
    shift = uniform((count, 2), (-1.0, 1.0), generator, others)
    where = turned_grid(others, zoom, turn, shift)
    moved = functional.grid_sample(others, where, padding_mode="reflection", align_corners=False)
    return _recontrasted(moved, generator)


def texture(images: Tensor, others: Tensor, generator: torch.Generator) -> Tensor:
    """The texture of another piece on the shading of the image itself."""
    moved = piece(images, others, generator)
    return moved.sub_(shading(moved)).add_(shading(images))


def deformed(images: Tensor, others: Tensor, generator: torch.Generator) -> Tensor:
    """The image itself, bent by up to 8 % of its side."""
    count = len(images)
    bend = normal((count, 2, 5, 5), generator, images).clamp_(-2, 2).mul_(0.08)
    bend = functional.interpolate(bend, images.shape[2:], mode="bicubic", align_corners=False)
    still = torch.zeros(count, device=images.device, dtype=images.dtype)
    where = turned_grid(images, still + 1, still, torch.stack([still, still], 1))
    where = where + bend.permute(0, 2, 3, 1)  # K x H x W x 2
    return functional.grid_sample(images, where, padding_mode="reflection", align_corners=False)


def tinted(images: Tensor, others: Tensor, generator: torch.Generator) -> Tensor:
    """The image itself in another colour and contrast, and every second time without its detail."""
    smoothed = uniform((len(images), 1, 1, 1), (0.0, 1.0), generator, images) < 0.5
    base = torch.where(smoothed, shading(images), images)
    shift = uniform((*images.shape[:2], 1, 1), (-0.3, 0.3), generator, images)
    return _recontrasted(base, generator).add_(shift)


FILLINGS: tuple[Filling, ...] = (colour, piece, texture, deformed, tinted)
"""The kinds of filling, equally frequent."""


def shading(images: Tensor) -> Tensor:
    """The low frequencies of images: B x C x H x W, same shape."""
    coarse = functional.adaptive_avg_pool2d(images, COARSE)
    return functional.interpolate(coarse, images.shape[2:], mode="bilinear", align_corners=False)


def _recontrasted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Another contrast and brightness for each image."""
    gain = uniform((len(images), 1, 1, 1), (0.5, 1.5), generator, images)
    shift = uniform((len(images), 1, 1, 1), (-0.2, 0.2), generator, images)
    mean = images.mean((2, 3), keepdim=True)
    return (images - mean).mul_(gain).add_(mean).add_(shift)
