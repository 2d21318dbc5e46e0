"""Many runs: planned, executed with papermill on all cores or a cluster, and put into tables."""

from aesc.sweep.cluster import connect, from_specification
from aesc.sweep.notebook import execute, run_notebook
from aesc.sweep.plan import plan
from aesc.sweep.render import FORMATS, render
from aesc.sweep.run import Outcome, sweep
from aesc.sweep.schedule import Schedule, simulate
from aesc.sweep.store import Store
from aesc.sweep.table import (
    METRICS,
    comparison_table,
    environment_notes,
    full_length,
    paper_table,
    results_table,
)

__all__ = [
    "FORMATS",
    "METRICS",
    "Outcome",
    "Schedule",
    "Store",
    "comparison_table",
    "connect",
    "environment_notes",
    "execute",
    "from_specification",
    "full_length",
    "paper_table",
    "plan",
    "render",
    "results_table",
    "run_notebook",
    "simulate",
    "sweep",
]
