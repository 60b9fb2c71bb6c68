"""Layers: one file for each kind, base.py says what they have in common."""

from pipeline.nn.layers.activations import GELU, LeakyReLU, Linear, ReLU, Sigmoid, Softplus, Tanh
from pipeline.nn.layers.base import Backward, Layer, Shape
from pipeline.nn.layers.conv import Conv2D
from pipeline.nn.layers.dense import Dense, Flatten
from pipeline.nn.layers.deslant import Deslant
from pipeline.nn.layers.dropout import Dropout
from pipeline.nn.layers.normalization import BatchNorm
from pipeline.nn.layers.pooling import AveragePool2D, MaxPool2D

ACTIVATIONS = (Linear, Sigmoid, ReLU, LeakyReLU, Tanh, GELU, Softplus)
PICTURES = (Deslant, Conv2D, MaxPool2D, AveragePool2D)
LAYERS = {layer.__name__: layer for layer in (Flatten, Dense, *PICTURES, BatchNorm, *ACTIVATIONS, Dropout)}

__all__ = [
    "ACTIVATIONS", "GELU", "LAYERS", "AveragePool2D", "Backward", "BatchNorm", "Conv2D", "Dense", "Deslant", "Dropout",
    "Flatten", "Layer", "LeakyReLU", "Linear", "MaxPool2D", "ReLU", "Shape", "Sigmoid", "Softplus", "Tanh",
]  # fmt: skip
