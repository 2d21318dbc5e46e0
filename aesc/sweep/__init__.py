"""The category notebook run by papermill, and tables from the records of many runs."""

from aesc.sweep.notebook import execute, find_notebook, finished_record, run_notebook
from aesc.sweep.table import METRICS, paper_table, results_table

__all__ = [
    "METRICS",
    "execute",
    "find_notebook",
    "finished_record",
    "paper_table",
    "results_table",
    "run_notebook",
]
