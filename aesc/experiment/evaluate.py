"""From maps and truth to the metrics of a record."""

from __future__ import annotations

import torch
from torch import Tensor

from aesc.data import Category
from aesc.experiment.record import DefectType, Detection, Localisation, MapMetrics
from aesc.metrics import image_metrics, pixel_metrics
from aesc.scoring import NORMS, image_scores


def evaluate(category: Category, maps: Tensor, norm: str = "l2") -> MapMetrics:
    """All metrics of one kind of anomaly map (N x H x W) over the test images of a category.

    Defect types are scored with ``norm``, everything together with every norm.
    """
    labels = category.labels
    scores = {norm: image_scores(maps, norm) for norm in NORMS}
    detection = {norm: Detection(**image_metrics(s, labels)) for norm, s in scores.items()}
    defects = {}
    for defect in sorted(set(category.defect_types) - {"good"}):
        chosen = torch.tensor([t in ("good", defect) for t in category.defect_types])
        pixel = _localisation(category, maps, chosen)
        defects[defect] = DefectType(
            count=sum(t == defect for t in category.defect_types),
            image_auroc=image_metrics(scores[norm][chosen], labels[chosen])["auroc"],
            pixel_auroc=pixel.auroc if pixel else None,
            aupro=pixel.aupro if pixel else None,
        )
    everything = torch.ones(len(labels), dtype=torch.bool)
    return MapMetrics(
        image=detection, pixel=_localisation(category, maps, everything), defects=defects
    )


def _localisation(category: Category, maps: Tensor, chosen: Tensor) -> Localisation | None:
    """Pixel metrics over the chosen images, without those whose mask cannot be trusted."""
    if category.masks is None:
        return None
    chosen = chosen & category.pixel_scored
    if not chosen.any():
        return None
    return Localisation(**pixel_metrics(maps[chosen], category.masks[chosen, 0]))
