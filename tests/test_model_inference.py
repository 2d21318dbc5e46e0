"""What is prepared for inference, and shared by the passes, gives what the plain network gives."""

import pytest
import torch
from call_counts import Calls
from hypothesis import given, settings
from hypothesis import strategies as st
from random_images import generator
from torch import nn

from aesc.errors import InputError
from aesc.model import AE, AESc, UpConv
from aesc.model._inference import FoldedUp, WovenUp


def network(kind: type[AESc] = AESc, seed: int = 0, **options) -> AESc:
    return kind(**{"depth": 3, "width": 4, **options}, generator=generator(seed)).eval()


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.integers(2, 9),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 3),
)
def test_prepared_up_convolutions_equal_the_definition(kernel, height, width, inputs, outputs):
    conv = UpConv(inputs, outputs, kernel).double()
    x = torch.randn(2, inputs, height, width, dtype=torch.float64)
    with torch.no_grad():
        expected = conv.plain(x)
        folded = FoldedUp(conv.weight, conv.bias)(x)
        torch.testing.assert_close(folded, expected)
        torch.testing.assert_close(WovenUp(conv.weight, conv.bias)(x), expected)


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("kind", [AESc, AE])
def test_passes_equal_full_forward_passes(kind, prepared):
    """Sharing the levels without dropout changes nothing."""
    model = network(kind, depth=6, width=2)
    images = torch.rand(2, 1, 64, 70, generator=generator())
    one, other = generator(3), generator(3)
    with torch.set_grad_enabled(not prepared):
        for sample in model.sample(images, 4, one):
            torch.testing.assert_close(sample, model(images, other))


def test_passes_compute_only_what_changes():
    """The three levels up to the first dropout once; then three, five and the head a pass."""
    model = network(depth=6, width=1)
    with torch.no_grad(), Calls() as calls:
        list(model.sample(torch.rand(2, 1, 64, 64), 5, generator()))
    assert calls.counts["aten.convolution.default"] == 3 + 5 * (3 + 5 + 1)


def test_passes_can_be_differentiated():
    model, images = network(depth=3, width=2), torch.rand(1, 1, 16, 16)
    passes = list(model.sample(images, 2, generator(1)))
    one = generator(1)
    full = [model(images, one) for _ in range(2)]
    ours, by_hand = (
        torch.autograd.grad(torch.stack(each).var(0).sum(), list(model.parameters()))
        for each in (passes, full)
    )
    for grad, expected in zip(ours, by_hand, strict=True):
        torch.testing.assert_close(grad, expected)


def test_passes_in_training_mode_use_the_statistics_of_the_batch():
    model = network(depth=3, width=2).train()
    images = torch.rand(3, 1, 16, 16, generator=generator())
    with torch.no_grad():
        (sample,) = model.sample(images, 1, generator(1))
        torch.testing.assert_close(sample, model(images, generator(1)))
        assert not torch.allclose(sample, model.eval()(images, generator(1)))


def with_statistics(model: AESc) -> AESc:
    """Norms as after some training, where each does something else."""
    for level in [*model.encoder, *model.decoder]:
        level.norm.running_mean.normal_(generator=generator(1))
        level.norm.running_var.uniform_(0.5, 2, generator=generator(2))
        nn.init.uniform_(level.norm.weight, -1, 2, generator=generator(3))
        nn.init.normal_(level.norm.bias, generator=generator(4))
    return model


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(8, 40),
    width=st.integers(8, 40),
    channels=st.integers(1, 3),
    depth=st.integers(1, 3),
    kernel=st.integers(1, 6),
    kind=st.sampled_from([AE, AESc]),
    layout=st.sampled_from([torch.contiguous_format, torch.channels_last]),
)
def test_prepared_network_gives_the_same(height, width, channels, depth, kernel, kind, layout):
    """In double precision, where rounding is far below what a wrong weight would change."""
    options = {"channels": channels, "depth": depth, "kernel": kernel, "width": 3}
    model = with_statistics(network(kind, **options)).double().to(memory_format=layout)
    images = torch.rand(5, channels, height, width, dtype=torch.float64)
    fast = model.for_inference()
    torch.testing.assert_close(fast(images), model(images))
    torch.testing.assert_close(fast(images, generator(1)), model(images, generator(1)))


@pytest.mark.parametrize("kernel", [1, 5])
def test_prepared_network_with_many_channels_gives_the_same(kernel):
    """Levels of 64 channels and more are computed in another way, from 256 on in another layout."""
    model = with_statistics(network(depth=4, width=64, kernel=kernel)).double()
    images = torch.rand(2, 1, 48, 34, dtype=torch.float64)
    torch.testing.assert_close(model.for_inference()(images), model(images))


def test_prepared_network_is_a_snapshot():
    model = with_statistics(network()).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    images = torch.rand(2, 1, 24, 24, generator=generator())
    fast = model.for_inference()
    first = fast(images)
    torch.testing.assert_close(first, model.eval()(images))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1, generator=generator(5))
    assert torch.equal(fast(images), first)
    torch.testing.assert_close(model.for_inference()(images), model(images))
    assert not torch.allclose(model(images), first)
    assert fast.for_inference() is fast
    assert not first.requires_grad
    with pytest.raises(InputError, match="at least 8 pixels"):
        fast(images[..., :7])
