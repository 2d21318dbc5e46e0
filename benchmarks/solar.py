"""A detector on real images that nothing here was tuned on: solar cells, good and defective.

The package ``elpv-dataset`` holds 2 624 electroluminescence images of solar cells (Buerhop-Lutz,
Deitsch, Maier, Gallwitz, Berger, Doll, Hauch, Camus & Brabec: "A benchmark for visual
identification of defective solar cells in electroluminescence imagery", EU PVSEC 2018; licence
CC BY-NC-SA 4.0), each with the probability that the cell is defective. They stand module after
module, so the next cells in the list are of other modules than the first ones: what the promise of
a threshold does not cover. Mixed, they are what it does. The images are no requirement of this
package: ``pip install elpv-dataset``.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aesc.detector import FitSettings, fit, good_files, survey
from aesc.metrics import auroc
from benchmarks.harness import arguments, write

METHODS = ("ae_l2", "ae_ssim", "itae", "aesc", "aesc_plus")
FITTED, NEW = 300, 200
"""Good cells that a detector is made of; cells, good ones and as many defective, that it judges."""

SHARE, REVIEW = 0.05, 0.1
"""Share of good images that may be rejected, and that may be rejected or reviewed."""

MIXED, LISTED = "mixed", "as listed"
"""Good cells drawn at random from all, or the first ones to fit and the next ones to judge."""

Cells = list[NDArray[np.uint8]]


@dataclass(frozen=True)
class Case:
    """What a method made of the new cells."""

    method: str
    order: str
    preset: str
    seconds: float
    image_auroc: float
    good: int
    good_rejected: float
    defective: int
    defective_rejected: float


def main() -> None:
    """Measure and write; without the images, say so."""
    options = arguments(__doc__.splitlines()[0])
    if importlib.util.find_spec("elpv_dataset") is None:
        print("Nothing was measured: pip install elpv-dataset brings the images.")
        return
    good, defective = cells_by_label()
    mixed = [good[i] for i in np.random.default_rng(0).permutation(len(good))]
    minutes = 0.02 if options.quick else None
    cases = []
    for order, cells in {MIXED: mixed, LISTED: good}.items():
        for method in METHODS:
            settings = FitSettings(method, minutes=minutes, false_rejects=SHARE, review=REVIEW)
            cases.append(case_of(settings, order, cells, defective))
    write(options, "solar", [], share=SHARE, fitted=FITTED, cases=[asdict(case) for case in cases])


def cells_by_label() -> tuple[Cells, Cells]:
    """Monocrystalline cells that are surely good, and surely defective."""
    from elpv_dataset.utils import load_dataset

    images, probability, kinds = load_dataset()
    mono = kinds == "mono"
    return list(images[mono & (probability == 0)]), list(images[mono & (probability == 1)])


def case_of(settings: FitSettings, order: str, good: Cells, defective: Cells) -> Case:
    """Fit on the first good cells, then judge the next ones and the first defective ones."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for i, cell in enumerate(good[:FITTED]):
            Image.fromarray(cell).save(Path(folder, f"{i:04}.png"))
        detector = fit(survey(good_files(Path(folder))), settings, progress=False)
    seconds = time.perf_counter() - start
    new = good[FITTED : FITTED + NEW], defective[:NEW]
    results = [list(detector.stream(images)) for images in new]
    scores = [[result.score for result in judged] for judged in results]
    rejected = [np.mean([result.verdict == "reject" for result in judged]) for judged in results]
    area = auroc(scores[0] + scores[1], [0] * len(scores[0]) + [1] * len(scores[1]))
    case = Case(
        settings.method,
        order,
        settings.preset,
        seconds,
        float(area),
        len(new[0]),
        float(rejected[0]),
        len(new[1]),
        float(rejected[1]),
    )
    print(case, flush=True)
    return case


if __name__ == "__main__":
    main()
