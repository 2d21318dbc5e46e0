"""Tables from records. Runs are averaged over seeds only; every other difference is another row."""

from __future__ import annotations

from importlib.resources import files

import pandas as pd

from aesc.experiment import Record
from aesc.synthetic import CATEGORIES

KEY = [
    "dataset",
    "category",
    "model",
    "corruption",
    "preset",
    "size",
    "images_seen",
    "channels",
    "passes",
]
METRICS = [
    "image_residual",
    "image_uncertainty",
    "pixel_residual",
    "pixel_uncertainty",
    "aupro_residual",
    "aupro_uncertainty",
]


def results_table(records: list[Record]) -> pd.DataFrame:
    """One row per category and method: AUROC and AUPRO averaged over seeds.

    Args:
        records: in any order.

    Returns:
        Columns `KEY` (what was run), ``seeds`` (how many), `METRICS` (means in [0, 1]; image AUROC
        with the L2 norm) and ``minutes`` (mean duration). Rows sorted by `KEY`, the embedded
        categories in their own order.
    """
    rows = pd.DataFrame([_row(record) for record in records])
    grouped = rows.groupby(KEY, sort=True)
    table = grouped[[*METRICS, "minutes"]].mean()
    table.insert(0, "seeds", grouped["seed"].nunique())
    table = table.reset_index()
    order = {name: position for position, name in enumerate(CATEGORIES)}
    embedded = table["dataset"] == "embedded"
    position = table["category"].map(order).where(embedded).fillna(len(order))
    return table.iloc[position.argsort(kind="stable")].reset_index(drop=True)


def paper_table() -> pd.DataFrame:
    """The paper's AUROC on MVTec AD, one row per category, and means per group.

    Source: Collin & De Vleeschouwer (ICPR 2020), tables of image-wise and pixel-wise results of
    AESc with stain corruption, of ITAE (Huang et al. 2019) and of AE_L2 (Bergmann et al. 2019).
    """
    with (files("aesc.sweep") / "paper.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)


def _row(record: Record) -> dict[str, object]:
    method, duration = record.method, record.duration
    row: dict[str, object] = {
        "dataset": record.data.dataset,
        "category": record.data.category,
        "images_seen": record.training.images_seen,
        "seed": method.seed,
        "minutes": (duration.data + duration.training + duration.scoring) / 60,
    }
    row |= {k: getattr(method, k) for k in KEY if k not in row}
    for kind, metrics in record.metrics.items():
        row[f"image_{kind}"] = metrics.image["l2"].auroc
        row[f"pixel_{kind}"] = metrics.pixel.auroc if metrics.pixel else None
        row[f"aupro_{kind}"] = metrics.pixel.aupro if metrics.pixel else None
    return row
