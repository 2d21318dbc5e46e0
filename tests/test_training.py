"""The loop: resumes bit for bit, keeps the best weights, refuses what cannot be resumed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from call_counts import Calls
from interruptions import Interrupting
from safetensors.torch import load_file
from small_trainings import SETTINGS, assert_same, trainer, waves, weights
from tqdm import tqdm

from aesc.errors import InputError, TrainingError
from aesc.model import AE, AESc
from aesc.noise import NoCorruption, Stain
from aesc.training import Checkpoint, Trainer, TrainingSettings
from aesc.training.order import shuffled_batches


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return waves()


def test_learns(images):
    history = trainer(images, settings=replace(SETTINGS, epochs=12, batches=10)).run(progress=False)
    assert history.loss[-1] < history.loss[0] / 2
    assert history.validation_psnr[history.best_epoch] > history.validation_psnr[0] + 1


def test_same_seed_same_weights(images):
    runs = [trainer(images, seed=s) for s in (3, 3, 4)]
    histories = [run.run(progress=False) for run in runs]
    assert histories[0] == histories[1] != histories[2]
    assert_same(weights(runs[0]), weights(runs[1]))


@pytest.mark.parametrize("stop_after_batches", [1, 4, 9, 17])
def test_interrupted_anywhere_resumes_bit_for_bit(images, tmp_path, stop_after_batches):
    whole = trainer(images)
    history = whole.run(progress=False)

    path = tmp_path / "run.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        trainer(images, corruption=Interrupting(stop_after_batches), checkpoint=path).run(
            progress=False
        )
    finished = (stop_after_batches - 1) // SETTINGS.batches
    assert path.exists() == (finished > 0)
    assert list(tmp_path.iterdir()) == [path] * path.exists()

    resumed = trainer(images, checkpoint=path)
    assert len(resumed.history.loss) == finished
    assert resumed.run(progress=False) == history
    assert_same(weights(resumed), weights(whole))


def test_a_finished_training_can_be_prolonged(images, tmp_path):
    path = tmp_path / "run.checkpoint"
    trainer(images, settings=replace(SETTINGS, epochs=2), checkpoint=path).run(progress=False)
    prolonged = trainer(images, checkpoint=path)
    history = prolonged.run(progress=False)
    reference = trainer(images)
    assert history == reference.run(progress=False)
    assert_same(weights(prolonged), weights(reference))


def test_best_weights_are_kept(images):
    """The network returned is that of the epoch with the best PSNR, not the last one."""
    run = trainer(images)
    values, after_epoch = iter([20.0, 21.0, 25.0, 24.0, 25.0, 23.0]), []

    def validate():
        after_epoch.append(weights(run))
        return next(values)

    run._validate = validate
    assert run.run(progress=False).best_epoch == 2
    assert_same(weights(run), after_epoch[2])
    assert not torch.equal(weights(run)["head.weight"], after_epoch[-1]["head.weight"])


def test_psnr_by_hand(images):
    run = trainer(images, corruption=NoCorruption())
    run.model.eval()
    with torch.inference_mode():
        output = run.model(run.held_out.clean).numpy().astype(np.float64)
    mse = ((output - images[10:].numpy()) ** 2).mean(axis=(1, 2, 3))
    assert run._validate() == pytest.approx((10 * np.log10(1 / mse)).mean(), abs=1e-4)


def test_learning_rate_halves_on_a_plateau(images):
    run = trainer(images, settings=replace(SETTINGS, epochs=8))
    values = iter([20.0, 21.0, 20.5, 20.4, 20.3, 20.2, 20.1, 20.0])
    run._validate = lambda: next(values)
    rates = np.array(run.run(progress=False).learning_rate) / run.settings.learning_rate
    # Patience 1: two epochs in a row without improvement halve the rate of the next epoch.
    np.testing.assert_allclose(rates, [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25])


def test_slow_gains_are_progress_when_they_add_up(images):
    """Patience 1: two gains of 0.6 of a ten-thousandth are progress, two of 0.45 are none."""
    for gain, expected in [(0.0012, [1] * 6), (0.0009, [1, 1, 1, 0.5, 0.5, 0.5])]:
        run = trainer(images, settings=replace(SETTINGS, epochs=6))
        values = iter([20 + gain * epoch for epoch in range(6)])
        run._validate = lambda values=values: next(values)
        rates = np.array(run.run(progress=False).learning_rate) / run.settings.learning_rate
        np.testing.assert_allclose(rates, expected)


def test_history_holds_the_rate_of_the_last_batch_of_each_epoch(images):
    """By hand: the cosine after 4 and after 9 of 10 batches."""
    settings = replace(SETTINGS, epochs=2, batches=5, decay="cosine")
    rates = np.array(trainer(images, settings=settings).run(progress=False).learning_rate)
    expected = (1 + np.cos(np.pi * np.array([0.4, 0.9]))) / 2
    np.testing.assert_allclose(rates / settings.learning_rate, expected)


def test_mixed_precision_path_trains_too(images, monkeypatch):
    """The path of a CUDA card, here with bfloat16 on the CPU: near the result in full precision."""
    exact = trainer(images).run(progress=False)
    monkeypatch.setattr("aesc.training.loop.autocast_type", lambda _: torch.bfloat16)
    mixed = trainer(images).run(progress=False)
    assert mixed != exact
    np.testing.assert_allclose(mixed.loss, exact.loss, rtol=0.1)
    np.testing.assert_allclose(mixed.validation_psnr, exact.validation_psnr, atol=1.0)


def test_an_epoch_is_read_back_once(images, monkeypatch):
    """A number read back, or a size that depends on values, makes the host wait for a card."""
    for module in ("window", "outline"):
        monkeypatch.setattr(f"aesc.noise.{module}.on_host", lambda _: False)
    run = trainer(images)
    with Calls() as calls:
        run._epoch(tqdm(disable=True))
    assert calls.counts["aten.convolution_backward.default"] >= SETTINGS.batches
    assert calls.counts["aten._local_scalar_dense.default"] == 1
    assert not {"aten.nonzero.default", "aten.masked_select.default"} & set(calls.counts)


def test_nothing_is_moved_to_the_device_in_a_step():
    """A tensor made of Python numbers is a copy to the card, for which the host waits as well."""
    batch = torch.rand(2, 1, 32, 32)
    run = trainer(batch.repeat(7, 1, 1, 1), corruption=NoCorruption())
    run.step(batch)
    with Calls() as calls:
        run.step(batch)
    assert calls.counts["aten.convolution_backward.default"] > 0
    assert not {"aten.lift_fresh.default", "aten._to_copy.default"} & set(calls.counts)


def test_order_uses_every_image_equally():
    order = shuffled_batches(10, batches=5, size=4, generator=torch.Generator().manual_seed(0))
    counts = torch.bincount(order.flatten(), minlength=10)
    assert counts.eq(2).all()


def test_nan_stops_and_keeps_the_last_good_weights(images, tmp_path):
    path = tmp_path / "run.checkpoint"
    run = trainer(images, checkpoint=path)
    epoch = run._epoch
    losses = iter([False, False, True])

    def poisoned(bar):
        loss = epoch(bar)
        if next(losses):
            torch.nn.init.constant_(run.model.head.bias, float("nan"))
            return float("nan")
        return loss

    run._epoch = poisoned
    with pytest.raises(
        TrainingError, match=r"after 2 good epochs: try a learning rate below 0\.001"
    ):
        run.run(progress=False)
    assert all(tensor.isfinite().all() for tensor in weights(run).values())
    assert len(Checkpoint.load(path).numbers["history"]["loss"]) == 2


def test_real_divergence_is_noticed(images):
    images = images.clone()
    images[3] = float("nan")
    with pytest.raises(TrainingError, match="no longer finite after 0 good epochs"):
        trainer(images).run(progress=False)


def test_checkpoint_of_another_training_is_refused(images, tmp_path):
    path = tmp_path / "run.checkpoint"
    trainer(images, settings=replace(SETTINGS, epochs=1), checkpoint=path).run(progress=False)
    for other, named in [
        ({"kind": AE}, "network"),
        ({"corruption": NoCorruption()}, "corruption"),
        ({"settings": replace(SETTINGS, batch_size=5)}, "settings"),
        ({"seed": 1}, "seed"),
    ]:
        with pytest.raises(InputError, match=f"another training .{named} is"):
            trainer(images, checkpoint=path, **other)
    with pytest.raises(InputError, match="images is"):
        trainer(images + 0.001, checkpoint=path)


def test_full_disk_keeps_the_last_checkpoint(images, tmp_path, monkeypatch):
    path = tmp_path / "run.checkpoint"
    trainer(images, settings=replace(SETTINGS, epochs=1), checkpoint=path).run(progress=False)
    before = load_file(path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(InputError, match="No space left on device"):
        trainer(images, checkpoint=path).run(progress=False)
    assert_same(before, load_file(path))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "values",
    [
        {"epochs": 0},
        {"epochs": True},
        {"learning_rate": True},
        {"learning_rate": "0.1"},
        {"factor": float("nan")},
        {"batches": -1},
        {"batch_size": 1.5},
        {"learning_rate": 0},
        {"factor": 1},
        {"patience": 0},
    ],
)
def test_absurd_settings_are_refused(values):
    ((name, value),) = values.items()
    with pytest.raises(InputError, match=rf"^{name} is {value!r}: [^;]+\.$"):
        TrainingSettings(**values)


def test_images_that_cannot_be_trained_on_are_refused(images):
    with pytest.raises(InputError, match="train is empty"):
        Trainer(AESc(), images[:0], images, Stain())
    with pytest.raises(InputError, match="validation is empty"):
        Trainer(AESc(), images, images[:0], Stain())
    with pytest.raises(InputError, match=r"train is of type torch\.uint8"):
        Trainer(AESc(), (255 * images).byte(), images, Stain())
    with pytest.raises(InputError, match="validation is of shape"):
        Trainer(AESc(), images, images[0], Stain())
    with pytest.raises(InputError, match="seed is True"):
        Trainer(AESc(), images, images, Stain(), seed=True)
