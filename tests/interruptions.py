"""A corruption that stops a training as Ctrl-C would."""

from torch import Tensor

from aesc.noise import Stain


class Interrupting(Stain):
    """Stains, until a number of batches were corrupted; it looks like `Stain` to a checkpoint."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        # Frozen, so not by assignment. One call is for the validation images.
        object.__setattr__(self, "calls_left", batches + 1)

    def apply(self, images: Tensor, generator) -> tuple[Tensor, Tensor]:
        object.__setattr__(self, "calls_left", self.calls_left - 1)
        if self.calls_left == 0:
            raise KeyboardInterrupt
        return super().apply(images, generator)

    def __repr__(self) -> str:
        return repr(Stain())
