"""The training step on a CUDA card, recorded once and then started as a whole.

A step of a small network is hundreds of short kernels. A host that starts them one by one takes
longer than the card that computes them; a recorded step, a CUDA graph, is started by one call.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from aesc._checks import one_line


class CapturedStep:
    """Calls a training step until it is warm, then replays a recording of it.

    The first batches are trained on kernel by kernel, in which libraries and optimizer prepare what
    they keep. A replay reads the new batch where the recorded one was, and does the same to the
    same weights with new draws: the losses are those of the step itself, to rounding.

    What a step decides on the host is decided once. A step that CUDA does not let be recorded, such
    as one that makes the host wait for the card, is called every time, and one warning says why.

    Args:
        step: from a batch on the card, B x C x H x W, to its loss, a scalar. Nothing else may
            change from batch to batch but through tensors that stay where they are.
        generator: of the step's draws, on the card.

    Source: PyTorch's notes on "CUDA semantics", section "CUDA Graphs".
    """

    WARM_UP = 3
    """Batches before the recording; PyTorch's notes advise so many."""

    def __init__(self, step: Callable[[Tensor], Tensor], generator: torch.Generator) -> None:
        self._step = step
        self._generator = generator
        self._stream = torch.cuda.Stream(generator.device)
        self._called = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batch = self._loss = torch.empty(0)

    @property
    def recorded(self) -> bool:
        """Whether the step is replayed; not yet while it is warmed up."""
        return self._graph is not None

    def __call__(self, batch: Tensor) -> Tensor:
        """Train on a batch, all of one shape, and return its loss, a scalar on the card."""
        self._called += 1
        if self._called == self.WARM_UP + 1:
            self._record(batch)
        if self._graph is not None:
            self._batch.copy_(batch)
            self._graph.replay()
            return self._loss.clone()
        return self._warmed(batch) if self._called <= self.WARM_UP else self._step(batch)

    def _warmed(self, batch: Tensor) -> Tensor:
        """A step on the stream that is to be recorded."""
        current = torch.cuda.current_stream(batch.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            loss = self._step(batch)
        current.wait_stream(self._stream)
        return loss

    def _record(self, batch: Tensor) -> None:
        """Record a step on ``batch``, which is not trained on by that."""
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        self._batch = batch.clone()
        try:
            # Other threads may go on talking to the card, such as those that read images ahead.
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                self._loss = self._step(self._batch)
        except RuntimeError as error:
            self._end_recording()
            warnings.warn(
                f"The training step cannot be recorded as a CUDA graph ({_cause(error)}): it is "
                "started kernel by kernel, which takes longer.",
                stacklevel=2,
            )
        else:
            self._graph = graph

    def _end_recording(self) -> None:
        """Free the generators, which a recording that fails leaves waiting for its end."""
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        with torch.cuda.graph(graph, stream=self._stream):
            torch.zeros((), device=self._generator.device)


def _cause(error: BaseException) -> str:
    """What was refused, and at which line outside of torch."""
    while error.__context__ is not None:  # the end of a recording complains once more
        error = error.__context__
    frames = traceback.extract_tb(error.__traceback__)
    torchs = str(Path(torch.__file__).parent)
    line = next(frame for frame in reversed(frames) if not frame.filename.startswith(torchs))
    return f"{one_line(error)}, at {line.filename}:{line.lineno}"
