"""From maps and truth to the metrics of a record."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from aesc.data import GOOD, Category
from aesc.metrics import auroc_interval, image_metrics, pixel_metrics
from aesc.records import DefectType, Detection, Localisation, MapMetrics
from aesc.scoring import NORMS, image_scores


def evaluate(category: Category, maps: Tensor, norm: str = "l2") -> MapMetrics:
    """All metrics of one kind of anomaly map over the test images of a category.

    Args:
        category: the data.
        maps: N x H x W, the maps of its N test images.
        norm: how defect types are scored; all test images together are scored with every one of
            `aesc.scoring.NORMS` as well.

    Raises:
        InputError: another number of maps than test images, or maps that are not finite.
    """
    labels = category.labels
    scores = {name: image_scores(maps, name) for name in dict.fromkeys((*NORMS, norm))}
    defects = {}
    for defect in sorted(set(category.defect_types) - {GOOD}):
        chosen = torch.tensor([t in (GOOD, defect) for t in category.defect_types])
        pixel = _localisation(category, maps, chosen)
        defects[defect] = DefectType(
            count=category.defect_types.count(defect),
            image_auroc=image_metrics(scores[norm][chosen], labels[chosen])["auroc"],
            pixel_auroc=pixel.auroc if pixel else None,
            aupro=pixel.aupro if pixel else None,
        )
    everything = torch.ones(len(labels), dtype=torch.bool)
    return MapMetrics(
        image={name: _detection(s, labels) for name, s in scores.items()},
        pixel=_localisation(category, maps, everything),
        defects=defects,
    )


def _detection(scores: Tensor, labels: Tensor) -> Detection:
    low, high = auroc_interval(scores, labels)
    known = not math.isnan(low)
    return Detection(**image_metrics(scores, labels), auroc_interval=(low, high) if known else None)


def _localisation(category: Category, maps: Tensor, chosen: Tensor) -> Localisation | None:
    """Pixel metrics over the chosen images, without those whose mask cannot be trusted."""
    if category.masks is None:
        return None
    chosen = chosen & category.pixel_scored
    if not chosen.any():
        return None
    masks = category.masks[chosen, 0]  # N x 1 x H x W to N x H x W
    return Localisation.model_validate(pixel_metrics(maps[chosen], masks))
