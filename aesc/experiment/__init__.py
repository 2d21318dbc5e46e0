"""One category from data to record."""

from aesc.experiment.config import EMBEDDED, PRESETS, Preset, RunConfig
from aesc.experiment.evaluate import evaluate
from aesc.experiment.methods import METHODS, Method
from aesc.experiment.record import Record
from aesc.experiment.run import Experiment, environment, page_card

__all__ = [
    "EMBEDDED",
    "METHODS",
    "PRESETS",
    "Experiment",
    "Method",
    "Preset",
    "Record",
    "RunConfig",
    "environment",
    "evaluate",
    "page_card",
]
