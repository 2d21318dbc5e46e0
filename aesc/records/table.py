"""Tables of averages. Runs are averaged over seeds only; every other difference is another row."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from aesc._checks import shortened
from aesc.errors import InputError
from aesc.records.agreement import check_agreement, differing_environment, identity
from aesc.records.record import EMBEDDED, Localisation, Record, kinds
from aesc.synthetic import CATEGORIES

KEY = [
    "dataset",
    "category",
    "model",
    "corruption",
    "preset",
    "size",
    "tile",
    "images_seen",
    "channels",
    "passes",
]
"""Columns that say what was run."""

LONGEST_NOTE = 400
"""Characters of a record's notes that stand under a table at most."""

Rows = dict[tuple, list[Record]]


def _of_pixels(metric: Callable[[Localisation], float | None]) -> Callable[..., float | None]:
    def value(record: Record, kind: str) -> float | None:
        found = record.metrics[kind].pixel
        return None if found is None else metric(found)

    return value


MEASURES: dict[str, Callable[[Record, str], float | None]] = {
    "image": lambda record, kind: record.image_metrics(kind).auroc,
    "pixel": _of_pixels(lambda found: found.auroc),
    "aupro": _of_pixels(lambda found: found.aupro),
}
"""What a table shows of each kind of map: AUROC of images and of pixels, AUPRO."""


def metric_columns(records: list[Record]) -> list[str]:
    """Names of the metrics in a table of these records, ``<measure>_<kind of map>``.

    Measures in the order of `MEASURES`, kinds of map in that of `kinds`.
    """
    return [f"{measure}_{kind}" for measure in MEASURES for kind in kinds(records)]


def results_table(records: list[Record], mixed: bool = False) -> pd.DataFrame:
    """One row per category and method: AUROC and AUPRO averaged over seeds.

    A record that is there twice (in two folders, say) counts once.

    Args:
        records: in any order.
        mixed: average records of a row even when they do not belong together.

    Returns:
        Columns `KEY` (what was run), ``seeds`` (how many), `metric_columns` (means in [0, 1]; image
        AUROC with the method's own norm; NaN where a record lacks it), for each metric
        ``<metric>_spread`` (sample standard deviation over the averaged runs, NaN for a single
        one) and ``minutes`` (mean duration). The embedded categories come first and in their own
        order; otherwise rows are sorted by `KEY`.

    Raises:
        InputError: no records; or, unless ``mixed``, records of a row that differ in data, method
            or version of the package, or that give the same seed different metrics.

    Example:
        >>> from aesc.records import Store
        >>> from aesc.resources import resource
        >>> records = Store(resource("results") / "magnetic_tile").records()
        >>> ours = results_table([r for r in records if r.method.model == "aesc"])
        >>> print(ours[["category", "model", "size", "seeds"]].to_string(index=False))
             category model  size  seeds
        magnetic_tile  aesc   128      3
    """
    if not records:
        raise InputError("There are no records to make a table of: run `aesc run` first.")
    rows = _rows(records)
    if not mixed:
        for row in rows.values():
            check_agreement(row)
    columns = metric_columns(records)
    return pd.DataFrame([_summary(key, row, columns) for key, row in rows.items()])


def table_notes(records: list[Record]) -> list[str]:
    """What to say under a `results_table`: one sentence for each row that it concerns.

    Device, platform and versions may change a number in its last digits, which is no reason to
    refuse the average, but one to say so beside it. Notes of the data follow, each once for a
    category, and none that another holds.
    """
    rows = _rows(records)
    found = [(key, differing_environment(row)) for key, row in rows.items()]
    notes = [f"{_label(key, rows)}: seeds ran {text}." for key, text in found if text]
    of_data = [
        f"{record.data.category}: {shortened(' '.join(record.notes.split()), LONGEST_NOTE)}"
        for row in rows.values()
        for record in row
        if record.notes
    ]
    distinct = list(dict.fromkeys(of_data))
    return notes + [
        note
        for note in distinct
        if not any(other != note and other.startswith(note) for other in distinct)
    ]


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
        distinct.setdefault(identity(record), record)
    rows: Rows = {}
    for record in sorted(distinct.values(), key=lambda r: r.method.seed):
        rows.setdefault(_key(record), []).append(record)
    return {key: rows[key] for key in sorted(rows, key=_position)}


def _position(key: tuple) -> tuple:
    dataset, category = key[:2]
    order = list(CATEGORIES)
    known = dataset == EMBEDDED and category in order
    return order.index(category) if known else len(order), key


def _summary(key: tuple, row: list[Record], columns: list[str]) -> dict[str, object]:
    """One row of the table, from the records that it averages."""
    values = pd.DataFrame([_values(record) for record in row], columns=columns, dtype=float)
    numbers = {name: values[name].to_numpy() for name in columns}
    durations = [r.duration.data + r.duration.training + r.duration.scoring for r in row]
    return {
        **dict(zip(KEY, key, strict=True)),
        "seeds": len({record.method.seed for record in row}),
        **{name: numbers[name].mean() for name in columns},
        **{f"{name}_spread": _spread(numbers[name]) for name in columns},
        "minutes": float(np.mean(durations)) / 60,
    }


def _values(record: Record) -> dict[str, float | None]:
    """The metrics that a record has, by the names of their columns."""
    return {
        f"{measure}_{kind}": value(record, kind)
        for measure, value in MEASURES.items()
        for kind in record.metrics
    }


def _spread(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan


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
