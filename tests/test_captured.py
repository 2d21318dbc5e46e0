"""On a CUDA card: the recorded step trains as the step itself does, and gives way where it cannot.

Where there is no card, all of it is skipped.
"""

import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_trainings import SETTINGS, trainer, waves
from torch import Tensor

from aesc.experiment import METHODS
from aesc.experiment.trainers import method_trainer
from aesc.noise import CORRUPTIONS, Stain, corruption
from aesc.training import Trainer, TrainingSettings, loop

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA card here")

STEPS = 12


@pytest.fixture(scope="module")
def images() -> Tensor:
    return waves()


def losses(run: Trainer, *, captured: bool) -> list[float]:
    """Losses of a few steps on one batch."""
    batch = run.held_out.clean[:4]
    run.model.train()
    if not captured:
        run.captured = None
    found = [run.step(batch) for _ in range(STEPS)]
    assert run.captured is None or run.captured.recorded
    return torch.stack(found).tolist()


def compare(make) -> None:
    """A recorded and a plain training take the same draws and give the same losses."""
    runs = make(), make()
    recorded, plain = losses(runs[0], captured=True), losses(runs[1], captured=False)
    assert torch.equal(runs[0].generator.get_state(), runs[1].generator.get_state())
    np.testing.assert_allclose(recorded, plain, rtol=0.01)
    assert plain[-1] != plain[0]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_losses_with_every_corruption(name, images):
    compare(lambda: trainer(images, corruption=corruption(name), device="cuda"))


@pytest.mark.parametrize("tile", [0, 64])
@pytest.mark.parametrize("name", METHODS)
def test_losses_of_every_method(name, tile):
    method = METHODS[name]
    draws = torch.Generator().manual_seed(0)
    images = torch.rand(8, method.channels, 96, 96, generator=draws)

    def make() -> Trainer:
        generator = torch.Generator().manual_seed(0)
        model = method.build(method.channels, tile or 96, 0.1, generator)
        # A rate at which the rounding of twelve steps does not grow.
        settings = TrainingSettings(learning_rate=1e-4, decay=method.decay)
        return method_trainer(
            method, model, images[:4], images[4:], settings, tile=tile, device="cuda"
        )

    compare(make)


def test_deterministic_algorithms_give_the_same_bits(images, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        runs = [trainer(images, device="cuda") for _ in range(3)]
        found = [losses(run, captured=run is not runs[2]) for run in runs]
    finally:
        torch.use_deterministic_algorithms(False)
    assert found[0] == found[1] == found[2]


def test_losses_with_half_precision(images, monkeypatch):
    """The way of cards without bfloat16: the loss is scaled."""
    monkeypatch.setattr(loop, "autocast_type", lambda _: torch.float16)
    compare(lambda: trainer(images, device="cuda"))


def test_a_history_is_that_of_the_plain_step(images):
    settings = replace(SETTINGS, batches=6)
    recorded, plain = (trainer(images, settings=settings, device="cuda") for _ in range(2))
    plain.captured = None
    first, second = recorded.run(progress=False), plain.run(progress=False)
    assert recorded.captured.recorded
    np.testing.assert_allclose(first.loss, second.loss, rtol=0.02)
    np.testing.assert_allclose(first.validation_psnr, second.validation_psnr, atol=0.2)


@pytest.mark.parametrize("decay", ["plateau", "cosine"])
def test_an_interrupted_training_resumes(images, tmp_path, monkeypatch, decay):
    monkeypatch.setattr(loop, "EVERY", 0.0)
    settings = replace(SETTINGS, batches=4, decay=decay)
    whole = trainer(images, settings=settings, device="cuda").run(progress=False)
    path = tmp_path / "run.checkpoint"
    stopped = trainer(images, settings=settings, device="cuda", checkpoint=path)
    epoch = stopped._epoch

    def interrupted(bar) -> float:
        if len(stopped.history.loss) == 3:
            raise KeyboardInterrupt
        return epoch(bar)

    monkeypatch.setattr(stopped, "_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stopped.run(progress=False)
    resumed = trainer(images, settings=settings, device="cuda", checkpoint=path)
    assert len(resumed.history.loss) == 3
    history = resumed.run(progress=False)
    assert history.learning_rate == whole.learning_rate
    np.testing.assert_allclose(history.loss, whole.loss, rtol=0.02)


def test_the_recorded_step_reads_the_learning_rate_anew(images):
    run = trainer(images, device="cuda")
    losses(run, captured=True)
    before = [p.detach().clone() for p in run.model.parameters()]
    run.rate._set(0.0)
    run.step(run.held_out.clean[:4])
    assert all(map(torch.equal, before, run.model.parameters()))
    run.rate._set(1e-3)
    run.step(run.held_out.clean[:4])
    assert not any(map(torch.equal, before, run.model.parameters()))


class ReadsBack(Stain):
    """The host waits for a number."""

    def apply(self, images, generator):
        assert images.sum().item() > 0
        return super().apply(images, generator)


class Waits(Stain):
    """The host waits, without a number."""

    def apply(self, images, generator):
        torch.cuda.synchronize()
        return super().apply(images, generator)


@pytest.mark.parametrize(
    ("kind", "line"), [(ReadsBack, "images.sum().item() > 0"), (Waits, "torch.cuda.synchronize()")]
)
def test_what_cannot_be_recorded_is_trained_step_by_step(images, kind, line):
    run, plain = trainer(images, corruption=kind(), device="cuda"), trainer(images, device="cuda")
    plain.captured = None
    batch = run.held_out.clean[:4]
    run.model.train(), plain.model.train()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = [run.step(batch).item() for _ in range(STEPS)]
    notes = [str(w.message) for w in caught if "cannot be recorded" in str(w.message)]
    assert len(notes) == 1
    number = int(re.search(r"at \S*test_captured\.py:(\d+)\)", notes[0])[1])
    assert line in Path(__file__).read_text(encoding="utf-8").splitlines()[number - 1]
    assert not run.captured.recorded
    np.testing.assert_allclose(found, [plain.step(batch).item() for _ in range(STEPS)], rtol=0.01)
    assert torch.equal(run.generator.get_state(), plain.generator.get_state())
    # What draws from torch's own generator works as before, and so does another recording.
    assert torch.rand(3, device="cuda").isfinite().all()
    losses(trainer(images, device="cuda"), captured=True)


def test_checkpoints_are_not_written_faster_than_they_are_worth(images, tmp_path):
    path = tmp_path / "run.checkpoint"
    run = trainer(images, device="cuda", checkpoint=path)
    written = []
    state = run._state
    run._state = lambda: written.append(len(run.history.loss)) or state()
    run.run(progress=False)
    assert written[0] == 1 and written[-1] == SETTINGS.epochs and len(written) < SETTINGS.epochs


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruptions_keep_their_promises_on_the_card(name):
    images = torch.rand(6, 3, 70, 90, generator=torch.Generator().manual_seed(0)).cuda()
    first, second = (
        corruption(name)(images, torch.Generator("cuda").manual_seed(1)) for _ in range(2)
    )
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    corrupted, mask = first
    assert corrupted.min() >= 0 and corrupted.max() <= 1
    outside = ~mask.expand_as(images)
    assert torch.equal(corrupted[outside], images[outside])
