"""An ensemble's forward and backward pass: networks of one shape go through each layer in one matrix product."""

from collections.abc import Callable, Sequence

import numpy as np

from pipeline.nn.layers import ACTIVATIONS, Dense, Flatten
from pipeline.nn.network import Network
from pipeline.nn.workspace import Pass

Backward = Callable[[np.ndarray], np.ndarray]


class Ensemble:
    """k networks that take the same pictures and know the same classes.

    Dense networks of equal layers have their weights stacked, (k, inputs, units), so that a picture costs one call a
    layer however many networks there are; all others are asked one after the other.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self.networks = tuple(networks)
        first = self.networks[0]
        layers = [[layer.spec() for layer in network.layers] for network in self.networks]
        plain = all(isinstance(layer, (Flatten, Dense, *ACTIVATIONS)) for layer in first.layers)
        self._stacked: list[dict[str, np.ndarray]] | None = None
        if plain and all(spec == layers[0] for spec in layers) and len({n.dtype for n in self.networks}) == 1:
            self._stacked = [
                {name: np.stack([n.layers[place].params[name] for n in self.networks]) for name in layer.params}
                for place, layer in enumerate(first.layers)
            ]

    def forward(self, images: np.ndarray) -> tuple[np.ndarray, Backward]:
        """Logits (k, n, classes) of images (n, side, side), uint8 0…255 or floats 0…1, and the backward function.

        backward(∂/∂logits) (k, n, classes) gives ∂/∂pixels (k, n, side, side); weights get no gradient.
        """
        if self._stacked is None:
            return self._one_by_one(images)
        first, ctx = self.networks[0], Pass()
        x = first.to_numbers(images, ctx)
        shape, backwards = x.shape, []
        x = np.broadcast_to(x.reshape(len(x), -1), (len(self.networks), len(x), x[0].size))
        for layer, params in zip(first.layers, self._stacked, strict=True):
            if isinstance(layer, Dense):
                weight = params["weight"]
                x = np.matmul(x, weight)
                if layer.bias:
                    x += params["bias"][:, None]
                backwards.append(lambda d, weight=weight: np.matmul(d, weight.transpose(0, 2, 1)))
            elif not isinstance(layer, Flatten):
                x, backward = layer.forward(x, ctx)
                backwards.append(backward)

        def backward_all(d: np.ndarray) -> np.ndarray:
            for backward in reversed(backwards):
                d = backward(d)
            return d.reshape(len(self.networks), *shape)

        return x, backward_all

    def _one_by_one(self, images: np.ndarray) -> tuple[np.ndarray, Backward]:
        passes = []
        for network in self.networks:
            ctx = Pass(wants_input_gradient=True)
            passes.append(network.forward(network.to_numbers(images, ctx), ctx))

        def backward_all(d: np.ndarray) -> np.ndarray:
            each = [backward(part) for (_, backward), part in zip(passes, d, strict=True)]
            return np.stack([gradient.reshape(images.shape) for gradient in each])

        return np.stack([logits for logits, _ in passes]), backward_all


def saliency(logits: np.ndarray, backward: Backward, image: np.ndarray, first: int, second: int) -> np.ndarray:
    """How much each pixel's ink spoke for class `first` against `second`: (side, side), from −1 to 1.

    logits (k, 1, classes) and backward: of Ensemble.forward for the picture `image` (side, side), uint8 or floats.
    Gradient × input (Shrikumar et al. 2016) of the difference of the two logits, over its largest size, the mean over
    the networks: without biases the parts of a ReLU network add up to that difference. Paper, which is 0, has no say.
    """
    d = np.zeros_like(logits)
    d[..., first], d[..., second] = 1, -1
    parts = backward(d)[:, 0] * image
    largest = np.abs(parts).max(axis=(1, 2), keepdims=True)
    return np.divide(parts, largest, out=np.zeros_like(parts), where=largest > 0).mean(axis=0)
