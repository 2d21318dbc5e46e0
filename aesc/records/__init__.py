"""Records of runs: reading and writing them, where they are kept, and the tables made of them.

Nothing here needs torch, Dask or papermill, so a table of records is there in a second.
"""

from aesc.records.paper import (
    COMPARISON,
    OWN_METHOD,
    PUBLISHED,
    comparison_table,
    paper_records,
    paper_table,
)
from aesc.records.record import (
    EMBEDDED,
    KINDS,
    SCHEMA,
    Data,
    DefectType,
    Detection,
    Duration,
    Localisation,
    MapMetrics,
    MethodRecord,
    Record,
    Training,
    kinds,
)
from aesc.records.rendering import FORMATS, format_mean, render
from aesc.records.store import Store
from aesc.records.table import KEY, MEASURES, metric_columns, results_table, table_notes

__all__ = [
    "COMPARISON",
    "EMBEDDED",
    "FORMATS",
    "KEY",
    "KINDS",
    "MEASURES",
    "OWN_METHOD",
    "PUBLISHED",
    "SCHEMA",
    "Data",
    "DefectType",
    "Detection",
    "Duration",
    "Localisation",
    "MapMetrics",
    "MethodRecord",
    "Record",
    "Store",
    "Training",
    "comparison_table",
    "format_mean",
    "kinds",
    "metric_columns",
    "paper_records",
    "paper_table",
    "render",
    "results_table",
    "table_notes",
]
