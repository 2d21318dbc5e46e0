"""What other light does to the image AUROC: good test images of every category, lit anew.

A detector must not take the light for a defect. The good test images are made darker, brighter,
flatter, harsher and uneven, the defective ones stay as they are, and the AUROC is measured again.
Runs of the ``quick`` preset are taken from a folder, and trained where they are missing.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from aesc.detector import load
from aesc.experiment import Experiment, RunConfig, ScoringOptions
from aesc.metrics import auroc
from aesc.plus import Lighting
from aesc.scoring import image_scores
from aesc.synthetic import CATEGORIES
from benchmarks.harness import ROOT, arguments, write

MODELS = ("aesc", "aesc_plus")

LIGHTS = {
    "darker": Lighting((0.8, 0.8), (1.0, 1.0), 0.0),
    "brighter": Lighting((1.2, 1.2), (1.0, 1.0), 0.0),
    "flatter": Lighting((1.0, 1.0), (0.8, 0.8), 0.0),
    "harsher": Lighting((1.0, 1.0), (1.25, 1.25), 0.0),
    "uneven": Lighting((1.0, 1.0), (1.0, 1.0), 0.15),
    "all at random": Lighting(),
}
"""The range of the requirement: gain 0.8 to 1.2, gamma 0.8 to 1.25, a smooth field."""


@dataclass(frozen=True)
class Case:
    """Image AUROC of a category and method, as it is and by the light of the good images."""

    category: str
    model: str
    kind: str
    plain: float
    lit: dict[str, float]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "relit", help="folder of runs")
    options = arguments(__doc__.splitlines()[0], parser)
    start = time.perf_counter()
    names = list(CATEGORIES)[:1] if options.quick else list(CATEGORIES)
    cases = []
    for name in names:
        for model in MODELS:
            config = RunConfig.checked(
                category=name, model=model, epochs=1 if options.quick else None
            )
            cases.append(case_of(config, options.runs))
            worst = min(cases[-1].lit.values())
            print(f"{name}, {model}: {cases[-1].plain:.3f}, at worst {worst:.3f}", flush=True)
    write(
        options,
        "relit",
        [],
        cases=[asdict(case) for case in cases],
        seconds=time.perf_counter() - start,
    )


def case_of(config: RunConfig, runs: Path) -> Case:
    """Score the test images of a run in every light."""
    experiment = Experiment(config, runs)
    model, method = trained(experiment), experiment.method
    images, labels = experiment.category.test, experiment.category.labels
    options = ScoringOptions(2, 0, experiment.device, kinds=(method.kind,))

    def measured(test: Tensor) -> float:
        maps = method.maps(model, test, experiment.category.train, options).maps[method.kind]
        return auroc(image_scores(maps, method.norm), labels)

    lit = {}
    for name, light in LIGHTS.items():
        good = light(images[labels == 0], torch.Generator().manual_seed(0))
        other = images.clone()
        other[labels == 0] = good
        lit[name] = measured(other)
    return Case(config.category, config.model, method.kind, measured(images), lit)


def trained(experiment: Experiment) -> nn.Module:
    """The network of a run, from its weights where they are there."""
    weights = experiment.path(".safetensors")
    if not weights.exists():
        return experiment.model
    return load(weights, str(experiment.device)).model


if __name__ == "__main__":
    main()
