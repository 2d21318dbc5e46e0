"""What each step from AESc to AESc+ gains: one more at a time, with equal budgets.

    python -m benchmarks.steps [CATEGORY ...] [--quick] [--seeds SEED ...] [--data FOLDER ...]
                               [--runs FOLDER]

All ten embedded categories take two to three hours on one core for each seed. Some may be named,
and the folders of real ones. All are read in colour and at the same size, and trained by the same
schedule, with more than twice as many images as in the ``quick`` preset. What was measured of a
category is kept in a folder and not measured again, so the benchmark can be interrupted, and
categories can be measured side by side. The result holds all that are in it.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from aesc.data import Category, load_category
from aesc.device import resolve_device
from aesc.experiment import METHODS, Method, ScoringOptions, evaluate, method_trainer
from aesc.plus import AEScPlus, Lighting, Turns, free_turns
from aesc.records import format_mean
from aesc.synthetic import CATEGORIES, embedded
from aesc.training import TrainingSettings
from benchmarks.harness import ROOT, arguments, keep, kept, write

SIZE = 64
RUNS = ROOT / "runs" / "steps"
AESC = replace(METHODS["aesc"], channels=3, decay="cosine")
LIT = replace(AESC, varied=lambda _: (Lighting(),))
PLUS = METHODS["aesc_plus"]


class WithoutRedrawing(AEScPlus):
    """AESc+ whose judge is never shown the redrawn image."""

    def shown(self, batch: int) -> Tensor:
        """Zeros, in training as well."""
        return self.trusted.new_zeros(batch, 1, 1, 1)

    def look(self, corrupted: Tensor, mask: Tensor) -> None:
        """Nothing is to be decided."""


SCHEDULE = TrainingSettings(epochs=24, batches=35, learning_rate=2e-3, decay="cosine")


@dataclass(frozen=True)
class Training:
    """One network, and the steps that are read off it: a map and an image score each."""

    method: Method
    corruption: str
    steps: Mapping[str, tuple[str, str]]


TURNED = Training(replace(AESC, varied=PLUS.varied), "rich", {"turns": ("residual", "l2")})
TRAININGS = (
    Training(AESC, "stain", {"AESc in colour": ("residual", "l2")}),
    Training(AESC, "rich", {"rich corruption": ("residual", "l2")}),
    Training(LIT, "rich", {"changing light": ("residual", "l2")}),
    TURNED,
    Training(
        replace(PLUS, build=lambda channels, _, *rest: WithoutRedrawing(channels, *rest)),
        "rich",
        {
            # No gradient of the judge reaches the first network, whose residual is therefore that
            # of a training with edges in the loss and no judge.
            "edges in the loss": ("residual", "l2"),
            "judge": ("defect", "l2"),
        },
    ),
    Training(
        PLUS,
        "rich",
        {"redrawing": ("defect", "l2"), "score of the highest pixels": ("defect", "top")},
    ),
)


@dataclass(frozen=True)
class Case:
    """What a category's test images give after a step."""

    category: str
    step: str
    seed: int
    image: float | None
    pixel: float | None
    aupro: float | None
    seconds: float
    real: bool = False


def main() -> None:
    """Measure what is missing, and write all that is there."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("categories", nargs="*", help="of the embedded data (default: all)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--data", nargs="+", type=Path, default=[], help="folders of categories")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of cases")
    options = arguments(__doc__.splitlines()[0], parser)
    names = options.categories or list(CATEGORIES)[: 1 if options.quick else None]
    schedule = replace(SCHEDULE, epochs=1) if options.quick else SCHEDULE
    for part, seed in itertools.product([*names, *options.data], options.seeds):
        measure(part, seed, schedule, options.runs)
    write(
        options,
        "steps",
        [],
        size=SIZE,
        images_seen=schedule.epochs * schedule.batches * schedule.batch_size,
        **kept(sorted(options.runs.glob("*-seed*.json")), made_of(schedule)),
    )


def measure(part: str | Path, seed: int, schedule: TrainingSettings, runs: Path) -> None:
    """Keep the cases of a category, unless those of this schedule and version are kept already.

    ``part`` is the name of an embedded category, or the folder of a real one.
    """
    name = part if isinstance(part, str) else f"real-{part.name}"
    path = runs / f"{name}-{schedule.epochs}epochs-seed{seed}.json"
    keep(path, lambda: made_of(schedule), lambda: cases_of(part, seed, schedule))


def made_of(schedule: TrainingSettings) -> str:
    """What cases must share to stand in one result."""
    return f"aesc {version('aesc')}, {schedule}"


def cases_of(part: str | Path, seed: int, schedule: TrainingSettings) -> list[Case]:
    """Measure a category after every step."""
    folder = part if isinstance(part, Path) else embedded(2 * SIZE, names=[part]) / part
    category = load_category(folder, size=SIZE, channels=3)
    cases: list[Case] = []
    for each in TRAININGS:
        if each is TURNED and free_turns(category.train) == Turns():
            cases.append(replace(cases[-1], step="turns"))  # the same training as the last one
        else:
            cases += measured(each, category, schedule, seed)
    return [replace(case, real=isinstance(part, Path)) for case in cases]


def measured(
    training: Training, category: Category, schedule: TrainingSettings, seed: int
) -> list[Case]:
    """Train a network, and score the test images by each step that is read off it."""
    start, device = time.perf_counter(), resolve_device()
    method, weights = training.method, torch.Generator().manual_seed(seed)
    model = method.build(method.channels, SIZE, 0.1, weights)
    method_trainer(
        method,
        model,
        category.train,
        category.validation,
        schedule,
        corruption=training.corruption,
        seed=seed,
        device=device,
    ).run()
    kinds = tuple({kind for kind, _ in training.steps.values()})
    options = ScoringOptions(passes=2, seed=seed, device=device, kinds=kinds)
    maps = method.maps(model, category.test, category.train, options).maps
    seconds = round(time.perf_counter() - start, 1)
    cases = []
    for step, (kind, norm) in training.steps.items():
        found = evaluate(category, maps[kind], norm)
        assert found.pixel is not None  # these data have masks
        values = (found.image[norm].auroc, found.pixel.auroc, found.pixel.aupro)
        case = Case(category.name, step, seed, *values, seconds)
        shown = " / ".join(map(format_mean, values))
        print(f"{category.name}, seed {seed}, {step}: {shown}", flush=True)
        cases.append(case)
    return cases


if __name__ == "__main__":
    main()
