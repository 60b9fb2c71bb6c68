"""The reference implementation: the same network in plain loops over lists, to be read first and tested against.

Names and contract are those of pipeline.nn: `forward(x, ctx)` gives the output and `backward(dy) -> dx`,
which writes the gradients of the layer's parameters; a loss gives its value and gradient; an optimiser
changes a flat list of parameters. A batch is a list of rows, a row a list of numbers, or for pictures a list
of lists. Nothing here checks its arguments: that is what the fast one does.

    layers.py        nested lists; Dense, Flatten, the activations, Dropout
    convolution.py   Conv2D, MaxPool2D, AveragePool2D
    deslant.py       Deslant
    normalization.py BatchNorm
    losses.py        SoftmaxCrossEntropy, MSE, BinaryCrossEntropy
    optimizers.py    SGD, RMSProp, Adam, AdamW
    network.py       Network, and fit, the training loop
"""

from pipeline.nn.reference import convolution, deslant, layers, normalization
from pipeline.nn.reference.losses import LOSSES
from pipeline.nn.reference.network import Network, fit
from pipeline.nn.reference.optimizers import OPTIMIZERS

_LAYERS = (
    layers.Flatten, layers.Dense, layers.Linear, layers.Sigmoid, layers.ReLU, layers.LeakyReLU, layers.Tanh,
    layers.GELU, layers.Softplus, layers.Dropout, deslant.Deslant, normalization.BatchNorm, convolution.Conv2D,
    convolution.MaxPool2D, convolution.AveragePool2D,
)  # fmt: skip
LAYERS = {layer.__name__: layer for layer in _LAYERS}

__all__ = ["LAYERS", "LOSSES", "OPTIMIZERS", "Network", "fit"]
