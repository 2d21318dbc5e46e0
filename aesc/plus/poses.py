"""Good parts in other poses: shifted, and turned where that makes no difference."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from aesc._checks import number
from aesc.data import ImageStream
from aesc.errors import InputError

AS_IT_IS = "as it is"

TURNS = {
    AS_IT_IS: (False, False, False),
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

SHIFT = 1 / 16
"""Largest shift along an axis, as a fraction of the side, where shifts make no difference."""

ALIKE = 1 / 3
"""Least share of changed images that lie as near to the others as before; one half is expected
where the change makes no difference."""

MOST, LEAST = 256, 10
"""Images that are compared, at most, and below which none is changed."""

LAYOUT, SPECTRUM = 32, 16
"""Sides that an image and its spectrum are reduced to, in pixels, before they are compared."""


@dataclass(frozen=True)
class Poses:
    """Random turns and shifts, one draw per image; no pixel is interpolated.

    In training it changes the image before it is corrupted, so that the network sees more good
    images than there are. What a shift brings in from beyond the border is mirrored.

    Attributes:
        turns: those of `TURNS` to draw from.
        shift: largest shift along an axis, as a fraction of the side.

    Raises:
        InputError: no turn, one that is not among `TURNS`, or a shift outside [0, 0.5].

    Example:
        >>> import torch
        >>> rows = torch.linspace(0, 1, 5).view(1, 1, 5, 1).expand(1, 1, 5, 5)
        >>> mirrored = Poses(("top to bottom",))
        >>> mirrored(rows, torch.Generator().manual_seed(0))[0, 0, :, 0]
        tensor([1.0000, 0.7500, 0.5000, 0.2500, 0.0000])
    """

    turns: tuple[str, ...] = (AS_IT_IS,)
    shift: float = 0.0

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

        Raises:
            InputError: turns that exchange rows and columns, of images that are not square.
        """
        height, width = images.shape[2:]
        if height != width and any(TURNS[name][0] for name in self.turns):
            raise InputError(
                f"Images of {width} x {height} pixels cannot be turned by a quarter or transposed: "
                "give square images, or other turns."
            )
        batch, device = len(images), images.device

        def draws(low: int, high: int) -> Tensor:
            return torch.randint(low, high + 1, (batch,), generator=generator, device=device)

        if self.turns != (AS_IT_IS,):
            drawn = draws(0, len(self.turns) - 1)
            images = turned(images, *(self._among(drawn, part) for part in range(3)))
        for axis in (2, 3) if self.shift else ():
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
    if images.shape[2] == images.shape[3]:
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


def free_poses(good: Tensor | ImageStream) -> Poses:
    """The turns and shifts after which good images look like good images.

    An image lies as near to its nearest neighbour among the others as after the change, or nearer,
    in half of all cases where the change makes no difference, and in hardly any where it does.
    Images are compared when reduced to a few pixels, which shows how they are laid out, and after
    a turn also by the amplitudes of their spectra, which show which way a texture runs.

    So a texture that may start anywhere is shifted, and turned unless it runs one way; a part that
    always lies in the same place is neither.

    Source: after the nearest-neighbour test of two samples, Schilling, "Multivariate two-sample
    tests based on nearest neighbors", Journal of the American Statistical Association 81, 1986. Its
    use for poses is ours.

    Args:
        good: N x C x H x W good images, or a stream of them.

    Returns:
        Poses of these turns, and of no shift or shifts up to `SHIFT`; none at all where there are
        fewer than `LEAST` images, and no turn that exchanges the sides of images that are not
        square.
    """
    if len(good) < LEAST:
        return Poses()
    images = torch.stack([good[i] for i in range(0, len(good), -(-len(good) // MOST))])
    layout, spectrum = _Neighbours(_layout(images)), _Neighbours(_spectrum(images))

    def turns_freely(name: str) -> bool:
        after = turned(images, *torch.tensor(TURNS[name]))
        shares = layout.kept_by(_layout(after)), spectrum.kept_by(_spectrum(after))
        return min(shares) >= ALIKE

    def shifts_freely(axis: int) -> bool:
        reach = torch.full((len(images),), int(SHIFT * images.shape[axis]))
        moved = (_shifted(images, axis, by) for by in (-reach, reach))
        return sum(layout.kept_by(_layout(each)) for each in moved) / 2 >= ALIKE

    square = images.shape[2] == images.shape[3]
    others = [name for name, (across, *_) in TURNS.items() if square or not across][1:]
    shifted = all(shifts_freely(axis) for axis in (2, 3))
    return Poses((AS_IT_IS, *filter(turns_freely, others)), SHIFT if shifted else 0.0)


class _Neighbours:
    """Descriptions of good images, N x D, and how near each is to the nearest other one."""

    def __init__(self, seen: Tensor) -> None:
        self.seen = seen
        self.usual = self._nearest(seen)

    def kept_by(self, changed: Tensor) -> float:
        """Share of the images, N x D after a change, that are as near to the others as before."""
        return (self._nearest(changed) <= self.usual).float().mean().item()

    def _nearest(self, some: Tensor) -> Tensor:
        return torch.cdist(some, self.seen).fill_diagonal_(torch.inf).amin(1)


def _layout(images: Tensor) -> Tensor:
    """N x C x H x W to N x D: what lies where."""
    return functional.adaptive_avg_pool2d(images, LAYOUT).flatten(1)


def _spectrum(images: Tensor) -> Tensor:
    """N x C x H x W to N x D: how much there is of each frequency and direction."""
    grey = images.mean(1, keepdim=True)  # N x 1 x H x W
    amplitudes = torch.fft.fft2(grey - grey.mean((2, 3), keepdim=True)).abs().log1p()
    centred = torch.fft.fftshift(amplitudes, dim=(2, 3))
    return functional.adaptive_avg_pool2d(centred, SPECTRUM).flatten(1)
