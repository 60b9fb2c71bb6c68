"""Training: the loop, what it looks back at, and its sources of randomness."""

from pipeline.training.history import BestCheckpoint, EarlyStopping, Epoch
from pipeline.training.loop import Augment, Streams, check_weights, class_hits, evaluate, fit

__all__ = [
    "Augment",
    "BestCheckpoint",
    "EarlyStopping",
    "Epoch",
    "Streams",
    "check_weights",
    "class_hits",
    "evaluate",
    "fit",
]
