"""What `CapturedStep` asks of CUDA, and in which order, with a recorder in place of a card.

That a card does what is asked of it is tested in `test_captured.py`, where there is one.
"""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from aesc.training.captured import CapturedStep


class Recorder:
    """Stands for `torch.cuda`: what is called while it records is done at each replay only."""

    def __init__(self) -> None:
        self.recording: Graph | None = None
        self.streams: list[object] = []

    @contextlib.contextmanager
    def graph(self, graph: "Graph", stream: object, capture_error_mode: str = "") -> Iterator[None]:
        self.recording = graph
        try:
            yield
        finally:
            self.recording = None
        graph.ended = True

    @contextlib.contextmanager
    def stream(self, stream: object) -> Iterator[None]:
        self.streams.append(stream)
        yield
        self.streams.pop()


class Graph:
    def __init__(self) -> None:
        self.work: Callable[[], None] = lambda: None
        self.generators: list[torch.Generator] = []
        self.ended = False

    def register_generator_state(self, generator: torch.Generator) -> None:
        self.generators.append(generator)

    def replay(self) -> None:
        self.work()


class Stream:
    def __init__(self, device: object = None) -> None:
        self.waited_for: list[object] = []

    def wait_stream(self, other: object) -> None:
        self.waited_for.append(other)


class Sum:
    """A step whose weight is the sum of all batches, and whose loss is the weight."""

    def __init__(self, recorder: Recorder, refuses: bool = False) -> None:
        self.weight, self.recorder, self.refuses = torch.zeros(()), recorder, refuses
        self.on_streams: list[object] = []

    def __call__(self, batch: Tensor) -> Tensor:
        loss = torch.zeros(())
        if self.recorder.recording is None:
            self.on_streams.append(self.recorder.streams[-1] if self.recorder.streams else None)
            return self._do(batch, loss)
        if self.refuses:
            raise RuntimeError("not while recording")
        self.recorder.recording.work = lambda: self._do(batch, loss)
        return loss

    def _do(self, batch: Tensor, loss: Tensor) -> Tensor:
        self.weight += batch.sum()
        return loss.copy_(self.weight)


@pytest.fixture
def recorder(monkeypatch) -> Recorder:
    found, here = Recorder(), Stream()
    fakes = {"graph": found.graph, "stream": found.stream, "CUDAGraph": Graph, "Stream": Stream}
    for name, fake in {**fakes, "current_stream": lambda device: here}.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    return found


def batches() -> Iterator[Tensor]:
    """One-pixel images that add up to 1, 3, 7, 15, ..."""
    return (torch.full((1, 1, 1, 1), 2.0**n) for n in range(8))


def test_every_batch_is_trained_on_once_and_losses_stay(recorder):
    step = Sum(recorder)
    captured = CapturedStep(step, torch.Generator())
    found = [captured(batch) for batch in batches()]
    assert torch.stack(found).tolist() == [1, 3, 7, 15, 31, 63, 127, 255]
    assert captured.recorded


def test_the_first_batches_are_not_recorded_and_run_on_the_stream_of_the_recording(recorder):
    step = Sum(recorder)
    captured = CapturedStep(step, torch.Generator())
    told = []
    for batch in batches():
        captured(batch)
        told.append(captured.recorded)
    assert told == [False] * CapturedStep.WARM_UP + [True] * (8 - CapturedStep.WARM_UP)
    assert len(step.on_streams) == CapturedStep.WARM_UP
    assert len(set(step.on_streams)) == 1 and step.on_streams[0] is not None


def test_a_refused_recording_changes_nothing_and_is_told_once(recorder):
    step, generator = Sum(recorder, refuses=True), torch.Generator()
    captured = CapturedStep(step, generator)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = [captured(batch) for batch in batches()]
    assert torch.stack(found).tolist() == [1, 3, 7, 15, 31, 63, 127, 255]
    assert not captured.recorded
    (note,) = (str(warning.message) for warning in caught)
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    number = next(n for n, line in enumerate(lines, 1) if "raise RuntimeError" in line)
    assert f"(not while recording, at {__file__}:{number})" in note


def test_a_refused_recording_is_ended_for_the_generator(recorder, monkeypatch):
    made = []
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: made.append(Graph()) or made[-1])
    step, generator = Sum(recorder, refuses=True), torch.Generator()
    captured = CapturedStep(step, generator)
    with pytest.warns(UserWarning, match="cannot be recorded"):
        for batch in batches():
            captured(batch)
    assert [graph.ended for graph in made] == [False, True]
    assert all(graph.generators == [generator] for graph in made)
