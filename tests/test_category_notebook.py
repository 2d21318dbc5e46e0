"""The notebook of a category, cell by cell in this process, for every method."""

from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import nbformat
import pytest
import torch

from aesc.experiment import METHODS, Experiment, RunConfig

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "06_evaluate_category.ipynb"


pytestmark = pytest.mark.usefixtures("one_batch")


def executed(**parameters):
    """The names of the notebook after its last cell."""
    names = {}
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        if cell.cell_type == "code" and "%pip" not in cell.source:
            exec(compile(cell.source, NOTEBOOK.name, "exec"), names)
            plt.close("all")
        if "parameters" in cell.metadata.get("tags", []):
            names.update(parameters)
    return SimpleNamespace(**names)


@pytest.mark.parametrize(
    ("model", "tile"), [*((model, None) for model in METHODS), ("ae_l2", 64), ("aesc_plus", 64)]
)
def test_every_method_goes_through_the_page(model, tile, stripes, tmp_path):
    page = executed(
        category=stripes.name, data=str(stripes), model=model, size=96 if tile else None, tile=tile,
        passes=2, out=str(tmp_path), device="cpu",
    )  # fmt: skip
    assert page.restored.shape == page.chosen.shape
    assert page.main == METHODS[model].kind
    types = page.record.metrics[page.main].defects
    worst = min(found.image_auroc for found in types.values())
    assert any(line.startswith("**Found worst:**") and f"{worst:.2f}" in line for line in page.told)
    assert page.ranked == page.scores[page.main].argsort().tolist()


def test_a_network_of_tiles_is_asked_about_tiles(stripes, tmp_path):
    config = RunConfig.checked(
        category=stripes.name, data=str(stripes), model="ae_l2", size=96, tile=64, device="cpu"
    )
    experiment = Experiment(config, tmp_path, progress=False)
    images = experiment.category.validation
    whole = experiment.reconstruct(images)
    with torch.inference_mode():
        corner = experiment.model(images[..., :64, :64])
    # Where one tile lies alone, the image is what the network makes of that tile.
    torch.testing.assert_close(whole[..., :32, :32], corner[..., :32, :32])
