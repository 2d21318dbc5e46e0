"""Records of runs: reading and writing them, where they are kept, and the tables made of them.

Nothing here needs torch, Dask or papermill, so a table of records is there in a second. And reading
a record needs no pandas, which tables are made with: it is imported with the first of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
from aesc.records.store import Store

if TYPE_CHECKING:
    from aesc.records.paper import (
        COMPARISON,
        OWN_METHOD,
        PUBLISHED,
        comparison_table,
        paper_records,
        paper_table,
    )
    from aesc.records.rendering import FORMATS, format_mean, render
    from aesc.records.table import KEY, MEASURES, metric_columns, results_table, table_notes

_TABLES = ("table", "paper", "rendering")

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


def __getattr__(name: str) -> Any:
    """A name of the modules that make tables, which are imported when one is asked for."""
    if name in __all__:
        for module in map(import_module, (f"{__name__}.{each}" for each in _TABLES)):
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """All public names, those of modules that are not imported yet as well."""
    return sorted({*globals(), *__all__})
