"""The way of devices that cannot count without a wait gives what the CPU's way gives."""

import pytest
import torch
from call_counts import Calls
from hypothesis import given
from hypothesis import strategies as st

from aesc.noise import CORRUPTIONS, Mix, Rich, Stain, corruption, fill, outline, window


@pytest.fixture
def elsewhere(monkeypatch):
    """Call something as on another device."""

    def call(function, *arguments):
        with monkeypatch.context() as patch:
            for module in (window, outline):
                patch.setattr(module, "on_host", lambda _: False)
            return function(*arguments)

    return call


MARKS = [corruption(name) for name in CORRUPTIONS]
MARKS = [mark for mark in MARKS if not isinstance(mark, Mix)]  # a mix draws less on the CPU


@pytest.mark.parametrize("corrupt", [*MARKS, Stain(border=0.15)], ids=str)
def test_corruptions(corrupt, elsewhere):
    images = torch.rand(5, 2, 70, 90, generator=torch.Generator().manual_seed(0))
    here = corrupt(images, torch.Generator().manual_seed(1))
    there = elsewhere(corrupt, images, torch.Generator().manual_seed(1))
    assert torch.equal(here[0], there[0]) and torch.equal(here[1], there[1])


@given(seed=st.integers(0, 2**31), whole=st.booleans())
def test_fill_of_any_polygon(seed, whole):
    """Edges that cross, lie level or leave the raster, corners on rows and columns."""
    vertices = torch.rand(3, 7, 2, generator=torch.Generator().manual_seed(seed)) * 40 - 10
    vertices = vertices.round() if whole else vertices
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outline, "on_host", lambda _: False)
        there = fill(vertices, 20, 24)
    assert torch.equal(fill(vertices, 20, 24), there)


@pytest.mark.parametrize("corrupt", [*map(corruption, CORRUPTIONS), Rich()], ids=str)
def test_nothing_is_copied_to_the_device_for_a_batch(corrupt):
    """A tensor made of Python numbers is such a copy, for which the host waits."""
    images, generator = torch.rand(2, 1, 32, 32), torch.Generator().manual_seed(0)
    corrupt(images, generator)
    with Calls() as calls:
        corrupt(images, generator)
    assert calls.counts["aten.lift_fresh.default"] == 0
