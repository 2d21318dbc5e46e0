"""Many runs: planned, and executed with papermill on all cores or a cluster."""

from aesc.sweep.cluster import connect, from_specification
from aesc.sweep.notebook import execute, run_notebook
from aesc.sweep.planning import check_categories, plan
from aesc.sweep.running import Outcome, sweep
from aesc.sweep.simulation import Schedule, simulate

__all__ = [
    "Outcome",
    "Schedule",
    "check_categories",
    "connect",
    "execute",
    "from_specification",
    "plan",
    "run_notebook",
    "simulate",
    "sweep",
]
