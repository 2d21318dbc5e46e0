"""The figure of a training run."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from aesc._checks import counted
from aesc.errors import InputError
from aesc.plots._input import numbers
from aesc.plots._style import (
    FAINT,
    VERMILION,
    WIDTH,
    finish,
    legend_below,
    new_figure,
    style,
    two_decimals,
)


def learning_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """Draw training loss and validation PSNR over the epochs, and mark the one that is kept.

    Dotted lines stand where the learning rate was lowered, unless it fell steadily.

    Args:
        history: ``loss`` (whatever is minimised, above 0), ``validation_psnr`` (dB) and
            ``learning_rate``, one number for each epoch; ``keep_last`` where the weights of the
            last epoch are kept, and not those of the best PSNR.

    Raises:
        InputError: a missing key, no epoch, lists of different lengths, values that are not finite,
            or a loss of 0 or less.
    """
    loss, psnr, rate = _history(history)
    epochs = np.arange(1, len(loss) + 1)
    kept = "last" if history.get("keep_last") else "best"
    best = len(psnr) - 1 if kept == "last" else int(np.argmax(psnr))
    reached = f"{two_decimals(psnr[best])} dB"
    lowered = epochs[1:][np.diff(rate) < 0]
    steadily = len(lowered) > len(epochs) / 2  # a line for each would hide the curve
    marker = "o" if len(epochs) == 1 else ""
    with style():
        figure, grid = new_figure(1, 2, (WIDTH, 4.4))
        left, right = grid[0]
        left.semilogy(epochs, loss, marker=marker, label="training")
        left.set(title="training loss", ylabel="loss")
        right.plot(epochs, psnr, marker=marker, label="validation")
        right.set(title="validation PSNR", ylabel="dB")
        right.yaxis.set_major_locator(MaxNLocator(6))
        right.plot(
            epochs[best],
            psnr[best],
            "o",
            color=VERMILION,
            markersize=9,
            label=f"{kept}: epoch {epochs[best]}, {reached}",
        )
        for axes in (left, right):
            axes.grid(True)
            axes.set(xlabel="epoch", xlim=(0, len(epochs) + 1))
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            for epoch in () if steadily else lowered:
                axes.axvline(epoch, **FAINT, zorder=1)
        if lowered.size and not steadily:
            left.plot([], [], **FAINT, label=f"learning rate down to {rate[-1]:g}")
        legend_below(left)
        legend_below(right)
        return finish(
            figure,
            f"Training loss and validation PSNR over {counted(len(epochs), 'epoch')}; "
            f"the PSNR is {reached} at epoch {epochs[best]}, the {kept}.",
        )


def _history(history: Mapping[str, Sequence[float]]) -> list[NDArray[np.float64]]:
    names = ("loss", "validation_psnr", "learning_rate")
    missing = [name for name in names if name not in history]
    if missing:
        raise InputError(f"history lacks {missing[0]}: give one number for each epoch under it.")
    lists = [numbers(history[name], name) for name in names]
    if lists[0].size == 0 or any(values.shape != (lists[0].size,) for values in lists):
        raise InputError("history holds lists of different or no length: give one number an epoch.")
    if lists[0].min() <= 0:
        raise InputError(f"loss holds the value {lists[0].min():g}: give numbers above 0 only.")
    return lists
