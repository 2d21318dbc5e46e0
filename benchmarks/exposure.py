"""How much of the image AUROC on real images is their light, and how much their defects.

    python -m benchmarks.exposure --data FOLDER [--runs FOLDER] [CATEGORY ...]

Every test image, good or defective, is multiplied so that its mean grey is that of the training
images, and scored again. What an AUROC gains by that, it had lost to the exposure. Runs of AESc
with the ``standard`` preset are taken from a folder, and trained where they are missing.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor

from aesc.experiment import Experiment, RunConfig, ScoringOptions
from aesc.metrics import auroc
from aesc.scoring import image_scores
from benchmarks.harness import ROOT, arguments, write
from benchmarks.relit import trained

SEED = 1


@dataclass(frozen=True)
class Case:
    """The image AUROC of a map, as the images are and with their exposure evened out."""

    category: str
    seed: int
    kind: str
    norm: str
    grey: dict[str, float]
    plain: float
    evened: float


def main() -> None:
    """Measure and write; without images, say so."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("categories", nargs="*", default=["screw", "pill"], help="of the data")
    parser.add_argument("--data", type=Path, help="folder of MVTec AD")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "exposure", help="of runs")
    options = arguments(__doc__.splitlines()[0], parser)
    if options.data is None:
        print("Nothing was measured: name the folder of the images with --data.")
        return
    cases = [
        case
        for name in options.categories
        for case in cases_of(
            RunConfig.checked(
                category=name,
                data=str(options.data),
                preset="standard",
                seed=SEED,
                epochs=1 if options.quick else None,
            ),
            options.runs,
        )
    ]
    write(options, "exposure", [], cases=[asdict(case) for case in cases])


def cases_of(config: RunConfig, runs: Path) -> list[Case]:
    """Score the test images of a run as they are, and evened out; one case for each map."""
    experiment = Experiment(config, runs)
    model, images = trained(experiment), experiment.category
    method, train, labels = experiment.method, images.train, images.labels
    assert isinstance(train, Tensor)  # so few are not streamed
    options = ScoringOptions(config.passes, config.seed, experiment.device)
    grey = {
        "training": train.mean().item(),
        "test, good": images.test[labels == 0].mean().item(),
        "test, defective": images.test[labels == 1].mean().item(),
    }
    plain = method.maps(model, images.test, train, options).maps
    evened = method.maps(model, even(images.test, grey["training"]), train, options).maps
    found = []
    for kind in plain:
        values = [auroc(image_scores(maps[kind], method.norm), labels) for maps in (plain, evened)]
        found.append(Case(config.category, config.seed, kind, method.norm, grey, *values))
        print(f"{config.category}, {kind}: {values[0]:.3f}, evened {values[1]:.3f}", flush=True)
    return found


def even(images: Tensor, grey: float) -> Tensor:
    """Each image times a factor, so that its mean is ``grey`` but for what exceeds white.

    Args:
        images: N x C x H x W in [0, 1].
        grey: in [0, 1].
    """
    return (images * (grey / images.mean((1, 2, 3), keepdim=True).clamp(min=1e-6))).clamp(0, 1)


if __name__ == "__main__":
    main()
