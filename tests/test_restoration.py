"""Attribute restoration against numpy, parameter counts by hand and known errors."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_shapes import shapes_of
from random_images import generator, noise
from torch import nn

from aesc.baselines import (
    AttributeErasing,
    RestorationNet,
    erase,
    restoration_errors,
    restoration_maps,
    restore_and_map,
    typical_errors,
)
from aesc.errors import InputError
from aesc.scoring import image_scores


def restorer(seed: int = 0, **options) -> RestorationNet:
    return RestorationNet(**{"width": 2, **options}, generator=generator(seed)).eval()


@settings(max_examples=20)
@given(
    batch=st.integers(0, 6),
    channels=st.integers(1, 4),
    side=st.integers(1, 9),
    seed=st.integers(0, 2**31),
)
def test_erasing_equals_numpy_image_by_image(batch, channels, side, seed):
    images = noise(batch, channels, side, side, seed=seed, dtype=torch.float64)
    turns = torch.randint(4, (batch,), generator=generator(seed))
    erased = erase(images, turns)
    assert erased.shape == images.shape
    for image, turn, ours in zip(images.numpy(), turns.tolist(), erased.numpy(), strict=True):
        if channels == 3:
            grey = 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]
        else:
            grey = image.mean(0)
        for channel in ours:
            np.testing.assert_allclose(channel, np.rot90(grey, turn), atol=1e-12)


def test_one_channel_without_turn_is_left_bit_for_bit():
    images = noise(3, 1, 16, 16)
    assert torch.equal(erase(images, torch.zeros(3, dtype=torch.long)), images)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_grey_of_white_is_white_and_not_more(dtype):
    white = erase(torch.ones(1, 3, 4, 4, dtype=dtype), torch.tensor([1]))
    assert white.dtype == dtype
    assert white.max() <= 1 and white.min() > 0.99


def test_attribute_erasing_as_a_corruption():
    images = noise(64, 3, 16, 16)
    before = images.clone()
    corrupted, mask = AttributeErasing()(images, generator(3))
    assert torch.equal(images, before)
    assert mask.shape == (64, 1, 16, 16) and mask.dtype == torch.bool and mask.all()
    assert torch.equal(corrupted, AttributeErasing()(images, generator(3))[0])
    candidates = torch.stack([erase(images, torch.full((64,), turn)) for turn in range(4)])
    equal = (candidates == corrupted).flatten(2).all(2)
    assert equal.sum(0).eq(1).all(), "every image is one of its four rotations"
    assert equal.sum(1).min() > 5, "every rotation is drawn"
    other, _ = AttributeErasing()(images, generator(4))
    assert not torch.equal(corrupted, other)


@settings(max_examples=10)
@given(height=st.integers(16, 50), width=st.integers(16, 50), channels=st.integers(1, 4))
def test_restoration_network_takes_any_sides(height, width, channels):
    images = noise(2, channels, height, width)
    output = restorer(channels=channels)(images)
    assert output.shape == images.shape
    assert output.min() >= 0 and output.max() <= 1


def test_layers_of_the_restoration_network():
    shapes = shapes_of(RestorationNet(3, width=2).eval(), noise(1, 3, 37, 48))
    sides = [(48, 48), (24, 24), (12, 12), (6, 6), (3, 3)]
    encoder = [(m, *side) for m, side in zip([2, 4, 8, 16, 16], sides, strict=True)]
    decoder = [(m, *side) for m, side in zip([8, 4, 2, 2], sides[-2::-1], strict=True)]
    assert shapes["encoder"] == [shape for shape in encoder for _ in range(2)]
    assert shapes["decoder"] == [shape for shape in decoder for _ in range(2)]


def test_parameter_count_of_the_restoration_network():
    width, channels = 4, 3
    convolutions = [(3, 4), (4, 4), (4, 8), (8, 8), (8, 16), (16, 16), (16, 32), (32, 32)]
    convolutions += [(32, 32), (32, 32)]
    convolutions += [(64, 16), (16, 16), (32, 8), (8, 8), (16, 4), (4, 4), (8, 4), (4, 4)]
    by_hand = sum(9 * inputs * outputs + 2 * outputs for inputs, outputs in convolutions)
    by_hand += 9 * width * channels + channels
    model = RestorationNet(channels, width)
    assert sum(p.numel() for p in model.parameters()) == by_hand


def test_skip_connections_pass_what_the_deepest_map_loses():
    images = noise(2, 3, 32, 32)
    model = restorer()
    for parameter in model.encoder[-1].parameters():
        nn.init.zeros_(parameter)
    assert not torch.allclose(*model(images))


def test_restoration_does_not_depend_on_batch_mates():
    images = noise(4, 3, 33, 33)
    model = restorer(width=4).train()
    model(images)
    model.eval()
    together = model(images)
    for index in range(4):
        torch.testing.assert_close(together[index], model(images[index : index + 1])[0])


def test_batch_norm_momentum_is_the_given_one():
    norms = [
        m.momentum for m in RestorationNet(momentum=0.3).modules() if isinstance(m, nn.BatchNorm2d)
    ]
    assert norms == [0.3] * 18


def test_errors_of_a_model_that_copies_are_known():
    """A 2 x 2 image: turning it counter-clockwise moves the right column to the top row."""
    images = torch.tensor([[[[0.0, 0.1], [0.4, 1.0]]]])
    turned = torch.tensor(
        [
            [[0.0, 0.1], [0.4, 1.0]],
            [[0.1, 1.0], [0.0, 0.4]],
            [[1.0, 0.4], [0.1, 0.0]],
            [[0.4, 0.0], [1.0, 0.1]],
        ]
    )
    expected = (images[0] - turned).abs()
    errors = restoration_errors(nn.Identity(), images)
    torch.testing.assert_close(errors, expected.unsqueeze(0))
    typical = torch.tensor([0.1, 0.2, 0.5, 2.0])
    maps = restoration_maps(nn.Identity(), images, typical)
    by_hand = expected[0] / 0.1 + expected[1] / 0.2 + expected[2] / 0.5 + expected[3] / 2
    torch.testing.assert_close(maps, by_hand.unsqueeze(0) / 4)
    # Turn 0: no error. Turn 1: 0.1, 0.9, 0.4, 0.6. Turn 2: 1, 0.3, 0.3, 1. Turn 3: as turn 1.
    means = torch.tensor([1e-8, 0.5, 0.65, 0.5])
    torch.testing.assert_close(typical_errors(nn.Identity(), images), means, atol=0, rtol=1e-6)


def slow_errors(model: nn.Module, image: torch.Tensor) -> np.ndarray:
    """4 x S x S, one image and one rotation at a time, greyed and turned in numpy."""
    grey = np.tensordot([0.299, 0.587, 0.114], image.numpy(), 1)
    errors = []
    for turn in range(4):
        erased = np.stack([np.rot90(grey, turn)] * 3)
        with torch.inference_mode():
            restored = model(torch.from_numpy(erased).float().unsqueeze(0))[0].numpy()
        errors.append(np.abs(image.numpy() - restored).mean(0))
    return np.stack(errors)


def test_maps_and_typical_errors_equal_a_plain_loop():
    model, training, images = restorer(), noise(5, 3, 20, 20), noise(3, 3, 20, 20, seed=1)
    typical = typical_errors(model, training, batch_size=2)
    slow = np.mean([slow_errors(model, image).mean((1, 2)) for image in training], 0)
    np.testing.assert_allclose(typical.numpy(), slow, rtol=1e-5)
    maps = restoration_maps(model, images, typical)
    for image, ours in zip(images, maps, strict=True):
        expected = (slow_errors(model, image) / slow[:, None, None]).mean(0)
        np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-4)


def test_each_rotation_is_restored_once():
    model, images, typical = restorer(), noise(2, 3, 16, 16), torch.tensor([0.1, 0.2, 0.3, 0.4])
    unturned = model(erase(images, torch.zeros(2, dtype=torch.long)))
    maps = restoration_maps(model, images, typical)
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    restored, same_maps = restore_and_map(model, images, typical)
    torch.testing.assert_close(restored, unturned)
    assert torch.equal(maps, same_maps)
    assert len(calls) == 4


def test_score_of_the_map_is_that_of_the_source():
    """Mean over rotations of the image's L1 error divided by its mean over training images."""
    model, training, images = restorer(), noise(4, 3, 16, 16), noise(3, 3, 16, 16, seed=1)
    typical = typical_errors(model, training)
    scores = image_scores(restoration_maps(model, images, typical), "l1") / 16**2
    reference = np.array([slow_errors(model, image).sum((1, 2)) for image in training]).mean(0)
    for image, score in zip(images, scores, strict=True):
        by_hand = np.mean(slow_errors(model, image).sum((1, 2)) / reference)
        assert score.item() == pytest.approx(by_hand, rel=1e-5)


def test_mean_score_of_the_training_images_is_one():
    model, training = restorer(), noise(6, 3, 16, 16)
    maps = restoration_maps(model, training, typical_errors(model, training, batch_size=4))
    assert maps.mean().item() == pytest.approx(1, rel=1e-5)


def test_typical_errors_put_the_model_in_evaluation_mode():
    model, training = restorer().train(), noise(2, 3, 16, 16)
    before = model.encoder[0][1].running_mean.clone()
    typical_errors(model, training)
    assert not model.training
    assert torch.equal(model.encoder[0][1].running_mean, before)


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: erase(noise(2, 3, 16, 17), torch.zeros(2, dtype=torch.long)), "(2, 3, 16, 17)"),
        (lambda: erase(noise(2, 3, 16, 16), torch.zeros(3, dtype=torch.long)), "(3,)"),
        (lambda: erase(noise(2, 3, 16, 16), torch.zeros(2)), "torch.float32"),
        (lambda: erase(noise(2, 3, 16, 16), torch.zeros(2, dtype=torch.bool)), "torch.bool"),
        (lambda: AttributeErasing()(noise(2, 3, 16, 20), generator()), "(2, 3, 16, 20)"),
        (lambda: RestorationNet(channels=0), "channels is 0"),
        (lambda: RestorationNet(width=True), "width is True"),
        (lambda: RestorationNet(momentum=0), "momentum is 0"),
        (lambda: restorer()(noise(1, 1, 32, 32)), "channels=1"),
        (lambda: restorer()(noise(32, 32)), "(32, 32)"),
        (lambda: restorer()(noise(1, 3, 15, 32)), "(1, 3, 15, 32): give sides of at least 16"),
        (lambda: restoration_errors(nn.Identity(), noise(1, 3, 16, 18)), "(1, 3, 16, 18)"),
        (lambda: restoration_maps(nn.Identity(), noise(1, 3, 16, 16), torch.ones(3)), "[1.0, 1.0"),
        (lambda: restoration_maps(nn.Identity(), noise(1, 3, 16, 16), torch.zeros(4)), "[0.0, 0.0"),
        (lambda: typical_errors(nn.Identity(), noise(0, 3, 16, 16)), "images is empty"),
        (lambda: typical_errors(nn.Identity(), noise(1, 3, 16, 16), 0), "batch_size is 0"),
    ],
)
def test_bad_input_is_named(build, named):
    with pytest.raises(InputError, match=r"^[^\n:]+ is [^\n]+: [^\n;]+\.$") as caught:
        build()
    assert named in str(caught.value)
