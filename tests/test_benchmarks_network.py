"""The benchmarks of the network: their references, their own checks, and what they measure."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from aesc.noise import CORRUPTIONS
from benchmarks import gpu, inference, training_step
from benchmarks.harness import RESULTS
from benchmarks.reference.network import drop, plain_uncertainty


def test_training_of_the_reference_takes_the_same_course():
    training_step.check(training_step.images(4, 64), steps=4)


def test_another_training_is_noticed(monkeypatch):
    network, step = training_step.plain_training()
    nn.init.constant_(network.head.bias, 0.1)
    monkeypatch.setattr(training_step, "plain_training", lambda: (network, step))
    with pytest.raises(AssertionError, match="step 0"):
        training_step.check(training_step.images(2, 64), steps=1)


def test_reference_network_gives_the_same_images_and_variances():
    plain, ours = inference.networks()
    inference.check(plain, ours, training_step.images(3, 64), passes=3)


@pytest.mark.parametrize("part", ["reconstructions", "variances"])
def test_another_network_is_noticed(monkeypatch, part):
    plain, ours = inference.networks()
    if part == "reconstructions":
        nn.init.constant_(plain.head.bias, 0.01)
    else:
        monkeypatch.setattr("benchmarks.reference.network.RATES", (0, 0, 0.1, 0.2, 0.4, 0.6))
    with pytest.raises(AssertionError, match=f"{part} differ"):
        inference.check(plain, ours, training_step.images(2, 64), passes=2)


def test_reference_dropout_zeroes_its_share_and_keeps_the_mean():
    dropped = drop(torch.ones(2, 8, 64, 64), 0.3, torch.Generator().manual_seed(0))
    assert dropped.eq(0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1, abs=0.02)


def test_reference_variance_by_hand():
    class Steps(nn.Module):
        """Answers 0, then 1, then 5, whatever the image is."""

        def __init__(self):
            super().__init__()
            self.answers = iter([0.0, 1.0, 5.0])

        def forward(self, images, generator):
            return torch.full_like(images, next(self.answers))

    variance = plain_uncertainty(Steps(), torch.rand(2, 3, 4, 4), 3, 0)
    torch.testing.assert_close(variance, torch.full((2, 4, 4), 7.0))  # (4 + 1 + 9) / 2


def test_measurement_of_a_training_step():
    measured = gpu.measure(torch.device("cpu"), side=64, batch=2, steps=1)
    assert (measured.side, measured.batch, measured.peak_megabytes) == (64, 2, None)
    assert measured.images_per_second > 0
    assert 0.05 < measured.convolution_share < 0.99
    assert (measured.method, measured.recorded) == ("aesc", False)


def test_other_measurements_of_a_card_need_none():
    device = torch.device("cpu")
    assert set(gpu.corruptions(device, 32, 2)) == set(CORRUPTIONS)
    same = gpu.seeds(device, 1)
    losses = [same[kind]["last_losses"] for kind in ("usual", "deterministic", "by_kernel")]
    assert len({loss for pair in losses for loss in pair}) == 1


def test_share_of_convolutions_is_none_or_nearly_all():
    device = torch.device("cpu")
    images, kernels = torch.rand(4, 32, 64, 64), torch.rand(32, 32, 5, 5)
    assert gpu.convolution_share(lambda: images.exp(), device) == 0
    assert gpu.convolution_share(lambda: functional.conv2d(images, kernels), device) > 0.9


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card to measure")
def test_without_a_card_nothing_is_written(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["gpu"])
    before = set(RESULTS.iterdir())
    gpu.main()
    assert capsys.readouterr().out == "Nothing was measured: this machine has no CUDA card.\n"
    assert set(RESULTS.iterdir()) == before
