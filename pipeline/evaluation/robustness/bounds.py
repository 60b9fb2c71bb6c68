"""Proofs that no change of at most ε a pixel moves an answer: interval bounds and CROWN for ReLU networks.

Intervals: Gowal et al., On the Effectiveness of Interval Bound Propagation (2018). CROWN: Zhang et al., Efficient
Neural Network Robustness Certification with General Activation Functions (2018, §3): each ReLU is held between two
lines, and a bound is carried back through the network to its pixels. Both are sound: what they prove is so; what
they do not prove may be so too. In exact arithmetic of the weights; MARGIN is left for the rounding of float32.
"""

import copy
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from pipeline.errors import UsageError, number, one_of
from pipeline.evaluation.robustness.attacks import check_rows
from pipeline.nn.layers import BatchNorm, Conv2D, Dense, Flatten, Layer, ReLU
from pipeline.nn.network import Network

METHODS = ("ibp", "crown")
AFFINE = (Flatten, Dense, Conv2D, BatchNorm)
MARGIN = 1e-4  # of logits
LARGEST = 40_000_000  # numbers in one matrix: a convolution is written out as one
TIGHTENED = 1024  # units of a layer up to which CROWN bounds each of them; above, intervals do (CROWN-IBP)
ROWS = 32  # pictures at once


class _Affine(NamedTuple):
    """y = x·weight + bias; weight (inputs, outputs) and bias (outputs,) float64."""

    weight: ndarray
    bias: ndarray


Box = tuple[ndarray, ndarray]


def proven(network: Network, images: ndarray, labels: ndarray, epsilon: float, *, method: str = "crown") -> ndarray:
    """(n,) bool: rows that are read rightly, provably, under every change of at most ε a pixel within [0, 1].

    images (n, side, side) uint8 or floats in [0, 1]; labels (n,) class indices; method: "crown", or "ibp", which is
    faster and proves less. Raises UsageError for networks of other layers than Flatten, Dense, Conv2D, BatchNorm and
    ReLU, for convolutions too large to be written out, and for values out of range.
    """
    return margins(network, images, labels, epsilon, method=method) > MARGIN


def margins(network: Network, images: ndarray, labels: ndarray, epsilon: float, *, method: str = "crown") -> ndarray:
    """(n,) float64: how far, at the least, the label's logit is above all others in the ε ball. Raises as `proven`."""
    one_of("method of proof", method, METHODS)
    number("ε", epsilon, at_least=0)
    pictures = check_rows(network, images, labels).reshape(len(images), -1).astype(np.float64)
    chain = _chain(network)
    classes = chain[-1].bias.size
    found = np.empty(len(pictures))
    for start in range(0, len(pictures), ROWS):
        part, right = pictures[start : start + ROWS], labels[start : start + ROWS]
        box = np.maximum(part - epsilon, 0), np.minimum(part + epsilon, 1)
        before = _hidden_bounds(chain, box, tighten=method == "crown")
        # z_y − z_k for every other class k, as rows over the last layer's outputs.
        aims = np.zeros((len(part), classes, classes))
        aims -= np.eye(classes)
        aims[np.arange(len(part)), :, right] += 1
        if method == "crown":
            low = _lower(chain, before, box, aims)
        else:
            inside = tuple(np.maximum(end, 0) for end in before[-1]) if before else box
            low = aims @ chain[-1].bias + _least(aims @ chain[-1].weight.T, inside)
        low[np.arange(len(part)), right] = np.inf
        found[start : start + ROWS] = low.min(axis=1)
    return found


def _hidden_bounds(chain: list[_Affine], box: Box, *, tighten: bool) -> list[Box]:
    """Bounds (n, units) of what goes into each ReLU."""
    before: list[Box] = []
    for place, step in enumerate(chain[:-1]):
        inside = box if place == 0 else tuple(np.maximum(end, 0) for end in before[-1])
        middle = (inside[0] + inside[1]) / 2 @ step.weight + step.bias
        reach = (inside[1] - inside[0]) / 2 @ np.abs(step.weight)
        low, high = middle - reach, middle + reach
        if tighten and place and step.bias.size <= TIGHTENED:
            aims = np.broadcast_to(np.eye(step.bias.size), (len(low), step.bias.size, step.bias.size))
            low = np.maximum(low, _lower(chain[: place + 1], before, box, aims))
            high = np.minimum(high, -_lower(chain[: place + 1], before, box, -aims))
        before.append((low, high))
    return before


def _least(weight: ndarray, box: Box) -> ndarray:
    """The smallest of weight (n, aims, units) · x over x in the box: (n, aims)."""
    return (np.maximum(weight, 0) @ box[0][:, :, None] + np.minimum(weight, 0) @ box[1][:, :, None])[:, :, 0]


def _lower(chain: list[_Affine], before: list[Box], box: Box, aims: ndarray) -> ndarray:
    """Lower bounds (n, aims) of aims (n, aims, outputs) · (the chain's output), carried back to the pixels."""
    weight, constant = aims, np.zeros(aims.shape[:2])
    for place in range(len(chain) - 1, -1, -1):
        constant = constant + weight @ chain[place].bias
        weight = weight @ chain[place].weight.T
        if place:
            low, high = before[place - 1]
            open_ = (low < 0) & (high > 0)
            width = np.where(open_, high - low, 1)
            upper = np.where(open_, high / width, low >= 0)
            lift = np.where(open_, -high * low / width, 0)  # the upper line's value at 0
            lower = np.where(open_, high > -low, low >= 0)  # through 0, with the slope that leaves the smaller area
            negative = np.minimum(weight, 0)
            constant = constant + (negative @ lift[:, :, None])[:, :, 0]
            weight = np.maximum(weight, 0) * lower[:, None] + negative * upper[:, None]
    return constant + _least(weight, box)


def _chain(network: Network) -> list[_Affine]:
    """The network as affine maps with a ReLU between each two. Raises UsageError where it is none."""
    chain, layers, shape = [], [], network.input_shape
    for layer in [*network.layers, ReLU()]:
        if isinstance(layer, ReLU):
            step, shape = _written_out(layers, shape)
            chain.append(step)
            layers = []
        elif isinstance(layer, AFFINE):
            layers.append(layer)
        else:
            raise UsageError(f"A proof takes Flatten, Dense, Conv2D, BatchNorm and ReLU, found {layer.describe()}.")
    return chain


def _written_out(layers: list[Layer], shape: tuple[int, ...]) -> tuple[_Affine, tuple[int, ...]]:
    """The affine map of these layers, found by sending every unit vector through them; and its output's shape."""
    inputs = int(np.prod(shape))
    part = Network([copy.copy(layer) for layer in layers], shape, dtype="float64")
    outputs = int(np.prod(part.output_shape))
    if inputs * outputs > LARGEST:
        raise UsageError(f"A proof writes a layer out as {inputs:,} × {outputs:,} numbers, at most {LARGEST:,}.")
    for made, layer in zip(part.layers, layers, strict=True):
        for name, values in {**layer.params, **layer.state}.items():
            {**made.params, **made.state}[name][...] = values
    bias = part.logits(np.zeros((1, *shape))).reshape(-1)
    weight = part.logits(np.eye(inputs).reshape(-1, *shape)).reshape(inputs, -1) - bias
    return _Affine(weight, bias), part.output_shape
