"""One category from data to record."""

from aesc.experiment.config import PRESETS, Preset, RunConfig, full_length
from aesc.experiment.evaluation import evaluate
from aesc.experiment.losses import LOSSES, Loss, without_mask
from aesc.experiment.method import Method, ScoringOptions
from aesc.experiment.methods import METHODS
from aesc.experiment.parameters import notebook_config
from aesc.experiment.run import Experiment
from aesc.experiment.trainers import method_trainer
from aesc.records import EMBEDDED

__all__ = [
    "EMBEDDED",
    "LOSSES",
    "METHODS",
    "PRESETS",
    "Experiment",
    "Loss",
    "Method",
    "Preset",
    "RunConfig",
    "ScoringOptions",
    "evaluate",
    "full_length",
    "method_trainer",
    "notebook_config",
    "without_mask",
]
