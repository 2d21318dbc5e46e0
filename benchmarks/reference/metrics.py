"""Detection metrics as one would write them: scikit-learn, and a loop over thresholds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.integrate import trapezoid
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

Maps = NDArray[np.floating]
Masks = NDArray[np.bool_]


def sklearn_metrics(scores: Maps, labels: Masks) -> dict[str, float]:
    """AUROC, average precision and best F1 of scores and labels of one common shape."""
    scores, labels = scores.ravel(), labels.ravel()
    precision, recall, _ = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    return {
        "auroc": float(roc_auc_score(labels, scores)),
        "average_precision": float(average_precision_score(labels, scores)),
        "f1_max": float(f1.max()),
    }


def pro_points(
    maps: Maps, masks: Masks, thresholds: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False-positive rate and mean overlap with the 8-connected regions, at each threshold."""
    labels = [ndimage.label(mask, np.ones((3, 3))) for mask in masks]
    rates, overlaps = [], []
    for threshold in thresholds:
        found = maps >= threshold
        rates.append((found & ~masks).sum() / (~masks).sum())
        shares = [
            image[regions == region].mean()
            for image, (regions, count) in zip(found, labels, strict=True)
            for region in range(1, count + 1)
        ]
        overlaps.append(np.mean(shares))
    return np.array(rates), np.array(overlaps)


def aupro_by_thresholds(maps: Maps, masks: Masks, steps: int, limit: float = 0.3) -> float:
    """Area under the per-region overlap up to ``limit``, over ``limit``, from equal steps."""
    rates, overlaps = pro_points(maps, masks, np.linspace(maps.max(), maps.min(), steps))
    rates, overlaps = np.append(0, rates), np.append(0, overlaps)
    inside = rates < limit
    x = np.append(rates[inside], limit)
    y = np.append(overlaps[inside], np.interp(limit, rates, overlaps))
    return float(trapezoid(y, x) / limit)
