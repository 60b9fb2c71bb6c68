"""The network and its training in plain loops."""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pipeline.nn.reference.layers import Layer, Nested, Shape, each, flat, shaped, zeros
from pipeline.nn.workspace import Pass


class Network:
    """Layers in a row; their parameters and states are zeros until `values` is set."""

    def __init__(self, layers: Sequence[Layer], input_shape: Shape) -> None:
        self.layers = list(layers)
        self.input_shapes: list[Shape] = []  # of each layer
        shape, first = input_shape, True
        for layer in self.layers:
            self.input_shapes.append(shape)
            layer.grads = {name: zeros(s) for name, s in layer.param_shapes(shape).items()}
            layer.is_first, first = first and bool(layer.grads), first and not layer.grads
            shape = layer.output_shape(shape)
        self.values = itertools.repeat(0.0)

    @property
    def params(self) -> list[float]:
        """All parameters as one flat list, in the order of the layers: a copy; set it to change them."""
        return flat([list(layer.params.values()) for layer in self.layers])

    @params.setter
    def params(self, values: Iterable[float]) -> None:
        numbers = iter(values)
        for layer, shape in zip(self.layers, self.input_shapes, strict=True):
            layer.params = {name: shaped(numbers, s) for name, s in layer.param_shapes(shape).items()}

    @property
    def grads(self) -> list[float]:
        """All gradients as one flat list, in the order of `params`: a copy."""
        return flat([list(layer.grads.values()) for layer in self.layers])

    @property
    def values(self) -> list[float]:
        """`params`, and behind them the layers' states: a copy; set it to change them."""
        return self.params + flat([list(layer.state.values()) for layer in self.layers])

    @values.setter
    def values(self, values: Iterable[float]) -> None:
        self.params = numbers = iter(values)
        for layer, shape in zip(self.layers, self.input_shapes, strict=True):
            layer.state = {name: shaped(numbers, s) for name, s in layer.state_shapes(shape).items()}

    def to_numbers(self, pixels: Nested) -> Nested:
        """Pixels 0…255 as numbers 0…1."""
        return each(lambda pixel: pixel * (1 / 255), pixels)

    def forward(self, x: Nested, ctx: Pass) -> tuple[Nested, Callable[[Nested], Nested]]:
        """Outputs for a batch x of numbers, and the backward function, which fills the layers' `grads`."""
        backwards = []
        for layer in self.layers:
            x, backward = layer.forward(x, ctx)
            backwards.append(backward)

        def backward_all(d: Nested) -> Nested:
            for backward in reversed(backwards):
                d = backward(d)
                if d is None:
                    break
            return d

        return x, backward_all


def fit(network: Network, rows: Nested, labels: Sequence[int], plan: Any, *, streams: Any) -> list[float]:
    """Train the network on rows of pixels and give the mean loss of each epoch.

    plan: loss, optimizer, schedule, epochs and batch_size of pipeline.training's TrainingPlan, loss and optimizer
    from this package. streams: `order` shuffles the rows and `augment` draws for dropout, as in pipeline.training.
    """
    batch_size = min(plan.batch_size, len(rows))
    batches = math.ceil(len(rows) / batch_size)
    ctx = Pass(train=True, rng=streams.augment)
    losses, step = [], 0
    for _ in range(plan.epochs):
        order = streams.order.permutation(len(rows)).tolist()
        total = 0.0
        for start in range(0, len(rows), batch_size):
            chosen = order[start : start + batch_size]
            x = network.to_numbers([rows[n] for n in chosen])
            outputs, backward = network.forward(x, ctx)
            value, gradient = plan.loss(outputs, [labels[n] for n in chosen], ctx)
            backward(gradient)
            params = network.params
            plan.optimizer.step(params, network.grads, plan.schedule(step, plan.epochs * batches))
            network.params = params
            total += value * len(chosen)
            step += 1
        losses.append(total / len(rows))
    return losses
