"""The convolutional autoencoder against its source, and what both rival networks share."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_shapes import shapes_of
from random_images import generator, noise
from torch import nn

from aesc.baselines import ConvAE, RestorationNet
from aesc.errors import InputError

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
    "model",
    [ConvAE(3, 50, 4, 4, generator()), RestorationNet(3, 4, generator=generator()).eval()],
    ids=["ConvAE", "RestorationNet"],
)
def test_channels_last_gives_the_same_output(model):
    images = noise(2, 3, 50, 50)
    expected = model(images)
    last = {"memory_format": torch.channels_last}
    output = model.to(**last)(images.to(**last))
    torch.testing.assert_close(output, expected)
    assert output.is_contiguous(**last)


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: ConvAE(size=31), "size is 31"),
        (lambda: ConvAE(size=64.0), "size is 64.0"),
        (lambda: ConvAE(latent=0), "latent is 0"),
        (lambda: ConvAE(width=1.5), "width is 1.5"),
        (lambda: ConvAE(channels=True), "channels is True"),
        (lambda: ConvAE(1, 64, 2, 2)(noise(2, 1, 64, 65)), "(2, 1, 64, 65): resize to 64 x 64"),
        (lambda: ConvAE(1, 64, 2, 2)(noise(2, 3, 64, 64)), "(2, 3, 64, 64)"),
        (lambda: ConvAE(1, 64, 2, 2)(noise(64, 64)), "(64, 64)"),
    ],
)
def test_bad_input_is_named(build, named):
    with pytest.raises(InputError, match=r"^[^\n:]+ is [^\n]+: [^\n;]+\.$") as caught:
        build()
    assert named in str(caught.value)
