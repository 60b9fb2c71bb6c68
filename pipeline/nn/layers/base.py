"""What a layer is. Each states its forward pass and, right below it, the backward pass.

`forward(x, ctx)` takes a batch x (n, *shape) and gives the output y together with a function
`backward(dy) -> dx`, which takes ∂L/∂y, adds nothing but *writes* the gradients of the layer's own
parameters, and gives ∂L/∂x. What backward needs from forward it sees as a closure; the layer itself
stores nothing, so its forward is safe in several threads at once (but for running moments, in training).

Parameters, state and gradients are views into the network's flat arrays (see network.py): an optimiser
then works on one long vector and need not know what a layer is. Between layers that know of height and
width pictures lie in blocks (blocks.py), which those turn them into; Flatten and the network turn them back.
"""

import inspect
from collections.abc import Callable

import numpy as np

from pipeline.nn.workspace import Pass

Backward = Callable[[np.ndarray], np.ndarray | None]
Shape = tuple[int, ...]


class Layer:
    """Base of all layers: one without parameters, whose output has the shape of its input."""

    is_first = False

    def __init__(self) -> None:
        self.params: dict[str, np.ndarray] = {}
        self.grads: dict[str, np.ndarray] = {}
        self.state: dict[str, np.ndarray] = {}

    def __getstate__(self) -> dict[str, object]:
        """A copy is not bound to a network yet, so it has no arrays."""
        return {**self.__dict__, "params": {}, "grads": {}, "state": {}}

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one row's output for the shape of one row's input. Raises UsageError for a misfit."""
        return shape

    def param_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Names and shapes of the parameters for one row's input shape."""
        return {}

    def state_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Names and shapes of what training leaves in the layer without a gradient, such as running moments."""
        return {}

    def initialize(self, rng: np.random.Generator) -> None:
        """Fill `params` and `state` with their first values, where these are not 0."""

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Backward]:
        """y (n, *output_shape) and the function that takes ∂L/∂y to ∂L/∂x."""
        raise NotImplementedError

    def spec(self) -> dict[str, object]:
        """What rebuilds this layer: {"layer": its name, and its constructor's arguments}, which it keeps by name."""
        arguments = {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in arguments.items()}
        return {"layer": type(self).__name__, **plain}

    def describe(self) -> str:
        """The layer in a word, for lists: "Dense 512"."""
        return type(self).__name__
