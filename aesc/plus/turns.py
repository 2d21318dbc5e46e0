"""Good images turned and mirrored, where that makes no difference."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from aesc.data import ImageStream
from aesc.errors import InputError

AS_IT_IS = "as it is"

SYMMETRIES = {
    AS_IT_IS: (False, False, False),
    "left to right": (False, False, True),
    "top to bottom": (False, True, False),
    "half a turn": (False, True, True),
    "transposed": (True, False, False),
    "a quarter to the right": (True, False, True),
    "a quarter to the left": (True, True, False),
    "transposed the other way": (True, True, True),
}
"""Of the square: whether rows and columns are exchanged, and then the order of the
rows and that of the columns reversed."""

ALIKE = 1 / 3
"""Least share of turned images that lie as near to the others as before; one half is expected where
a turn makes no difference."""

MOST, LEAST = 256, 10
"""Images that are compared, at most, and below which none is turned."""

LAYOUT, SPECTRUM = 32, 16
"""Sides that an image and its spectrum are reduced to, in pixels, before they are compared."""


@dataclass(frozen=True)
class Turns:
    """Random turns and reflections, one draw per image; no pixel is interpolated or invented.

    In training it changes the image before it is corrupted, so that the network sees more good
    images than there are.

    Attributes:
        names: those of `SYMMETRIES` to draw from, such as `free_turns` finds.

    Raises:
        InputError: no name, or one that is not among `SYMMETRIES`.

    Example:
        >>> import torch
        >>> rows = torch.linspace(0, 1, 5).view(1, 1, 5, 1).expand(1, 1, 5, 5)
        >>> Turns(("top to bottom",))(rows, torch.Generator().manual_seed(0))[0, 0, :, 0]
        tensor([1.0000, 0.7500, 0.5000, 0.2500, 0.0000])
    """

    names: tuple[str, ...] = (AS_IT_IS,)

    def __post_init__(self) -> None:
        if not self.names or not set(self.names) <= set(SYMMETRIES):
            raise InputError(f"names is {self.names}: give some of {', '.join(SYMMETRIES)}.")

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Turned images.

        Args:
            images: B x C x H x W. Not changed.
            generator: source of the draws; none is made where there is one name alone.

        Returns:
            Images of the same shape.

        Raises:
            InputError: turns that exchange rows and columns, of images that are not square.
        """
        height, width = images.shape[2:]
        if height != width and any(SYMMETRIES[name][0] for name in self.names):
            raise InputError(
                f"Images of {width} x {height} pixels cannot be turned by a quarter or transposed: "
                "give square images, or other turns."
            )
        drawn = torch.zeros(len(images), dtype=torch.long, device=images.device)
        if len(self.names) > 1:
            drawn.random_(len(self.names), generator=generator)
        return turned(images, *(self._among(drawn, part) for part in range(3)))

    def _among(self, drawn: Tensor, part: int) -> Tensor:
        """Where that part of the drawn turns is set, B x 1 x 1 x 1."""
        # Not by a table on the device, which a step that is recorded as a CUDA graph cannot fill.
        chosen = torch.zeros_like(drawn, dtype=torch.bool)
        for place, name in enumerate(self.names):
            if SYMMETRIES[name][part]:
                chosen |= drawn == place
        return chosen.view(-1, 1, 1, 1)


def turned(images: Tensor, transposed: Tensor, flipped: Tensor, mirrored: Tensor) -> Tensor:
    """Images, B x C x H x W, turned where the booleans, B x 1 x 1 x 1, are set."""
    if images.shape[2] == images.shape[3]:
        images = torch.where(transposed, images.mT, images)
    images = torch.where(flipped, images.flip(2), images)
    return torch.where(mirrored, images.flip(3), images)


def free_turns(good: Tensor | ImageStream) -> Turns:
    """The turns after which good images look like good images.

    An image lies as near to its nearest neighbour among the others as after the turn, or nearer, in
    half of all cases where the turn makes no difference, and in hardly any where it does. Images
    are compared twice: when reduced to a few pixels, which shows how they are laid out, and by the
    amplitudes of their spectra, which show which way a texture runs.

    Source: after the nearest-neighbour test of two samples, Schilling, "Multivariate two-sample
    tests based on nearest neighbors", Journal of the American Statistical Association 81, 1986. Its
    use for turns is ours.

    Args:
        good: N x C x H x W good images, or a stream of them.

    Returns:
        Turns among which is always the image as it is; no other where there are fewer than `LEAST`
        images, and none that exchanges the sides of images that are not square.
    """
    if len(good) < LEAST:
        return Turns()
    images = torch.stack([good[i] for i in range(0, len(good), -(-len(good) // MOST))])
    layout, spectrum = _Neighbours(_layout(images)), _Neighbours(_spectrum(images))

    def is_free(name: str) -> bool:
        after = turned(images, *torch.tensor(SYMMETRIES[name]))
        shares = layout.kept_by(_layout(after)), spectrum.kept_by(_spectrum(after))
        return min(shares) >= ALIKE

    square = images.shape[2] == images.shape[3]
    others = [name for name, (across, *_) in SYMMETRIES.items() if square or not across][1:]
    return Turns((AS_IT_IS, *filter(is_free, others)))


class _Neighbours:
    """Descriptions of good images, N x D, and how near each is to the nearest other one."""

    def __init__(self, seen: Tensor) -> None:
        self.seen = seen
        self.usual = self._nearest(seen)

    def kept_by(self, after: Tensor) -> float:
        """Share of the images, N x D after a turn, that are as near to the others as before."""
        return (self._nearest(after) <= self.usual).float().mean().item()

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
