"""Training: the loop, what it looks back at, and its sources of randomness."""

from pipeline.training.history import BestCheckpoint, EarlyStopping, Epoch
from pipeline.training.loop import check_weights, evaluate, fit
from pipeline.training.plan import Augment, Hooks, Streams, TrainingData, TrainingPlan, class_hits

__all__ = [
    "Augment",
    "BestCheckpoint",
    "EarlyStopping",
    "Epoch",
    "Hooks",
    "Streams",
    "TrainingData",
    "TrainingPlan",
    "check_weights",
    "class_hits",
    "evaluate",
    "fit",
]
