"""Layers: one file for each kind, base.py says what they have in common."""

from pipeline.nn.layers.activations import ReLU
from pipeline.nn.layers.base import Backward, Layer, Shape
from pipeline.nn.layers.dense import Dense, Flatten

LAYERS = {layer.__name__: layer for layer in (Flatten, Dense, ReLU)}

__all__ = ["LAYERS", "Backward", "Dense", "Flatten", "Layer", "ReLU", "Shape"]
