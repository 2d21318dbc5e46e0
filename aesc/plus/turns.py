"""Good images turned and mirrored, where that makes no difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from aesc._checks import image_batch, quoted
from aesc.data import ImageStream
from aesc.errors import InputError
from aesc.noise.base import below

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

MIDDLE = 512
"""Most rows and columns in the middle of an image whose spectrum is taken."""


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
        known = isinstance(self.names, tuple) and all(
            isinstance(name, str) and name in SYMMETRIES for name in self.names
        )
        if not self.names or not known:
            raise InputError(
                f"names is {quoted(self.names)}: give a tuple of some of {', '.join(SYMMETRIES)}."
            )

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Turned images.

        Args:
            images: B x C x H x W. Not changed.
            generator: source of the draws; none is made where images stay as they are.

        Returns:
            Images of the same shape.

        Raises:
            InputError: anything else than B x C x H x W images of floating point, or turns that
                exchange rows and columns of images that are not square.
        """
        image_batch(images)
        height, width = images.shape[2:]
        if height != width and any(SYMMETRIES[name][0] for name in self.names):
            raise InputError(
                f"Images of {width} x {height} pixels cannot be turned by a quarter or transposed: "
                "give square images, or other turns."
            )
        if self.names == (AS_IT_IS,):
            return images.clone()
        drawn = below(len(images), len(self.names), generator, images)  # B
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


def free_turns(good: Tensor | ImageStream | Sequence[Tensor]) -> Turns:
    """The turns after which good images look like good images.

    An image lies as near to its nearest neighbour among the others as after the turn, or nearer, in
    half of all cases where the turn makes no difference, and in hardly any where it does. Images
    are compared twice: when reduced to a few pixels, which shows how they are laid out, and by the
    amplitudes of the spectra of their middle, which show which way a texture runs.

    Source: after the nearest-neighbour test of two samples, Schilling, "Multivariate two-sample
    tests based on nearest neighbors", Journal of the American Statistical Association 81, 1986. Its
    use for turns is ours.

    Args:
        good: whole good images: N x C x H x W, a stream of them, or several C x H x W, whose sizes
            may differ. No two may show the same: the nearest neighbour of an image that is there
            twice is nearer than after any turn.

    Returns:
        Turns among which is always the image as it is; no other where there are fewer than `LEAST`
        images, and none that exchanges the sides of images that are not square.

    Raises:
        InputError: a tensor that is not N x C x H x W of floating point.
    """
    if isinstance(good, Tensor):
        image_batch(good, name="good")
    if len(good) < LEAST:
        return Turns()
    looks, square = [], True
    # One after another: at full size, so many images of a stream need not fit into memory.
    for index in range(0, len(good), -(-len(good) // MOST)):
        image = good[index].float()  # C x H x W
        looks.append(_looks(image))
        square &= image.shape[1] == image.shape[2]
    layout, spectrum = (_kept(torch.stack(kind)) for kind in zip(*looks, strict=True))  # T each
    free = [AS_IT_IS]
    alike = torch.minimum(layout, spectrum) >= ALIKE
    for kept, (name, (across, *_)) in zip(alike.tolist(), SYMMETRIES.items(), strict=True):
        if kept and name != AS_IT_IS and (square or not across):
            free.append(name)
    return Turns(tuple(free))


def _looks(image: Tensor) -> tuple[Tensor, Tensor]:
    """A good image, C x H x W, after each of the T turns: what lies where, and what runs which way.

    Returns:
        The image reduced to few pixels, and the amplitudes of its frequencies, T x D each.
    """
    top, left = (max(0, side - MIDDLE) // 2 for side in image.shape[1:])
    middle = _after_all(image[:, top : top + MIDDLE, left : left + MIDDLE])  # T x C x H x W
    grey = middle.mean(1, keepdim=True)  # T x 1 x H x W
    amplitudes = torch.fft.fft2(grey - grey.mean((2, 3), keepdim=True)).abs().log1p()
    centred = torch.fft.fftshift(amplitudes, dim=(2, 3))
    layout = functional.adaptive_avg_pool2d(image, LAYOUT)
    spectrum = functional.adaptive_avg_pool2d(centred, SPECTRUM)
    return _after_all(layout).flatten(1), spectrum.flatten(1)


def _after_all(image: Tensor) -> Tensor:
    """C x H x W to T x C x H x W, after each of the turns; of those across, only a square one."""
    flags = torch.tensor(list(SYMMETRIES.values()), device=image.device)  # T x 3
    images = image.expand(len(flags), -1, -1, -1)
    return turned(images, *flags.T.view(3, -1, 1, 1, 1))


def _kept(looks: Tensor) -> Tensor:
    """Of images after turns, N x T x D, the share that is as near to the others as before: T.

    The first turn leaves the images as they are.
    """
    before = looks[:, 0]  # N x D
    nearest = torch.stack([_nearest(after, before) for after in looks.unbind(1)])  # T x N
    return (nearest <= nearest[0]).float().mean(1)


def _nearest(some: Tensor, good: Tensor) -> Tensor:
    """How near each of N images is to the nearest good one but itself: N x D twice to N."""
    return torch.cdist(some, good).fill_diagonal_(torch.inf).amin(1)
