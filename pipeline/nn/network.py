"""A network: layers one after the other over one flat array of parameters and one of gradients."""

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pipeline.errors import UsageError
from pipeline.nn.kernels import Array, Number, kernel
from pipeline.nn.layers import Dense, Layer, Shape
from pipeline.nn.layers.blocks import from_blocks, to_blocks
from pipeline.nn.losses import softmax
from pipeline.nn.workspace import Pass, aligned

# Rows that go through the network at once when predicting: enough for a full-speed matrix product,
# few enough for a convolutional net to need some 200 MB at most.
PREDICT_ROWS = 256


def _gather_arrays(out: Array, pixels: Array, chosen: Array, factor: Number) -> None:
    np.copyto(out, pixels[chosen, : out.shape[1]])
    out *= factor


@kernel(_gather_arrays)
def _gather(out: Array, pixels: Array, chosen: Array, factor: Number) -> None:
    """Row i of out (n, columns) ← factor · row chosen[i] of pixels (rows, at least columns) uint8."""
    for i in range(out.shape[0]):
        row = pixels[chosen[i]]
        for j in range(out.shape[1]):
            out[i, j] = row[j] * factor


class Network:
    """Layers in a row.

    input_shape: the shape of one row, (28, 28) for pictures, (features,) for tables.
    params, grads: flat arrays (size,) of `dtype`, into which the layers' own arrays are views.
    values: params, and behind them what training leaves without a gradient (the running moments of batch
        normalisation): all that a copy of a trained network needs.

    Rows go in as uint8 pixels 0…255 or as numbers. Pixels are divided by 255 here and nowhere else, so
    that training, submission and page cannot disagree; numbers pass as they are, pictures thus in [0, 1].
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        input_shape: Shape,
        *,
        rng: np.random.Generator | None = None,
        dtype: str | np.dtype = "float32",
        most_params: int | None = None,
    ) -> None:
        """Bind the layers to fresh arrays; with `rng` initialise them.

        Raises UsageError for shapes that misfit and, before any memory is taken, for more parameters than
        `most_params`.
        """
        self.layers = list(layers)
        self.input_shape = tuple(input_shape)
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.dtype("float32"), np.dtype("float64")):
            raise UsageError(f"dtype must be float32 or float64, found {self.dtype}.")
        places, states, shape = [], [], self.input_shape
        for layer in self.layers:
            places.append(layer.param_shapes(shape))
            states.append(layer.state_shapes(shape))
            shape = layer.output_shape(shape)
        self.output_shape = shape
        size, state_size = (sum(math.prod(s) for one in shapes for s in one.values()) for shapes in (places, states))
        if most_params is not None and size + state_size > most_params:
            raise UsageError(f"The network has {size + state_size:,} parameters, at most {most_params:,} are allowed.")
        self.values = aligned(size + state_size, self.dtype, 0)
        self.params = self.values[:size]
        self.grads = aligned(size, self.dtype, 1)
        self.values[...], self.grads[...] = 0, 0
        views = (_views(self.params, places), _views(self.grads, places), _views(self.values[size:], states))
        first = next((layer for layer, place in zip(self.layers, places, strict=True) if place), None)
        for layer, *arrays in zip(self.layers, *views, strict=True):
            layer.params, layer.grads, layer.state = arrays
            layer.is_first = layer is first
            if rng is not None:
                layer.initialize(rng)

    def __getstate__(self) -> dict[str, object]:
        """What copies, pickles and skops keep: bound arrays, copied one by one, would come apart."""
        layers = [copy.copy(layer) for layer in self.layers]
        return {"layers": layers, "input_shape": self.input_shape, "dtype": self.dtype.name, "values": self.values}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["layers"], state["input_shape"], dtype=state["dtype"])
        self.values[...] = state["values"]

    def to_numbers(self, rows: np.ndarray, ctx: Pass | None = None) -> np.ndarray:
        """Rows as floats of the network's dtype; uint8 pixels become pixel / 255, CSR rows stay so before Dense."""
        if rows.shape[1:] != self.input_shape:
            raise UsageError(f"This network takes rows of shape {self.input_shape}, found {rows.shape[1:]}.")
        return self.scaled(rows, ctx or Pass())

    def scaled(self, rows: np.ndarray, ctx: Pass) -> np.ndarray:
        """to_numbers for rows of any shape: training also sends rows whose last columns, all zero, are left off."""
        if hasattr(rows, "toarray"):
            return (rows if isinstance(self.layers[0], Dense) else rows.toarray()).astype(self.dtype, copy=False)
        if rows.dtype == np.uint8:
            out = ctx.array(self, "numbers", (rows.size,), self.dtype).reshape(rows.shape)
            np.copyto(out, rows)
            out *= self.dtype.type(1 / 255)
            return out
        return np.asarray(rows, self.dtype)

    def gathered(self, rows: np.ndarray, chosen: np.ndarray, ctx: Pass, columns: int | None = None) -> np.ndarray:
        """to_numbers(rows[chosen]) in one pass, of each row the first `columns` numbers alone, where that is said."""
        if rows.dtype != np.uint8:
            out = ctx.array(self, "numbers", (len(chosen), *rows.shape[1:]), rows.dtype)
            taken = np.take(rows, chosen, axis=0, out=out, mode="clip")
            return self.to_numbers(taken, ctx) if columns is None else self.scaled(taken[:, :columns], ctx)
        flat = rows.reshape(len(rows), -1)
        width = flat.shape[1] if columns is None else columns
        out = ctx.array(self, "numbers", (len(chosen) * width,), self.dtype).reshape(len(chosen), width)
        _gather(out, flat, chosen, self.dtype.type(1 / 255))
        return out if columns is not None else out.reshape(len(chosen), *rows.shape[1:])

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray | None]]:
        """Outputs (n, *output_shape) for floats x (n, *input_shape), and the backward function.

        backward(∂L/∂outputs) fills `grads` and gives ∂L/∂x, or None where `ctx` does not want it.
        """
        backwards = []
        for layer in self.layers:
            x, backward = layer.forward(x, ctx)
            backwards.append(backward)
        inside, x = x, from_blocks(x, self, ctx)

        def backward_all(d: np.ndarray) -> np.ndarray | None:
            if inside.ndim == 5:
                d = to_blocks(d, self, ctx)
            for backward in reversed(backwards):
                d = backward(d)
                if d is None:
                    break
            return d

        return x, backward_all

    def logits(self, rows: np.ndarray) -> np.ndarray:
        """Outputs (n, *output_shape) before softmax, for uint8 or float rows (n, *input_shape)."""
        ctx = Pass()
        n = rows.shape[0]
        out = np.empty((n, *self.output_shape), self.dtype)
        for start in range(0, n, PREDICT_ROWS):
            part = slice(start, start + PREDICT_ROWS)
            out[part] = self.forward(self.to_numbers(rows[part], ctx), ctx)[0]
        return out

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """Class probabilities (n, classes), each row adding up to 1."""
        return softmax(self.logits(rows))


def _views(flat: np.ndarray, of_layers: list[dict[str, Shape]]) -> list[dict[str, np.ndarray]]:
    """For each layer views of the shapes that it names, one behind the other in `flat`."""
    views, start = [], 0
    for shapes in of_layers:
        views.append({})
        for name, shape in shapes.items():
            views[-1][name] = flat[start : start + math.prod(shape)].reshape(shape)
            start += math.prod(shape)
    return views
