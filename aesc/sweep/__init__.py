"""Many runs: planned, executed with papermill on all cores or a cluster, and put into tables."""

from aesc.sweep.cluster import connect, from_specification
from aesc.sweep.notebook import execute, find_notebook, run_notebook
from aesc.sweep.plan import plan
from aesc.sweep.run import Outcome, sweep
from aesc.sweep.store import Store
from aesc.sweep.table import METRICS, paper_table, results_table

__all__ = [
    "METRICS",
    "Outcome",
    "Store",
    "connect",
    "execute",
    "find_notebook",
    "from_specification",
    "paper_table",
    "plan",
    "results_table",
    "run_notebook",
    "sweep",
]
