"""Gaussian means against scipy's."""

import itertools

import numpy as np
import pytest
import torch
from random_images import noise
from scipy.ndimage import gaussian_filter

from aesc._bands import _strips, band_matrix, gaussian_means

MODES = {"mirrored": "reflect", "repeated": "nearest"}
"""The names of scipy."""


@pytest.mark.parametrize("border", MODES)
@pytest.mark.parametrize("shape", [(20, 20), (64, 64), (70, 131), (33, 90)])
@pytest.mark.parametrize(("radius", "sigma"), [(5, 1.5), (12, 4.0), (2, 1.0)])
def test_means_are_those_of_scipy(border, shape, radius, sigma):
    x = noise(2, 3, *shape, dtype=torch.float64)
    expected = gaussian_filter(x.numpy(), sigma, mode=MODES[border], radius=radius, axes=(-2, -1))
    found = gaussian_means(x, window=2 * radius + 1, sigma=sigma, border=border)[0]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_means_are_products_with_the_band_matrix():
    x = noise(1, 1, 70, 40)
    down, along = (band_matrix(side, 11, 1.5, "mirrored") for side in (70, 40))
    torch.testing.assert_close(
        gaussian_means(x, window=11, sigma=1.5, border="mirrored")[0], down @ x @ along.T
    )


def test_matrices_of_a_scoring_serve_a_training_and_are_made_once(monkeypatch):
    """Tensors made in inference mode could not be: no gradient passes through them."""
    _strips.cache_clear()
    x = noise(1, 1, 45, 51)
    with torch.inference_mode():
        scored = gaussian_means(x, window=7, sigma=1.3, border="mirrored")[0]
    monkeypatch.setattr("aesc._bands.band_matrix", None)  # calling it would raise
    x.requires_grad_()
    trained = gaussian_means(x, window=7, sigma=1.3, border="mirrored")[0]
    assert torch.equal(trained, scored)
    trained.sum().backward()
    torch.testing.assert_close(x.grad.sum(), torch.tensor(45 * 51.0))


def test_another_window_border_or_type_has_another_matrix():
    x = noise(1, 1, 40, 40)
    cases = [(5, 1.0, "mirrored"), (5, 1.1, "mirrored"), (7, 1.0, "mirrored"), (5, 1.0, "repeated")]
    found = [gaussian_means(x, window=w, sigma=s, border=b)[0] for w, s, b in cases]
    for one, other in itertools.combinations(found, 2):
        assert not torch.equal(one, other)
    double = gaussian_means(x.double(), window=5, sigma=1.0, border="mirrored")[0]
    assert double.dtype == torch.float64


def test_means_are_differentiable():
    x = noise(1, 2, 12, 40, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: gaussian_means(x, window=5, sigma=1.0, border="mirrored"), x
    )
