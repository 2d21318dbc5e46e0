"""Whether AESc+ decides well what to trust: its networks scored as they decided, and otherwise.

    python -m benchmarks.trust [--quick] [--seeds SEED ...] [--data FOLDER ...] [--runs FOLDER]

The judge is trained for both cases, so that one network can be scored in both. Runs of the
``quick`` preset on the embedded categories, and of the ``standard`` preset on real ones whose
folders are named, are taken from a folder and trained where they are missing. What was measured of
a network is kept there, in ``cases``, and not measured again, even where the network is gone; the
result holds all that is kept.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
from dataclasses import dataclass
from pathlib import Path

from aesc.experiment import Experiment, RunConfig, ScoringOptions, evaluate
from aesc.plus import AEScPlus
from aesc.records import EMBEDDED, format_mean
from aesc.synthetic import CATEGORIES
from benchmarks.harness import ROOT, arguments, keep, kept, write
from benchmarks.relit import trained

MODEL = "aesc_plus"


@dataclass(frozen=True)
class Case:
    """Image AUROC, pixel AUROC and AUPRO of one network, by its decision and by the other one."""

    category: str
    preset: str
    seed: int
    trusted: bool
    decided: dict[str, float | None]
    otherwise: dict[str, float | None]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--data", nargs="+", type=Path, default=[], help="folders of categories")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "trust", help="folder of runs")
    options = arguments(__doc__.splitlines()[0], parser)
    names, seeds, epochs = list(CATEGORIES), options.seeds, None
    if options.quick:
        names, seeds, epochs = names[:1], seeds[:1], 1
    data = [("quick", name, EMBEDDED) for name in names]
    data += [("standard", folder.name, str(folder.parent)) for folder in options.data]
    for (preset, name, place), seed in itertools.product(data, seeds):
        config = RunConfig.checked(
            category=name, data=place, model=MODEL, preset=preset, seed=seed, epochs=epochs
        )
        measure(config, options.runs)
    # The name of a shorter run, as of --quick, has its epochs after the size.
    paths = sorted((options.runs / "cases").glob("*px-seed*.json"))
    write(options, "trust", [], **kept(paths))


def measure(config: RunConfig, runs: Path) -> None:
    """Keep the case of a run, unless that of the same network is kept already."""
    weights = Experiment(config, runs).path(".safetensors")

    def network() -> str | None:
        return hashlib.sha256(weights.read_bytes()).hexdigest() if weights.exists() else None

    keep(runs / "cases" / f"{config.name}.json", network, lambda: [case_of(config, runs)])


def case_of(config: RunConfig, runs: Path) -> Case:
    """Score the test images of a run in both cases."""
    experiment = Experiment(config, runs)
    model, images, method = trained(experiment), experiment.category, experiment.method
    assert isinstance(model, AEScPlus)
    trusted = bool(model.trusted)
    options = ScoringOptions(2, config.seed, experiment.device, kinds=(method.kind,))

    def scores() -> dict[str, float | None]:
        maps = method.maps(model, images.test, images.train, options).maps[method.kind]
        found = evaluate(images, maps, method.norm)
        assert found.pixel is not None  # the defects that AESc+ is measured on have masks
        return {
            "image": found.image[method.norm].auroc,
            "pixel": found.pixel.auroc,
            "aupro": found.pixel.aupro,
        }

    decided = scores()
    model.trusted.fill_(not trusted)
    otherwise = scores()
    shown = (" / ".join(map(format_mean, each.values())) for each in (decided, otherwise))
    print(f"{config.category}, seed {config.seed}: {', otherwise '.join(shown)}", flush=True)
    return Case(config.category, config.preset, config.seed, trusted, decided, otherwise)


if __name__ == "__main__":
    main()
