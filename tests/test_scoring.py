"""Maps and scores against numpy, and independence of the batch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from aesc.errors import InputError
from aesc.model import AESc
from aesc.scoring import NORMS, anomaly_maps, image_scores, residual_map, smooth, uncertainty_map


@pytest.fixture(scope="module")
def model() -> AESc:
    return AESc(depth=6, width=2, generator=torch.Generator().manual_seed(0)).eval()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(7, 1, 64, 64, generator=torch.Generator().manual_seed(1))


def test_residual_is_the_mean_absolute_difference():
    x, y = torch.rand(2, 3, 5, 4), torch.rand(2, 3, 5, 4)
    expected = np.abs(x.numpy() - y.numpy()).mean(axis=1)
    np.testing.assert_allclose(residual_map(x, y).numpy(), expected, rtol=1e-6)
    with pytest.raises(InputError, match="reconstructions is of shape"):
        residual_map(x, y[:1])


def test_uncertainty_is_the_variance_of_the_passes(model, images):
    generator = torch.Generator().manual_seed(5)
    with torch.inference_mode():
        samples = np.stack([s.double().numpy() for s in model.sample(images, 9, generator)])
    expected = samples.var(axis=0, ddof=1).mean(axis=1)
    ours = uncertainty_map(model, images, passes=9, seed=5).numpy()
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-9)
    assert ours.max() > 0


def test_maps_do_not_depend_on_the_batch(model, images):
    whole = anomaly_maps(model, images, passes=4, seed=3, batch_size=7)
    cut = anomaly_maps(model, images, passes=4, seed=3, batch_size=2)
    torch.testing.assert_close(vars(whole), vars(cut))
    other_seed = anomaly_maps(model, images, passes=4, seed=4)
    assert not torch.equal(whole.uncertainty, other_seed.uncertainty)
    assert torch.equal(
        whole.residual, anomaly_maps(model, images, passes=4, seed=4, batch_size=7).residual
    )


def test_maps_are_those_of_the_network_as_it_is_now(images):
    """Scoring prepares the network anew, so that it follows what was trained in between."""
    model = AESc(depth=6, width=2, generator=torch.Generator().manual_seed(0))
    for _ in range(2):
        maps = anomaly_maps(model, images, passes=3, seed=1, batch_size=4)
        with torch.inference_mode():
            plain = model(images)
            samples = list(model.train(False).sample(images, 3, torch.Generator().manual_seed(1)))
        torch.testing.assert_close(maps.reconstructions, plain)
        torch.testing.assert_close(maps.residual, (images - plain).abs().mean(1))
        torch.testing.assert_close(maps.uncertainty, torch.stack(samples).var(0).mean(1))
        for parameter in model.parameters():
            parameter.data.mul_(0.5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 4), side=st.integers(1, 12))
def test_norms_against_numpy(seed, count, side):
    maps = torch.rand(count, side, side, generator=torch.Generator().manual_seed(seed)) * 0.02
    flat = maps.double().numpy().reshape(count, -1)
    expected = {
        "l0": (flat > 1 / 255).sum(1),
        "l1": np.abs(flat).sum(1),
        "l2": np.sqrt((flat**2).sum(1)),
        "linf": flat.max(1),
        "smooth_max": [
            gaussian_filter(m, side * 4 / 256, mode="nearest").max() for m in maps.numpy()
        ],
    }
    assert set(expected) == set(NORMS)
    for norm, values in expected.items():
        np.testing.assert_allclose(image_scores(maps, norm).numpy(), values, rtol=1e-6)


def test_small_variances_are_not_lost():
    """The authors' code cast the variance to 8 bits, where values below one level vanish."""
    maps = torch.full((2, 8, 8), 1e-6)
    maps[1, 0, 0] = 2e-6
    weak, strong = image_scores(maps)
    assert 0 < weak < strong


def test_bad_input_is_refused(model, images):
    with pytest.raises(InputError, match="passes is 1"):
        uncertainty_map(model, images, passes=1)
    with pytest.raises(InputError, match="passes is True"):
        anomaly_maps(model, images, passes=True)
    with pytest.raises(InputError, match=r"seed is 0\.5"):
        uncertainty_map(model, images, seed=0.5)
    with pytest.raises(InputError, match="images is empty"):
        anomaly_maps(model, images[:0])
    with pytest.raises(InputError, match="batch_size is 0"):
        anomaly_maps(model, images, batch_size=0)
    with pytest.raises(InputError, match="maps is of shape"):
        image_scores(torch.zeros(1, 1, 4, 4))
    with pytest.raises(InputError, match="sigma is -1"):
        smooth(torch.zeros(1, 4, 4), -1)
    with pytest.raises(InputError, match="l3"):
        image_scores(torch.zeros(1, 4, 4), "l3")
