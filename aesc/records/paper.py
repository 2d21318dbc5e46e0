"""The paper's numbers, and our results beside them."""

from __future__ import annotations

import math
from importlib.resources import files
from typing import Any

import pandas as pd

from aesc.records.record import EMBEDDED, KINDS, Record
from aesc.records.table import results_table

OWN_METHOD = ("aesc", "stain")
"""Model and corruption of the paper's method; its rivals have no choice of a corruption."""

PUBLISHED: dict[str, dict[str, str]] = {
    "aesc": {name: name for name in (f"{m}_{kind}" for m in ("image", "pixel") for kind in KINDS)},
    "itae": {"image_itae": "image_residual"},
    "ae_l2": {"pixel_ae_l2": "pixel_residual"},
}
"""By model: the columns of the paper's table that are its numbers, and our metric for each."""

COMPARISON = [
    "dataset",
    "category",
    "model",
    "corruption",
    "size",
    "images_seen",
    "measure",
    "paper",
    "ours",
    "difference",
    "seeds",
    "spread",
]
"""Columns of `comparison_table`."""


def paper_table() -> pd.DataFrame:
    """The paper's AUROC on MVTec AD, one row per category, and means per group.

    Source: Collin & De Vleeschouwer (ICPR 2020), tables of image-wise and pixel-wise results of
    AESc with stain corruption, of ITAE (Huang et al. 2019) and of AE_L2 (Bergmann et al. 2019).

    Example:
        >>> paper_table().set_index("category").loc["bottle", "image_residual"].item()
        0.98
    """
    with (files("aesc.records") / "paper.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)


def paper_records(records: list[Record]) -> list[Record]:
    """The records whose category and method both have numbers in the paper.

    Categories match by name. The embedded data set shares some names with MVTec AD, but not a
    single image: its records never match.
    """
    return [
        record
        for record in _of_the_paper(records)
        if _published(record.method.model, record.method.corruption) and not record.method.tile
    ]


def comparison_table(records: list[Record], mixed: bool = False) -> pd.DataFrame:
    """Our results beside the paper's, for the categories of the paper that have any record.

    Args:
        records: in any order; those of other categories or methods have no paper value and are
            left out.
        mixed: as in `results_table`.

    Returns:
        One row per category, method and measure (a column of `paper_table`), in the order of the
        paper. Columns `COMPARISON`: what was run, ``paper`` and ``ours`` (AUROC in [0, 1]),
        ``difference`` (ours - paper), ``seeds`` and ``spread`` (as in `results_table`). A method of
        the paper without a record keeps its rows, with 0 seeds and nothing in ``ours``. No rows
        when no category matches.

    Raises:
        InputError: as `results_table`, about the records compared.
    """
    present = {(r.data.dataset, r.data.category) for r in _of_the_paper(records)}
    compared = paper_records(records)
    runs = _rows(results_table(compared, mixed)) if compared else []
    rows: list[dict[str, Any]] = []
    for dataset in sorted({dataset for dataset, _ in present}):
        for published in _rows(paper_table()):
            if (dataset, published["category"]) in present:
                rows += _compared(dataset, published, runs)
    table = pd.DataFrame(rows, columns=COMPARISON)
    return table.astype({"size": "Int64", "images_seen": "Int64"})


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): v for name, v in row.items()} for row in table.to_dict("records")]


def _of_the_paper(records: list[Record]) -> list[Record]:
    """The records of a category that the paper has, of any method."""
    categories = set(paper_table().category) - {"mean"}
    return [r for r in records if r.data.dataset != EMBEDDED and r.data.category in categories]


def _published(model: str, corruption: str) -> dict[str, str]:
    """The entry of `PUBLISHED` for a method; empty when the paper has no number of it."""
    own_model, own_corruption = OWN_METHOD
    if model == own_model and corruption != own_corruption:
        return {}
    return PUBLISHED.get(model, {})


def _compared(
    dataset: str, published: dict[str, Any], runs: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The rows of one category: every method of the paper, with our runs of it or without."""
    own_model, own_corruption = OWN_METHOD
    place = {"dataset": dataset, "category": published["category"]}
    rows: list[dict[str, Any]] = []
    for model, measures in PUBLISHED.items():
        wanted = {**place, "model": model}
        ours = [run for run in runs if all(run[name] == wanted[name] for name in wanted)]
        missing = {**wanted, "corruption": own_corruption if model == own_model else None}
        for run in ours or [{**missing, "seeds": 0}]:
            rows += [
                _measured(run, measure, published[measure], metric)
                for measure, metric in measures.items()
            ]
    return rows


def _measured(run: dict[str, Any], measure: str, paper: float, metric: str) -> dict[str, Any]:
    ours = run.get(metric, math.nan)
    result = {
        "measure": measure,
        "paper": paper,
        "ours": ours,
        "difference": ours - paper,
        "spread": run.get(f"{metric}_spread", math.nan),
    }
    return {name: result.get(name, run.get(name)) for name in COMPARISON}
