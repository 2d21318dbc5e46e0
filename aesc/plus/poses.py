"""Good parts in other poses: shifted, and turned where that makes no difference."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from aesc._checks import number
from aesc.data import ImageStream
from aesc.errors import InputError

TURNS = {
    "as it is": (False, False, False),
    "left to right": (False, False, True),
    "top to bottom": (False, True, False),
    "half a turn": (False, True, True),
    "transposed": (True, False, False),
    "a quarter to the right": (True, False, True),
    "a quarter to the left": (True, True, False),
    "transposed the other way": (True, True, True),
}
"""The symmetries of the square: whether rows and columns are exchanged, and then the order of the
rows and that of the columns reversed."""

ALIKE = 1 / 3
"""Least share of turned images that lie as near to the others as before; one half is expected where
a turn makes no difference."""

MOST, LEAST = 256, 10
"""Images that are compared, at most, and below which none is turned."""

LAYOUT, SPECTRUM = 32, 16
"""Sides that an image and its spectrum are reduced to, in pixels, before they are compared."""


@dataclass(frozen=True)
class Poses:
    """Random turns and shifts, one draw per image; no pixel is interpolated.

    In training it changes the image before it is corrupted, so that the network sees more good
    images than there are. What a shift brings in from beyond the border is mirrored.

    Attributes:
        turns: those of `TURNS` to draw from, such as `free_turns` finds.
        shift: largest shift along an axis, as a fraction of the side.

    Raises:
        InputError: no turn, one that is not among `TURNS`, or a shift outside [0, 0.5].

    Example:
        >>> import torch
        >>> rows = torch.linspace(0, 1, 5).view(1, 1, 5, 1).expand(1, 1, 5, 5)
        >>> mirrored = Poses(("top to bottom",), shift=0.0)
        >>> mirrored(rows, torch.Generator().manual_seed(0))[0, 0, :, 0]
        tensor([1.0000, 0.7500, 0.5000, 0.2500, 0.0000])
    """

    turns: tuple[str, ...] = ("as it is",)
    shift: float = 1 / 16

    def __post_init__(self) -> None:
        number("shift", self.shift, 0.0, 0.5)
        if not self.turns or not set(self.turns) <= set(TURNS):
            raise InputError(f"turns is {self.turns}: give some of {', '.join(TURNS)}.")

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Images in other poses.

        Args:
            images: B x C x H x W. Not changed.
            generator: source of the draws.

        Returns:
            Images of the same shape.
        """
        batch, device = len(images), images.device

        def draws(low: int, high: int) -> Tensor:
            return torch.randint(low, high + 1, (batch,), generator=generator, device=device)

        drawn = draws(0, len(self.turns) - 1)
        images = turned(images, *(self._among(drawn, part) for part in range(3)))
        for axis in (2, 3):
            reach = int(self.shift * images.shape[axis])
            images = _shifted(images, axis, draws(-reach, reach))
        return images

    def _among(self, drawn: Tensor, part: int) -> Tensor:
        """Where that part of the drawn turns is set, B x 1 x 1 x 1."""
        # Not by a table on the device, which a step that is recorded as a CUDA graph cannot fill.
        chosen = torch.zeros_like(drawn, dtype=torch.bool)
        for place, name in enumerate(self.turns):
            if TURNS[name][part]:
                chosen |= drawn == place
        return chosen.view(-1, 1, 1, 1)


def turned(images: Tensor, transposed: Tensor, flipped: Tensor, mirrored: Tensor) -> Tensor:
    """Images, B x C x H x W, turned where the booleans, B x 1 x 1 x 1, are set."""
    if images.shape[2] == images.shape[3]:  # others are never transposed
        images = torch.where(transposed, images.mT, images)
    images = torch.where(flipped, images.flip(2), images)
    return torch.where(mirrored, images.flip(3), images)


def _shifted(images: Tensor, axis: int, by: Tensor) -> Tensor:
    """Each of the B images moved by its number of pixels, mirrored at the border."""
    last = images.shape[axis] - 1
    places = torch.arange(last + 1, device=images.device) + by.unsqueeze(1)  # B x side
    places = last - (last - places.abs()).abs()
    shape = [len(images), 1, 1, 1]
    shape[axis] = last + 1
    return images.gather(axis, places.view(shape).expand_as(images))


def free_turns(good: Tensor | ImageStream) -> tuple[str, ...]:
    """Those of `TURNS` after which good images look like good images.

    An image lies as near to its nearest neighbour among the others as after the turn, or nearer, in
    half of all cases where the turn makes no difference, and in hardly any where it does. Images
    are compared twice: reduced to a few pixels, which shows how they are laid out, and by the
    amplitudes of their spectra, which show which way a texture runs.

    Source: the nearest-neighbour test of two samples, Schilling, "Multivariate two-sample tests
    based on nearest neighbors", Journal of the American Statistical Association 81, 1986. Its use
    for turns, and the two kinds of comparison, are ours.

    Args:
        good: N x C x H x W good images, or a stream of them.

    Returns:
        Names of `TURNS`, ``as it is`` first; no other where there are fewer than `LEAST` images,
        and none that exchanges the sides of images that are not square.
    """
    count = len(good)
    images = torch.stack([good[i] for i in range(0, count, -(-count // MOST))])
    height, width = images.shape[2:]
    names = [name for name, (across, *_) in TURNS.items() if height == width or not across]
    if count < LEAST:
        return tuple(names[:1])
    seen = _features(images)
    before = [_nearest(each, each) for each in seen]
    return tuple(
        name
        for name in names
        if name == names[0]
        or all(
            (_nearest(after, each) <= usual).float().mean() >= ALIKE
            for after, each, usual in zip(
                _features(turned(images, *torch.tensor(TURNS[name]))), seen, before, strict=True
            )
        )
    )


def _features(images: Tensor) -> tuple[Tensor, Tensor]:
    """Two descriptions of N x C x H x W images, N x D each: their layout and their spectrum."""
    grey = images.mean(1, keepdim=True)  # N x 1 x H x W
    amplitudes = torch.fft.fft2(grey - grey.mean((2, 3), keepdim=True)).abs().log1p()
    spectrum = torch.fft.fftshift(amplitudes, dim=(2, 3))
    layout = functional.adaptive_avg_pool2d(images, LAYOUT)
    return layout.flatten(1), functional.adaptive_avg_pool2d(spectrum, SPECTRUM).flatten(1)


def _nearest(some: Tensor, others: Tensor) -> Tensor:
    """Distance from each of N to the nearest of N others, but for the one of its own number."""
    return torch.cdist(some, others).fill_diagonal_(torch.inf).amin(1)
