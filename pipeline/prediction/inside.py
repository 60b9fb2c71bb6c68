"""Inside a network: which hidden units spoke for an answer, what its filters made of a picture, what it finds alike."""

from dataclasses import dataclass

import numpy as np

from pipeline.nn.layers import ACTIVATIONS, Conv2D, Dense
from pipeline.nn.layers.blocks import from_blocks
from pipeline.nn.network import PREDICT_ROWS, Network
from pipeline.nn.workspace import Pass

MOST_MAPS = 16  # of a layer: those with the largest mean


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A hidden unit's part in a logit.

    activation · weight = contribution. ink (side, side): the unit's gradient × the drawing × weight; in a network of
    one dense ReLU layer that is its weight picture times the drawing, and ink.sum() + bias = contribution exactly.
    """

    number: int
    activation: float
    weight: float
    ink: np.ndarray

    @property
    def contribution(self) -> float:
        return self.activation * self.weight

    @property
    def bias(self) -> float:
        """What the unit contributes on blank paper."""
        return self.contribution - float(self.ink.sum())


@dataclass(frozen=True, kw_only=True)
class Inside:
    """Why a network gave a class its logit = bias + the contributions of all `hidden` units.

    For and against: the units with the largest and the smallest contributions, the strongest first. rest: what all
    the others contribute. maps: each convolution's name, and its strongest feature maps (m, height, width).
    """

    logit: float
    bias: float
    hidden: int
    spoke_for: tuple[Unit, ...]
    against: tuple[Unit, ...]
    rest: float
    maps: tuple[tuple[str, np.ndarray], ...]


def look_inside(network: Network, image: np.ndarray, label: int, *, most: int = 4) -> Inside:
    """The parts of class `label`'s logit for image (side, side), uint8 0…255 or floats 0…1: up to `most` units a side.

    The network's last layer is dense, so that its hidden units' contributions add up to the logit.
    """
    hidden = hidden_activations(network, image[None])[0]
    last: Dense = network.layers[-1]
    weights = last.params["weight"][:, label]
    bias = float(last.params["bias"][label]) if last.bias else 0.0
    contributions = hidden * weights
    order = np.argsort(-contributions, kind="stable")
    chosen_for = [int(u) for u in order[:most] if contributions[u] > 0]
    chosen_against = [int(u) for u in order[::-1][:most] if contributions[u] < 0]
    chosen = [*chosen_for, *chosen_against]
    inks = _gradients(network, image, chosen) * network.to_numbers(image[None])
    units = [
        Unit(number=u, activation=float(hidden[u]), weight=float(weights[u]), ink=ink * weights[u])
        for u, ink in zip(chosen, inks, strict=True)
    ]
    total = float(contributions.sum(dtype=np.float64))
    return Inside(
        logit=total + bias,
        bias=bias,
        hidden=len(hidden),
        spoke_for=tuple(units[: len(chosen_for)]),
        against=tuple(units[len(chosen_for) :]),
        rest=total - sum(unit.contribution for unit in units),
        maps=_feature_maps(network, image),
    )


class Gallery:
    """Pictures that a network knows, by what its last hidden layer makes of them.

    images (n, side, side) uint8; labels (n,) class indices.
    """

    def __init__(self, network: Network, images: np.ndarray, labels: np.ndarray) -> None:
        self.network, self.images, self.labels = network, images, labels
        self.hidden = hidden_activations(network, images)
        self._squares = np.einsum("nh,nh->n", self.hidden, self.hidden)

    def exciting(self, unit: int, count: int) -> np.ndarray:
        """The places of the pictures that excite hidden unit `unit` most, the strongest first."""
        return np.argsort(-self.hidden[:, unit], kind="stable")[:count]

    def nearest(self, image: np.ndarray, count: int) -> np.ndarray:
        """The places of the pictures nearest to image (side, side) in the hidden layer's Euclidean distance."""
        own = hidden_activations(self.network, image[None])[0]
        return np.argsort(self._squares - 2 * self.hidden @ own, kind="stable")[:count]


def hidden_activations(network: Network, images: np.ndarray) -> np.ndarray:
    """What the last layer is given, (n, hidden), for images (n, side, side)."""
    parts = []
    for start in range(0, len(images), PREDICT_ROWS):
        ctx = Pass()
        parts.append(_hidden(network, network.to_numbers(images[start : start + PREDICT_ROWS], ctx), ctx)[0].copy())
    return np.concatenate(parts)


def _hidden(network: Network, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, list]:
    """Activations (n, hidden) before the last layer, and the backward functions that lead there."""
    backwards = []
    for layer in network.layers[:-1]:
        x, backward = layer.forward(x, ctx)
        backwards.append(backward)
    return x, backwards


def _gradients(network: Network, image: np.ndarray, units: list[int]) -> np.ndarray:
    """∂(hidden unit)/∂(pixels) for each of the units: (len(units), side, side)."""
    if not units:
        return np.zeros((0, *image.shape), np.float32)
    ctx = Pass(wants_input_gradient=True)
    x = network.to_numbers(np.repeat(image[None], len(units), axis=0), ctx)
    hidden, backwards = _hidden(network, x, ctx)
    d = np.zeros_like(hidden)
    d[np.arange(len(units)), units] = 1
    for backward in reversed(backwards):
        d = backward(d)
    return d.reshape(len(units), *image.shape)


def _feature_maps(network: Network, image: np.ndarray) -> tuple[tuple[str, np.ndarray], ...]:
    """After each convolution, and its activation where one follows."""
    ctx, found = Pass(), []
    x = network.to_numbers(image[None], ctx)
    for layer, before in zip(network.layers, [None, *network.layers], strict=False):
        x, _ = layer.forward(x, ctx)
        if isinstance(layer, ACTIVATIONS) and isinstance(before, Conv2D):
            name, _ = found.pop()
        elif isinstance(layer, Conv2D):
            name = layer.describe()
        else:
            continue
        maps = from_blocks(x, layer, ctx)[0]
        strongest = np.sort(np.argsort(-maps.mean(axis=(1, 2)), kind="stable")[:MOST_MAPS])
        found.append((name, maps[strongest].copy()))
    return tuple(found)
