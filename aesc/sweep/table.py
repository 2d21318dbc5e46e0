"""Tables from records. Runs are averaged over seeds only; every other difference is another row.

What would make an average meaningless (other images, another method, another version of the
package) is refused. Where a run was computed changes little, so it only leads to a note.
"""

from __future__ import annotations

import math
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from aesc.errors import InputError
from aesc.experiment import PRESETS, Record
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
PUBLISHED: dict[str, dict[str, str]] = {
    "aesc": {name: name for name in METRICS[:4]},
    "itae": {"image_itae": "image_residual"},
    "ae_l2": {"pixel_ae_l2": "pixel_residual"},
}
"""By model: the columns of the paper's table that are its numbers, and our metric for each."""

OWN_CORRUPTION = "stain"
"""The paper's table is of AESc with this corruption; its rivals have no such choice."""

Rows = dict[tuple, list[Record]]


def results_table(records: list[Record], mixed: bool = False) -> pd.DataFrame:
    """One row per category and method: AUROC and AUPRO averaged over seeds.

    A record that is there twice (in two folders, say) counts once.

    Args:
        records: in any order.
        mixed: average records of a row even when they do not belong together.

    Returns:
        Columns `KEY` (what was run), ``seeds`` (how many), `METRICS` (means in [0, 1]; image AUROC
        with the method's own norm; NaN where a record lacks it), for each metric
        ``<metric>_spread`` (sample standard deviation over the averaged runs, NaN for a single
        one) and ``minutes`` (mean duration). The embedded categories come first and in their own
        order; otherwise rows are sorted by `KEY`.

    Raises:
        InputError: no records; one without image scores of its own norm; or, unless ``mixed``,
            records of a row that differ in data, method or version of the package, or that give
            the same seed different metrics.
    """
    if not records:
        raise InputError("There are no records to make a table of: run `aesc run` first.")
    rows = _rows(records)
    if not mixed:
        for row in rows.values():
            _check_agreement(row)
    return pd.DataFrame([_summary(key, row) for key, row in rows.items()])


def environment_notes(records: list[Record]) -> list[str]:
    """One sentence per row of `results_table` whose runs were not all computed alike.

    Device, platform and versions may change a number in its last digits: no reason to
    refuse the average, but one to say so beside it.
    """
    rows = _rows(records)
    notes = [(key, _differing_environment(row)) for key, row in rows.items()]
    return [f"{_label(key, rows)}: seeds ran {text}." for key, text in notes if text]


def paper_table() -> pd.DataFrame:
    """The paper's AUROC on MVTec AD, one row per category, and means per group.

    Source: Collin & De Vleeschouwer (ICPR 2020), tables of image-wise and pixel-wise results of
    AESc with stain corruption, of ITAE (Huang et al. 2019) and of AE_L2 (Bergmann et al. 2019).
    """
    with (files("aesc.sweep") / "paper.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)


def paper_records(records: list[Record]) -> list[Record]:
    """The records whose category and method both have numbers in the paper.

    Categories match by name. The embedded data set shares some names with MVTec AD, but not a
    single image: its records never match.
    """
    return [r for r in _of_the_paper(records) if _published(r.method.model, r.method.corruption)]


def full_length(records: list[Record]) -> list[Record]:
    """The records whose training had at least the epochs of its preset; none was cut short."""
    return [r for r in records if r.method.epochs >= PRESETS[r.method.preset].training.epochs]


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
    runs = results_table(compared, mixed).to_dict("records") if compared else []
    rows: list[dict[str, Any]] = []
    for dataset in sorted({dataset for dataset, _ in present}):
        for published in paper_table().to_dict("records"):
            if (dataset, published["category"]) in present:
                rows += _compared(dataset, published, runs)
    table = pd.DataFrame(rows, columns=COMPARISON)
    return table.astype({"size": "Int64", "images_seen": "Int64"})


def _key(record: Record) -> tuple:
    """The values of `KEY`."""
    known = {
        "dataset": record.data.dataset,
        "category": record.data.category,
        "images_seen": record.training.images_seen,
    }
    return tuple(known[name] if name in known else getattr(record.method, name) for name in KEY)


def _rows(records: list[Record]) -> Rows:
    """Records by `KEY`, in the order of the table; in a row by seed, and repetitions once."""
    distinct: dict[str, Record] = {}
    for record in records:
        distinct.setdefault(_identity(record), record)
    rows: Rows = {}
    for record in sorted(distinct.values(), key=lambda r: r.method.seed):
        rows.setdefault(_key(record), []).append(record)
    return {key: rows[key] for key in sorted(rows, key=_position)}


def _identity(record: Record) -> str:
    """Equal for records of which one is a copy of the other, or the same run done again."""
    return record.model_dump_json(
        include={
            "data": True,
            "method": True,
            "training": {"images_seen"},
            "environment": {"aesc"},
            "metrics": True,
        }
    )


def _position(key: tuple) -> tuple:
    dataset, category = key[:2]
    order = list(CATEGORIES)
    known = dataset == "embedded" and category in order
    return order.index(category) if known else len(order), key


def _check_agreement(row: list[Record]) -> None:
    """Raise InputError for the first two records, sorted by seed, that cannot be averaged."""
    for one, other in pairwise(row):
        same_seed = one.method.seed == other.method.seed
        difference = _difference(_setup(one), _setup(other))
        if difference is None and same_seed:
            difference = _difference(_metrics(one), _metrics(other))
        if difference is not None:
            raise InputError(_refusal(one, other, *difference))


def _setup(record: Record) -> dict[str, object]:
    """What has to agree between seeds, by dotted name."""
    setup = _flat(
        record.model_dump(include={"data": True, "method": True, "environment": {"aesc"}})
    )
    del setup["method.seed"]
    return setup


def _metrics(record: Record) -> dict[str, object]:
    return _flat(record.model_dump(include={"metrics"}))


def _flat(value: object, name: str = "") -> dict[str, object]:
    """The leaves of nested dictionaries, by dotted name."""
    if not isinstance(value, dict):
        return {name: value}
    leaves: dict[str, object] = {}
    for key, inner in value.items():
        leaves |= _flat(inner, f"{name}.{key}" if name else str(key))
    return leaves


def _difference(
    one: dict[str, object], other: dict[str, object]
) -> tuple[str, object, object] | None:
    """The first name under which two dictionaries hold different values, and the values."""
    for name in one | other:
        if one.get(name) != other.get(name):
            return name, one.get(name), other.get(name)
    return None


def _refusal(one: Record, other: Record, field: str, value: object, unlike: object) -> str:
    names = f"Records {one.name} and {other.name}"
    if one.name == other.name:
        names = f"Two records named {one.name}"
    if field.startswith("metrics."):
        names += f" ran the same seed {one.method.seed} but"
    return (
        f"{names} differ in {field} ({value} and {unlike}): keep them in separate folders, or pass "
        "--mixed to average them anyway."
    )


def _summary(key: tuple, row: list[Record]) -> dict[str, object]:
    """One row of the table, from the records that it averages."""
    values = pd.DataFrame([_values(record) for record in row], columns=METRICS, dtype=float)
    numbers = {name: values[name].to_numpy() for name in METRICS}
    durations = [r.duration.data + r.duration.training + r.duration.scoring for r in row]
    return {
        **dict(zip(KEY, key, strict=True)),
        "seeds": len({record.method.seed for record in row}),
        **{name: numbers[name].mean() for name in METRICS},
        **{f"{name}_spread": _spread(numbers[name]) for name in METRICS},
        "minutes": float(np.mean(durations)) / 60,
    }


def _values(record: Record) -> dict[str, float | None]:
    """The metrics that a record has, by the names of `METRICS`."""
    values: dict[str, float | None] = {}
    for kind, metrics in record.metrics.items():
        norm = record.method.norm
        if norm not in metrics.image:
            raise InputError(
                f"Record {record.name} has no image scores of its norm {norm!r} in "
                f"metrics.{kind}: delete it and run again."
            )
        values[f"image_{kind}"] = metrics.image[norm].auroc
        values[f"pixel_{kind}"] = metrics.pixel.auroc if metrics.pixel else None
        values[f"aupro_{kind}"] = metrics.pixel.aupro if metrics.pixel else None
    return values


def _spread(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan


def _differing_environment(row: list[Record]) -> str:
    """What the runs of a row did not have in common, in words; empty when they agree."""
    environments = [record.environment.model_dump() for record in row]
    phrases = []
    for name in environments[0]:
        found = dict.fromkeys(environment[name] for environment in environments)
        if len(found) > 1:
            phrases.append(" and ".join(_where(name, value) for value in found))
    return ", ".join(phrases)


def _where(name: str, value: object) -> str:
    if name in ("device", "platform"):
        return f"on {value}"
    return f"with {name} {value}"


def _label(key: tuple, rows: Rows) -> str:
    """Category and method, and what tells the row from others of the same category and method."""
    category, model, corruption = key[1:4]
    namesakes = [other for other in rows if other[1:4] == key[1:4]]
    telling = [
        f"{name} {value}"
        for name, value, values in zip(KEY, key, zip(*namesakes, strict=True), strict=True)
        if len(set(values)) > 1
    ]
    return ", ".join([category, f"{model} + {corruption}", *telling])


def _of_the_paper(records: list[Record]) -> list[Record]:
    """The records of a category that the paper has, of any method."""
    categories = set(paper_table().category) - {"mean"}
    return [r for r in records if r.data.dataset != "embedded" and r.data.category in categories]


def _published(model: str, corruption: str) -> dict[str, str]:
    """The entry of `PUBLISHED` for a method; empty when the paper has no number of it."""
    if model == "aesc" and corruption != OWN_CORRUPTION:
        return {}
    return PUBLISHED.get(model, {})


def _compared(
    dataset: str, published: dict[str, Any], runs: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The rows of one category: every method of the paper, with our runs of it or without."""
    place = {"dataset": dataset, "category": published["category"]}
    rows: list[dict[str, Any]] = []
    for model, measures in PUBLISHED.items():
        wanted = {**place, "model": model}
        ours = [run for run in runs if all(run[name] == wanted[name] for name in wanted)]
        missing = {**wanted, "corruption": OWN_CORRUPTION if model == "aesc" else None, "seeds": 0}
        for run in ours or [missing]:
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
