"""The benchmark on the exposure of real images, on a drawn category."""

import pytest
import torch

from aesc.experiment import RunConfig
from benchmarks import exposure
from benchmarks.harness import RESULTS


def test_evened_images_have_one_mean_grey_and_keep_their_contrast():
    generator = torch.Generator().manual_seed(0)
    images = 0.1 + 0.4 * torch.rand(6, 1, 16, 16, generator=generator)
    images *= torch.linspace(0.4, 1.2, 6).view(-1, 1, 1, 1)
    evened = exposure.even(images, 0.3)
    assert torch.allclose(evened.mean((1, 2, 3)), torch.full((6,), 0.3), atol=1e-6)
    contrast = images.std((1, 2, 3)) / images.mean((1, 2, 3))
    assert torch.allclose(evened.std((1, 2, 3)) / 0.3, contrast, atol=1e-5)


def test_nothing_exceeds_white_and_black_stays_black():
    images = torch.stack([torch.zeros(1, 8, 8), torch.eye(8).unsqueeze(0)])
    evened = exposure.even(images, 0.5)
    assert evened[0].eq(0).all() and evened[1].max() == 1


def test_light_that_ranks_upside_down_is_found_out(stripes, one_batch, tmp_path, monkeypatch):
    config = RunConfig.checked(category="stripes", data=str(stripes.parent), passes=2)
    category = exposure.Experiment(config, tmp_path).category
    assert category.labels.float().mean() == 0.6
    # The good test images alone are made much brighter: what follows the light ranks them first.
    bright = torch.where(category.labels.view(-1, 1, 1, 1) == 0, 1.9, 1.0)
    category.test.mul_(bright).clamp_(0, 1)
    monkeypatch.setattr(exposure.Experiment, "category", category)
    cases = {case.kind: case for case in exposure.cases_of(config, tmp_path)}
    assert set(cases) == {"residual", "uncertainty"}
    residual = cases["residual"]
    assert residual.evened > residual.plain and residual.norm == "l2"
    assert residual.grey["test, good"] == pytest.approx(
        category.test[category.labels == 0].mean().item()
    )


def test_without_images_nothing_is_written(monkeypatch, capsys):
    before = (RESULTS / "exposure.json").read_bytes()
    monkeypatch.setattr("sys.argv", ["exposure"])
    exposure.main()
    assert "--data" in capsys.readouterr().out
    assert (RESULTS / "exposure.json").read_bytes() == before
