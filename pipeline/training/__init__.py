"""Training: the loop, what it looks back at, and its sources of randomness."""

from pipeline.training.history import BestWeights, Epoch, Patience
from pipeline.training.loop import Augment, Streams, check_weights, class_hits, evaluate, fit

__all__ = ["Augment", "BestWeights", "Epoch", "Patience", "Streams", "check_weights", "class_hits", "evaluate", "fit"]
