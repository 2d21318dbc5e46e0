"""Structural similarity against scikit-image and known cases."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_images import noise
from skimage.metrics import structural_similarity

from aesc.baselines import ssim_loss, ssim_map
from aesc.errors import InputError


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


def test_ssim_needs_no_autocast_where_torch_has_none(monkeypatch):
    """As torch 2.4 has none on Apple's GPUs, and raises even where it is to be switched off."""
    first, second = noise(1, 1, 16, 16), noise(1, 1, 16, 16, seed=1)
    expected = ssim_map(first, second)

    def unsupported(device_type, **_):
        raise RuntimeError(f"User specified an unsupported autocast device_type '{device_type}'")

    monkeypatch.setattr(torch.amp, "is_autocast_available", lambda _: False)
    monkeypatch.setattr(torch, "autocast", unsupported)
    assert torch.equal(ssim_map(first, second), expected)


def test_ssim_keeps_single_precision_under_autocast():
    first, second = noise(1, 1, 16, 16), noise(1, 1, 16, 16, seed=1).bfloat16()
    plain = ssim_map(first, second.float())
    with torch.autocast("cpu", torch.bfloat16):
        mixed = ssim_map(first, second)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, plain)


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: ssim_map(noise(1, 1, 10, 40), noise(1, 1, 10, 40)), "first is of shape (1, 1, 10"),
        (lambda: ssim_map(noise(1, 1, 16, 16), noise(1, 3, 16, 16)), "(1, 3, 16, 16)"),
        (lambda: ssim_map(noise(16, 16), noise(16, 16)), "(16, 16)"),
        (lambda: ssim_map(noise(1, 1, 16, 16), noise(1, 1, 16, 16), window=4), "window is 4"),
        (lambda: ssim_map(noise(1, 1, 16, 16), noise(1, 1, 16, 16), window=True), "window is True"),
        (lambda: ssim_map(noise(1, 1, 16, 16), noise(1, 1, 16, 16), sigma=0), "sigma is 0"),
        (lambda: ssim_map(noise(1, 1, 16, 16), noise(1, 1, 16, 16), sigma="1"), "sigma is '1'"),
    ],
)
def test_bad_input_is_named(build, named):
    with pytest.raises(InputError, match=r"^[^\n:]+ is [^\n]+: [^\n;]+\.$") as caught:
        build()
    assert named in str(caught.value)
