"""AESc as one would write it on a board. How its layers compute is in `aesc.model.layers`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from aesc._checks import image_batch, number, whole
from aesc.model._inference import InferenceNetwork
from aesc.model.layers import DownConv, Level, UpConv, crop, dropout, initialise


class AESc(nn.Module):
    """Autoencoder with skip connections: encoder maps are ADDED to the decoder maps of their size.

    Encoder level: convolution of stride 2, batch norm, LeakyReLU; feature maps double per level.
    Decoder level: nearest up-sampling, convolution, batch norm, LeakyReLU, then the addition. A
    last up-sampling and convolution to the image's channels, then a sigmoid. Sides that are not a
    multiple of 2**depth are cropped to fit on the way up.

    Args:
        channels: channels of the image, 1 (grey, as published) or more.
        depth: number of encoder levels (paper: 6).
        width: feature maps of the first level (paper: 16).
        kernel: side of every convolution kernel (paper: 5).
        momentum: momentum of the batch norms' running statistics, in PyTorch's convention. Keras's
            default is 0.01; short trainings want more, or the statistics lag behind the weights.
        outputs: channels of what it gives; by default those of the image.
        generator: source of the initial weights; without one, torch's global generator.

    Raises:
        InputError: a size that is not a positive whole number, or a momentum outside (0, 1].

    Example:
        >>> model = AESc(generator=torch.Generator().manual_seed(0)).eval()
        >>> model(torch.rand(2, 1, 64, 100)).shape
        torch.Size([2, 1, 64, 100])
        >>> sum(parameter.numel() for parameter in model.parameters())
        8734913
    """

    skips = True
    dropout_rates: Sequence[float] = (0.0, 0.0, 0.1, 0.2, 0.4, 0.5)
    """Monte-Carlo dropout per level, finest first (authors' code); same in encoder and decoder."""

    def __init__(
        self,
        channels: int = 1,
        depth: int = 6,
        width: int = 16,
        kernel: int = 5,
        momentum: float = 0.01,
        outputs: int | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        sizes = {"channels": channels, "depth": depth, "width": width, "kernel": kernel}
        self.config = {name: whole(name, size) for name, size in sizes.items()}
        channels, depth, width, kernel = self.config.values()
        number("momentum", momentum, 0, 1, above=True)

        maps = [channels] + [width * 2**level for level in range(depth)]  # 1, 16, 32 ... 512
        steps = list(pairwise(maps))  # (1, 16), (16, 32) ... (256, 512)
        self.encoder = nn.ModuleList(Level(DownConv(i, o, kernel), momentum) for i, o in steps)
        self.decoder = nn.ModuleList(Level(UpConv(o, i, kernel), momentum) for i, o in steps[:0:-1])
        self.head = UpConv(width, channels if outputs is None else outputs, kernel)
        untouched = (0.0,) * max(0, depth - len(self.dropout_rates))
        self.rates = (*untouched, *self.dropout_rates[-depth:])
        initialise(self, generator)

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Reconstruct images.

        Args:
            images: B x C x H x W in [0, 1], both sides at least 2**depth.
            generator: when given, dropout is active at `rates` and draws from it; the dropped
                features are the same for every image of the batch, so that the result for an image
                does not depend on how a set is cut into batches.

        Returns:
            Reconstructions, same shape, in [0, 1].

        Raises:
            InputError: another number of channels, or a side below 2**depth.
        """
        image_batch(images, self.config["channels"], smallest=2 ** self.config["depth"])
        maps = [images]  # B x C x H x W
        for level, rate in zip(self.encoder, self.rates, strict=True):
            maps.append(dropout(level(maps[-1]), rate, generator))  # B x 16 x H/2 x W/2, 32, 64 ...
        x = maps[-1]  # B x 512 x H/64 x W/64
        for level, skip, rate in zip(self.decoder, maps[-2:0:-1], self.rates[-2::-1], strict=True):
            x = dropout(crop(level(x), skip), rate, generator)  # B x 256 x H/32 x W/32, 128, 64 ...
            x = x + skip if self.skips else x  # the encoder's map of the same size
        # Not in bfloat16, which rounds what is close to 1 to 1, where there is no gradient.
        return torch.sigmoid(crop(self.head(x), images).to(images.dtype))  # B x C x H x W

    def sample(self, images: Tensor, passes: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Reconstruct images ``passes`` times with dropout, one B x C x H x W batch at a time.

        In evaluation mode and without gradients, what does not change from pass to pass is computed
        once (`InferenceNetwork.sample`).

        Args:
            images: as for `forward`.
            passes: number of reconstructions, each with other features dropped.
            generator: source of the dropout.

        Raises:
            InputError: as `forward`, or ``passes`` is not a positive whole number.
        """
        whole("passes", passes)
        if self.training or torch.is_grad_enabled():
            for _ in range(passes):
                yield self(images, generator)
        else:
            yield from self.for_inference().sample(images, passes, generator)

    def for_inference(self) -> InferenceNetwork:
        """The same network as in evaluation mode, to rounding, and faster; not for training.

        It is a snapshot: weights that change later do not change it. A subclass with another
        `forward` needs another `for_inference`.
        """
        return InferenceNetwork(self.encoder, self.decoder, self.head, self.rates, self.skips)

    @property
    def receptive_field(self) -> int:
        """Side in pixels of the input region that one value of the deepest map sees."""
        kernel, depth = self.config["kernel"], self.config["depth"]
        return 1 + (kernel - 1) * (2**depth - 1)


class AE(AESc):
    """The same autoencoder without the additions: everything passes through the deepest map."""

    skips = False
    dropout_rates = (0.0, 0.0, 0.0, 0.0, 0.1, 0.2)
