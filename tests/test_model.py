"""The networks against formulas, Keras's conventions and plainly written convolutions."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_images import generator
from torch import nn
from torch.nn import functional

from aesc.errors import InputError
from aesc.model import AE, AESc, DownConv, UpConv, dropout
from aesc.model._folding import convolve_scattered


def network(kind: type[AESc] = AESc, seed: int = 0, **options) -> AESc:
    return kind(**{"depth": 3, "width": 4, **options}, generator=generator(seed)).eval()


def parameter_formula(channels: int, depth: int, width: int, kernel: int) -> int:
    """Convolutions with bias, batch norms with scale and shift, by hand."""
    maps = [channels] + [width * 2**i for i in range(depth)]
    down = sum(kernel**2 * maps[i] * maps[i + 1] + maps[i + 1] * 3 for i in range(depth))
    up = sum(kernel**2 * maps[i + 1] * maps[i] + maps[i] * 3 for i in range(1, depth))
    return down + up + kernel**2 * width * channels + channels


@pytest.mark.parametrize("kind", [AESc, AE])
@pytest.mark.parametrize(
    ("channels", "depth", "width", "kernel"), [(1, 6, 16, 5), (3, 4, 8, 3), (2, 1, 5, 4)]
)
def test_parameter_count(kind, channels, depth, width, kernel):
    model = kind(channels, depth, width, kernel)
    count = sum(p.numel() for p in model.parameters())
    assert count == parameter_formula(channels, depth, width, kernel)


def test_published_network_has_8_73_million_parameters():
    assert sum(p.numel() for p in AESc().parameters()) == 8_734_913


def test_shape_of_every_level_at_256():
    model = AESc().eval()
    shapes = {}
    for name, module in model.named_modules():
        if name == "head" or (name.startswith(("encoder.", "decoder.")) and name.count(".") == 1):
            module.register_forward_hook(
                lambda _, __, output, name=name: shapes.update({name: tuple(output.shape[1:])})
            )
    with torch.inference_mode():
        model(torch.rand(1, 1, 256, 256))
    sides = [128, 64, 32, 16, 8, 4]
    for level, side in enumerate(sides):
        assert shapes[f"encoder.{level}"] == (16 * 2**level, side, side)
    for level, side in enumerate([8, 16, 32, 64, 128]):
        assert shapes[f"decoder.{level}"] == (256 // 2**level, side, side)
    assert shapes["head"] == (1, 256, 256)


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(8, 45),
    width=st.integers(8, 45),
    channels=st.integers(1, 4),
    depth=st.integers(1, 3),
    kernel=st.integers(1, 6),
    kind=st.sampled_from([AE, AESc]),
)
def test_any_size_channels_depth_and_kernel(height, width, channels, depth, kernel, kind):
    model = kind(channels, depth, 2, kernel).eval()
    output = model(torch.rand(2, channels, height, width))
    assert output.shape == (2, channels, height, width)
    assert output.min() >= 0 and output.max() <= 1


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.integers(1, 9),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 3),
)
def test_up_convolution_equals_upsampling_then_convolution(kernel, height, width, inputs, outputs):
    """Values and gradients of every way to train it, whichever a size would choose."""
    conv = UpConv(inputs, outputs, kernel).double()
    x = torch.randn(2, inputs, height, width, dtype=torch.float64, requires_grad=True)
    large = functional.interpolate(x, scale_factor=2, mode="nearest")
    padded = functional.pad(large, ((kernel - 1) // 2, kernel // 2) * 2)
    expected = functional.conv2d(padded, conv.weight, conv.bias)
    target = torch.randn_like(expected)
    by_hand = torch.autograd.grad((expected * target).sum(), [x, conv.weight, conv.bias])
    scattered = convolve_scattered(x, conv.weight, conv.bias)
    for output in (conv(x), conv.plain(x), conv.folded(x), scattered):
        torch.testing.assert_close(output, expected)
        ours = torch.autograd.grad((output * target).sum(), [x, conv.weight, conv.bias])
        for grad, reference in zip(ours, by_hand, strict=True):
            torch.testing.assert_close(grad, reference)


def test_strided_convolution_pads_like_keras():
    """5 x 5, stride 2: one row before and two after an even side, two and two for an odd one."""
    conv = DownConv(1, 1, 5)
    nn.init.zeros_(conv.bias)
    nn.init.zeros_(conv.weight)
    conv.weight.data[0, 0, 0, 0] = 1  # picks the pixel at the window's corner
    even = torch.arange(64.0).view(1, 1, 8, 8)
    picked = conv(even)[0, 0]
    assert picked.shape == (4, 4)
    assert picked[0].eq(0).all() and picked[1, 1] == even[0, 0, 1, 1]
    odd = torch.arange(81.0).view(1, 1, 9, 9)
    picked = conv(odd)[0, 0]
    assert picked.shape == (5, 5) and picked[1, 1] == odd[0, 0, 0, 0]


def test_skips_really_add():
    """With the deepest map cut off, AESc still sees its input and AE does not."""
    images = torch.rand(2, 1, 32, 32, generator=generator())
    with_skips, without = network(AESc), network(AE)
    for model in (with_skips, without):
        nn.init.zeros_(model.encoder[-1].norm.weight)
        nn.init.zeros_(model.encoder[-1].norm.bias)
    assert with_skips(images).flatten(1).std(1).min() > 0
    first, second = without(images)
    torch.testing.assert_close(first, second)
    assert not torch.equal(*with_skips(images))


def test_skip_is_an_addition_of_the_encoder_map():
    model = network(depth=2)
    images = torch.rand(1, 1, 16, 16, generator=generator())
    finest = model.encoder[0](images)
    deepest = model.encoder[1](finest)
    by_hand = torch.sigmoid(model.head(model.decoder[0](deepest) + finest))
    torch.testing.assert_close(model(images), by_hand)


def test_receptive_field_is_what_the_gradient_sees():
    model = network(depth=3, width=1)
    for level in model.encoder:
        nn.init.ones_(level.conv.weight)
    images = torch.rand(1, 1, 128, 128, requires_grad=True)
    x = images
    for level in model.encoder:
        x = level(x)
    x[0, 0, 8, 8].backward()
    seen = images.grad[0, 0].abs() > 0
    assert seen.any(0).sum() == seen.any(1).sum() == model.receptive_field == 29
    assert AESc().receptive_field == 253


def test_keras_defaults():
    model = network()
    level = model.encoder[0]
    assert level.norm.eps == 1e-3 and level.norm.momentum == 0.01
    negative = functional.leaky_relu(torch.tensor(-1.0), 0.3)
    level.norm = nn.Identity()
    nn.init.zeros_(level.conv.weight)
    nn.init.constant_(level.conv.bias, -1.0)
    assert level(torch.rand(1, 1, 8, 8)).eq(negative).all()
    limit = (6 / (25 * 1 + 25 * 16)) ** 0.5
    assert 0.9 * limit < AESc().encoder[0].conv.weight.abs().max() <= limit


def test_initial_weights_follow_the_generator():
    first, second, other = (network(seed=s).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert any(not torch.equal(first[k], other[k]) for k in first)


def test_state_dict_round_trip():
    first, second = network(seed=1), network(seed=2)
    second.load_state_dict(first.state_dict())
    images = torch.rand(1, 1, 24, 24)
    assert torch.equal(first(images), second(images))


def test_dropout_only_when_asked_for():
    model = network(depth=6, width=2)
    images = torch.rand(3, 1, 64, 64, generator=generator())
    assert torch.equal(model(images), model(images))
    dropped = model(images, generator(1))
    assert torch.equal(dropped, model(images, generator(1)))
    assert not torch.equal(dropped, model(images, generator(2)))
    assert not torch.equal(dropped, model(images))


def test_published_dropout_rates_per_level():
    assert AESc().rates == (0, 0, 0.1, 0.2, 0.4, 0.5)
    assert AE().rates == (0, 0, 0, 0, 0.1, 0.2)
    assert AESc(depth=2).rates == (0.4, 0.5)
    assert AESc(depth=8, width=1).rates[:4] == (0, 0, 0, 0)


def test_dropout_zeroes_the_published_share_and_keeps_the_mean():
    dropped = dropout(torch.ones(2, 64, 32, 32), 0.4, generator())
    assert (dropped == 0).float().mean().item() == pytest.approx(0.4, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.02)
    assert torch.equal(dropped[0], dropped[1])


def test_can_be_trained_after_inference():
    model = network(kernel=7)
    images = torch.rand(2, 1, 24, 24)
    with torch.inference_mode():
        model(images)
    model.train()(images).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_state_dict_holds_parameters_and_statistics_only():
    model = network()
    norms = {name for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)}
    kept = ("running_mean", "running_var", "num_batches_tracked")
    statistics = {f"{norm}.{each}" for norm in norms for each in kept}
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()} | statistics


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: AESc(depth=0), "depth is 0"),
        (lambda: AESc(width=-4), "width is -4"),
        (lambda: AESc(kernel=2.5), "kernel is 2.5"),
        (lambda: dropout(torch.ones(1, 1, 2, 2), 1.0, generator()), "rate is 1.0"),
        (lambda: AESc(channels=True), "channels is True"),
        (lambda: AESc(depth="6"), "depth is '6'"),
        (lambda: AESc(momentum=0), "momentum is 0"),
        (lambda: AESc(momentum=True), "momentum is True"),
        (lambda: AESc(momentum=None), "momentum is None"),
        (lambda: AESc()(torch.rand(1, 1, 63, 64)), "(1, 1, 63, 64): give sides of at least 64"),
        (lambda: AESc()(torch.rand(1, 3, 64, 64)), "channels=3"),
        (lambda: AESc()(torch.rand(64, 64)), "(64, 64)"),
        (lambda: AESc()(torch.zeros(1, 1, 64, 64, dtype=torch.uint8)), "torch.uint8"),
        (lambda: AESc()(np.zeros((1, 1, 64, 64))), "ndarray"),
        (lambda: next(AESc().sample(torch.rand(1, 1, 64, 64), 0, generator())), "passes is 0"),
    ],
)
def test_bad_input_is_named(build, named):
    with pytest.raises(InputError, match=r"^[^\n]+\.$") as caught:
        build()
    assert named in str(caught.value)
