"""Which pixels spoke for an answer."""

from __future__ import annotations

import numpy as np

from pipeline.nn.network import Network
from pipeline.nn.workspace import Pass


def saliency(network: Network, image: np.ndarray, first: int, second: int) -> np.ndarray:
    """How much each pixel's ink spoke for class `first` against `second`: (side, side), from −1 to 1.

    image: (side, side), uint8 0…255 or floats 0…1. Gradient × input (Shrikumar et al. 2016) of the difference of
    the two logits, over its largest size: without biases the parts of a ReLU network add up to that difference.
    Paper, which is 0, has no say.
    """
    ctx = Pass(wants_input_gradient=True)
    x = network.to_numbers(image[None], ctx).copy()
    out, backward = network.forward(x, ctx)
    d = np.zeros_like(out)
    d[0, first], d[0, second] = 1, -1
    parts = (backward(d).reshape(x.shape) * x)[0]
    largest = np.abs(parts).max()
    return parts / largest if largest > 0 else parts
