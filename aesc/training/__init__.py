"""Training a network to undo a corruption of good images."""

from aesc.training.checkpoint import Checkpoint, DamagedFileError, load_tensors, save_tensors
from aesc.training.loop import Trainer
from aesc.training.settings import DECAYS, Augment, History, InTurn, TrainingSettings

__all__ = [
    "DECAYS",
    "Augment",
    "Checkpoint",
    "DamagedFileError",
    "History",
    "InTurn",
    "Trainer",
    "TrainingSettings",
    "load_tensors",
    "save_tensors",
]
