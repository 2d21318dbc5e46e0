"""The rival methods against scikit-image, numpy, parameter counts by hand and known errors."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity
from torch import nn

from aesc.baselines import (
    AttributeErasing,
    ConvAE,
    RestorationNet,
    erase,
    restoration_errors,
    restoration_maps,
    restore_and_map,
    ssim_loss,
    ssim_map,
    typical_errors,
)
from aesc.errors import InputError
from aesc.scoring import image_scores


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(*shape, generator=generator(seed), dtype=dtype)


def restorer(seed: int = 0, **options) -> RestorationNet:
    return RestorationNet(**{"width": 2, **options}, generator=generator(seed)).eval()


def reference_ssim(first: np.ndarray, second: np.ndarray, sigma: float = 1.5) -> np.ndarray:
    _, similarity = structural_similarity(
        first,
        second,
        sigma=sigma,
        gaussian_weights=True,
        use_sample_covariance=False,
        data_range=1.0,
        full=True,
    )
    return similarity


@settings(max_examples=15)
@given(
    height=st.integers(11, 40),
    width=st.integers(11, 40),
    contrast=st.floats(0.01, 1.0),
    seed=st.integers(0, 2**31),
)
def test_ssim_equals_scikit_image_up_to_the_border(height, width, contrast, seed):
    first = noise(2, 3, height, width, seed=seed, dtype=torch.float64)
    second = first + contrast * (noise(2, 3, height, width, seed=seed + 1) - first)
    ours = ssim_map(first, second)
    assert ours.shape == (2, height, width)
    for image in range(2):
        channels = [
            reference_ssim(first[image, c].numpy(), second[image, c].numpy()) for c in range(3)
        ]
        np.testing.assert_allclose(ours[image].numpy(), np.mean(channels, 0), atol=1e-9)


def test_ssim_in_single_precision_equals_scikit_image():
    first, second = noise(1, 1, 48, 31), noise(1, 1, 48, 31, seed=1)
    expected = reference_ssim(first[0, 0].double().numpy(), second[0, 0].double().numpy())
    np.testing.assert_allclose(ssim_map(first, second)[0].numpy(), expected, atol=1e-5)


def test_ssim_with_another_window_equals_scikit_image():
    first, second = (noise(1, 1, 20, 25, seed=s, dtype=torch.float64) for s in (0, 1))
    expected = reference_ssim(first[0, 0].numpy(), second[0, 0].numpy(), sigma=1.0)
    ours = ssim_map(first, second, window=9, sigma=1.0)  # scikit-image: 3.5 sigma rounded, 4 aside
    np.testing.assert_allclose(ours[0].numpy(), expected, atol=1e-9)


def test_ssim_of_two_flat_images_compares_their_greys_only():
    first, second = torch.full((1, 1, 16, 16), 0.2), torch.full((1, 1, 16, 16), 0.6)
    expected = (2 * 0.2 * 0.6 + 0.0001) / (0.2**2 + 0.6**2 + 0.0001)
    np.testing.assert_allclose(ssim_map(first, second).numpy(), expected, atol=2e-4)


def test_identical_images_have_ssim_one_and_loss_zero():
    images = noise(2, 3, 20, 24)
    torch.testing.assert_close(ssim_map(images, images), torch.ones(2, 20, 24))
    assert abs(ssim_loss(images, images).item()) < 1e-6


def test_ssim_of_an_image_and_its_negative_is_below_zero():
    images = noise(1, 1, 32, 32)
    assert ssim_map(images, 1 - images).min() >= -1
    assert ssim_loss(images, 1 - images) > 1


def test_ssim_has_the_gradient_of_its_differences():
    first, second = (noise(1, 1, 11, 12, seed=s, dtype=torch.float64) for s in (0, 1))
    assert torch.autograd.gradcheck(ssim_loss, (first.requires_grad_(), second.requires_grad_()))


def test_ssim_keeps_single_precision_under_autocast():
    first, second = noise(1, 1, 16, 16), noise(1, 1, 16, 16, seed=1).bfloat16()
    plain = ssim_map(first, second.float())
    with torch.autocast("cpu", torch.bfloat16):
        mixed = ssim_map(first, second)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, plain)


def shapes_of(model: nn.Module, images: torch.Tensor) -> dict[str, list[tuple[int, ...]]]:
    """Output shapes of the convolutions of encoder and decoder, in order, without the batch."""
    shapes: dict[str, list[tuple[int, ...]]] = {"encoder": [], "decoder": []}
    for part, found in shapes.items():
        for module in getattr(model, part).modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.register_forward_hook(
                    lambda _, __, output, found=found: found.append(tuple(output.shape[1:]))
                )
    with torch.inference_mode():
        model(images)
    return shapes


MIDDLE = [(64, 1), (64, 1), (128, 2), (64, 2), (32, 2)]
"""Maps and number of halvings since the last 32-map layer, the same for all sizes."""


@pytest.mark.parametrize(
    ("size", "sides", "deep"),
    [
        (128, [64, 32], [32, 16, 8]),
        (64, [32], [32, 16, 8]),
        (256, [128, 64, 32], [32, 16, 8]),
        (100, [50], [50, 25, 13]),
        (32, [], [32, 16, 8]),
        (127, [64, 32], [32, 16, 8]),
    ],
)
def test_layers_of_the_convolutional_autoencoder(size, sides, deep):
    shapes = shapes_of(ConvAE(1, size, latent=100), noise(1, 1, size, size))
    last = [(maps, deep[halvings], deep[halvings]) for maps, halvings in MIDDLE]
    encoder = [(32, side, side) for side in [*sides, deep[0]]] + last
    assert shapes["encoder"] == [*encoder, (100, 1, 1)]
    assert shapes["decoder"] == [*encoder[::-1], (1, size, size)]


def test_kernels_and_strides_at_128_are_those_of_the_source():
    convolutions = [m for m in ConvAE().encoder if isinstance(m, nn.Conv2d)]
    assert [m.kernel_size[0] for m in convolutions] == [4, 4, 3, 4, 3, 4, 3, 3, 8]
    assert [m.stride[0] for m in convolutions] == [2, 2, 1, 2, 1, 2, 1, 1, 1]
    slopes = [m.negative_slope for m in ConvAE().modules() if isinstance(m, nn.LeakyReLU)]
    assert slopes == [0.2] * 16


def test_parameter_count_of_the_convolutional_autoencoder_at_128():
    # Kernel side, maps in, maps out of the source's table, then of its mirror image.
    down = [(4, 1, 32), (4, 32, 32), (3, 32, 32), (4, 32, 64), (3, 64, 64), (4, 64, 128)]
    down += [(3, 128, 64), (3, 64, 32), (8, 32, 100)]
    layers = down + [(kernel, outputs, inputs) for kernel, inputs, outputs in down]
    by_hand = sum(kernel**2 * inputs * outputs + outputs for kernel, inputs, outputs in layers)
    assert sum(p.numel() for p in ConvAE().parameters()) == by_hand


@settings(max_examples=15)
@given(
    size=st.integers(32, 150),
    channels=st.integers(1, 4),
    latent=st.integers(1, 8),
    width=st.integers(1, 3),
)
def test_convolutional_autoencoder_takes_any_size(size, channels, latent, width):
    model = ConvAE(channels, size, latent, width, generator())
    images = noise(2, channels, size, size)
    output = model(images)
    assert output.shape == images.shape
    assert output.min() >= 0 and output.max() <= 1
    assert 8 <= model.encoder[-1].kernel_size[0] <= 15


def test_every_pixel_of_an_odd_size_is_seen_and_reconstructed():
    model = ConvAE(1, 101, latent=4, width=2, generator=generator()).double()
    images = noise(1, 1, 101, 101, dtype=torch.float64).requires_grad_()
    output = model(images)
    (seen,) = torch.autograd.grad(output.sum(), images)
    assert (seen != 0).all()
    code = model.encoder(images.detach())
    assert (model(images) != torch.sigmoid(model.decoder(code * 2))).all()


def test_convolutional_autoencoder_learns_more_than_a_constant_image():
    rows, columns = torch.meshgrid(*[torch.linspace(0, 1, 64)] * 2, indexing="ij")
    # The mean of the four is flat: an output that ignores the input gains nothing over a constant.
    images = torch.stack([rows, columns, 1 - rows, 1 - columns]).unsqueeze(1)
    model = ConvAE(1, 64, latent=16, width=16, generator=generator())
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(30):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(images), images)
        loss.backward()
        optimizer.step()
    assert loss < 0.3 * images.var(unbiased=False)


def test_constructor_values_rebuild_a_network():
    convolutional = ConvAE(3, 40, latent=5, width=4)
    assert ConvAE(**convolutional.config).config == convolutional.config
    ConvAE(**convolutional.config).load_state_dict(convolutional.state_dict())
    restoring = RestorationNet(2, width=3)
    assert restoring.config == {"channels": 2, "width": 3}
    RestorationNet(**restoring.config).load_state_dict(restoring.state_dict())


@pytest.mark.parametrize(
    "build",
    [
        lambda seed: ConvAE(1, 32, 4, 2, generator(seed)),
        lambda seed: RestorationNet(1, 2, generator=generator(seed)),
    ],
    ids=["ConvAE", "RestorationNet"],
)
def test_initial_weights_follow_the_generator(build):
    first, same, other = build(1), build(1), build(2)
    for name, module in first.named_modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            weight = module.weight
            assert torch.equal(weight, same.get_submodule(name).weight)
            assert not torch.equal(weight, other.get_submodule(name).weight)
            assert module.bias is None or module.bias.eq(0).all()


@pytest.mark.parametrize("size", [32, 64, 128])
def test_an_untrained_network_neither_saturates_nor_ignores_the_image(size):
    """Its sigmoid would have no gradient, or the start would be a long plateau."""
    images = noise(4, 1, size, size)
    logits = torch.logit(ConvAE(1, size, generator=generator(1))(images))
    assert 0.1 < logits.std() < 3
    assert 0.03 < logits.std(0).mean() < 3


@pytest.mark.parametrize(
    "model", [ConvAE(3, 50, 4, 4, generator()), restorer(width=4)], ids=["ConvAE", "RestorationNet"]
)
def test_channels_last_gives_the_same_output(model):
    images = noise(2, 3, 50, 50)
    expected = model(images)
    last = {"memory_format": torch.channels_last}
    output = model.to(**last)(images.to(**last))
    torch.testing.assert_close(output, expected)
    assert output.is_contiguous(**last)


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
        (lambda: ssim_map(noise(1, 1, 10, 40), noise(1, 1, 10, 40)), "10 x 40"),
        (lambda: ssim_map(noise(1, 1, 16, 16), noise(1, 3, 16, 16)), "(1, 3, 16, 16)"),
        (lambda: ssim_map(noise(16, 16), noise(16, 16)), "(16, 16)"),
        (lambda: ssim_map(noise(1, 1, 16, 16), noise(1, 1, 16, 16), window=4), "window=4"),
        (lambda: ssim_map(noise(1, 1, 16, 16), noise(1, 1, 16, 16), sigma=0), "sigma=0"),
        (lambda: ConvAE(size=31), "size=31"),
        (lambda: ConvAE(latent=0), "latent=0"),
        (lambda: ConvAE(width=1.5), "width=1.5"),
        (lambda: ConvAE(1, 64, 2, 2)(noise(2, 1, 64, 65)), "B x 1 x 64 x 64 images, not (2, 1, 64"),
        (lambda: ConvAE(1, 64, 2, 2)(noise(2, 3, 64, 64)), "(2, 3, 64, 64)"),
        (lambda: ConvAE(1, 64, 2, 2)(noise(64, 64)), "(64, 64)"),
        (lambda: erase(noise(2, 3, 16, 17), torch.zeros(2, dtype=torch.long)), "(2, 3, 16, 17)"),
        (lambda: erase(noise(2, 3, 16, 16), torch.zeros(3, dtype=torch.long)), "(3,)"),
        (lambda: erase(noise(2, 3, 16, 16), torch.zeros(2)), "torch.float32"),
        (lambda: AttributeErasing()(noise(2, 3, 16, 20), generator()), "(2, 3, 16, 20)"),
        (lambda: RestorationNet(channels=0), "channels=0"),
        (lambda: RestorationNet(momentum=0), "momentum=0"),
        (lambda: restorer()(noise(1, 1, 32, 32)), "channels=1"),
        (lambda: restorer()(noise(32, 32)), "(32, 32)"),
        (lambda: restorer()(noise(1, 3, 15, 32)), "15 x 32"),
        (lambda: restoration_errors(nn.Identity(), noise(1, 3, 16, 18)), "(1, 3, 16, 18)"),
        (lambda: restoration_maps(nn.Identity(), noise(1, 3, 16, 16), torch.ones(3)), "[1.0, 1.0"),
        (lambda: restoration_maps(nn.Identity(), noise(1, 3, 16, 16), torch.zeros(4)), "[0.0, 0.0"),
        (lambda: typical_errors(nn.Identity(), noise(0, 3, 16, 16)), "no images"),
        (lambda: typical_errors(nn.Identity(), noise(1, 3, 16, 16), 0), "batch_size=0"),
    ],
)
def test_bad_input_is_named(build, named):
    with pytest.raises(InputError, match=r"^[^\n]+\.$") as caught:
        build()
    assert named in str(caught.value)
