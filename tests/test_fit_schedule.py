"""How long a training will take, on a device that works while the host goes on."""

from types import SimpleNamespace

import pytest

from aesc.detector import FitSettings, settings


@pytest.mark.parametrize("warm_up", [1, 4])
def test_steps_before_those_that_are_timed_are_waited_for(monkeypatch, warm_up):
    """A step is queued at once and takes two seconds, the first ones a hundred."""
    now, queued, steps = 0.0, 0.0, 0

    def step(_):
        nonlocal queued, steps
        steps += 1
        queued += 100 if steps <= warm_up else 2
        return SimpleNamespace(item=wait)

    def wait():
        nonlocal now, queued
        now, queued = now + queued, 0.0

    trainer = SimpleNamespace(step=step, warm_up=warm_up)
    monkeypatch.setattr(settings, "method_trainer", lambda *_, **__: trainer)
    monkeypatch.setattr(settings.time, "perf_counter", lambda: now)
    assert settings._seconds_a_step(FitSettings(size=64, device="cpu"), 2) == 2
    assert steps == warm_up + settings.TIMED_STEPS
