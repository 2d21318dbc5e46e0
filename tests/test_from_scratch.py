"""The page that writes the whole method out, against the package."""

from pathlib import Path

import nbformat
import pytest
import torch
from torch.nn import functional

from aesc.model import AESc
from aesc.noise import Stain

PAGE = Path(__file__).parent.parent / "notebooks" / "aesc_from_scratch.ipynb"


@pytest.fixture(scope="module")
def blocks() -> list[str]:
    cells = nbformat.read(PAGE, as_version=4).cells
    return [cell.source for cell in cells if "from-scratch" in cell.metadata.get("tags", [])]


@pytest.fixture(scope="module")
def page(blocks) -> dict:
    names: dict = {}
    exec(compile("\n".join(blocks), str(PAGE), "exec"), names)
    return names


def pair(page) -> tuple[torch.nn.Module, AESc]:
    """Both networks, each with its own start from the same seed."""
    torch.manual_seed(3)
    plain = page["Network"]()
    torch.manual_seed(3)
    return plain, AESc(momentum=0.1)


def test_method_takes_at_most_80_lines_and_nothing_of_the_package(blocks):
    lines = [line for block in blocks for line in block.splitlines() if line.strip()]
    assert len(lines) <= 80
    assert not any("aesc" in line for line in lines)


def test_networks_start_alike_and_reconstruct_alike(page):
    plain, packaged = pair(page)
    state = plain.state_dict()
    assert len(state) == len(packaged.state_dict())
    for ours, theirs in zip(state.values(), packaged.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    images = torch.rand(3, 1, 64, 128, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(plain(images), packaged(images), rtol=0, atol=1e-5)


def test_stains_of_a_seed_are_those_of_the_package(page):
    images = torch.full((100, 1, 128, 128), 0.5)
    painted, ours = page["stain"](images, torch.Generator().manual_seed(4))
    _, theirs = Stain()(images, torch.Generator().manual_seed(4))
    assert (ours != theirs).sum() < 0.01 * theirs.sum()
    assert torch.equal(painted[~ours], images[~ours])
    assert (painted[ours] != 0.5).float().mean() > 0.99


def test_both_learn_the_same_from_the_same_batches(page):
    plain, packaged = pair(page)
    networks = (plain, packaged)
    optimizers = [torch.optim.Adam(network.parameters(), 1e-3) for network in networks]
    generator = torch.Generator().manual_seed(5)
    clean = torch.rand(4, 1, 64, 64, generator=generator)
    for _ in range(8):
        corrupted, _ = Stain()(clean, generator)
        losses = []
        for network, optimizer in zip(networks, optimizers, strict=True):
            loss = functional.mse_loss(network(corrupted), clean)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_score_is_the_norm_of_the_residual(page):
    half = torch.nn.Threshold(2.0, 0.5)  # reconstructs every image as a grey of one half
    images = torch.stack([torch.full((1, 2, 2), 0.5), torch.full((1, 2, 2), 1.0)])
    torch.testing.assert_close(page["scores"](half, images), torch.tensor([0.0, 1.0]))
