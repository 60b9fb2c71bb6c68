"""A model as an ONNX file, which runtimes in most languages can use without Inkproof.

The graph takes `pixels`, uint8 (n, side, side), and gives `probabilities`, float32 (n, classes): the division
by 255 and the softmax are inside. The classes' names are in the file's metadata, as JSON under `classes`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import pipeline
from pipeline import storage
from pipeline.errors import UsageError
from pipeline.nn import layers
from pipeline.nn.layers import Layer, Shape
from pipeline.nn.layers.deslant import STEADY
from pipeline.prediction.model_file import Model

if TYPE_CHECKING:
    import onnx

OPSET = 17
IR_VERSION = 8  # of the file format; the one that came with opset 17


def export(model: Model, path: Path | str) -> None:
    """Write `model` to `path` as ONNX of opset 17, weights as float32.

    Raises UsageError where the onnx package is missing or a layer has no counterpart, StorageError.
    """
    storage.write_bytes(path, to_onnx(model).SerializeToString(deterministic=True))


def to_onnx(model: Model) -> onnx.ModelProto:
    """The model as the onnx package has it, checked by that package. Raises UsageError."""
    try:
        import onnx
    except ImportError as error:
        raise UsageError("Writing ONNX files needs the onnx package: install it with `pip install onnx`.") from error
    from onnx import TensorProto, helper

    graph = _Graph()
    x = graph.add("Cast", "pixels", to=TensorProto.FLOAT)
    x = graph.add("Mul", x, graph.constant(np.float32(1 / 255)))
    shape = model.network.input_shape
    for layer in model.network.layers:
        x = _add_layer(graph, layer, shape, x)
        shape = layer.output_shape(shape)
    graph.add("Softmax", x, axis=1, output="probabilities")
    found = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "inkproof",
            [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", *model.network.input_shape])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", len(model.classes)])],
            initializer=graph.constants,
        ),
        producer_name="inkproof",
        producer_version=pipeline.__version__,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    about = json.dumps(dict(model.about), ensure_ascii=False)
    helper.set_model_props(found, {"classes": json.dumps(model.classes.tolist(), ensure_ascii=False), "about": about})
    onnx.checker.check_model(found, full_check=True)
    return found


class _Graph:
    """Nodes and constants, named by number as they are added."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: np.ndarray | np.generic) -> str:
        from onnx import numpy_helper

        name = f"constant {len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node and give the name of its output."""
        from onnx import helper

        output = output or f"{operator} {len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def weight(self, layer: Layer, name: str, missing: np.ndarray | None = None) -> str:
        """A parameter or state of the layer as a constant; `missing` where the layer goes without."""
        return self.constant({**layer.params, **layer.state}.get(name, missing).astype(np.float32))


def _add_layer(graph: _Graph, layer: Layer, shape: Shape, x: str) -> str:
    if isinstance(layer, (layers.Conv2D, layers.MaxPool2D, layers.AveragePool2D)) and len(shape) == 2:
        x = graph.add("Unsqueeze", x, graph.constant(np.array([1])))
        shape = (1, *shape)
    add = _LAYERS.get(type(layer))
    if add is None:
        raise UsageError(f"The layer {layer.describe()} has no counterpart among those that export knows.")
    return add(graph, layer, shape, x)


def _dense(graph: _Graph, layer: layers.Dense, shape: Shape, x: str) -> str:
    y = graph.add("MatMul", x, graph.weight(layer, "weight"))
    return graph.add("Add", y, graph.weight(layer, "bias")) if layer.bias else y


def _deslant(graph: _Graph, layer: layers.Deslant, shape: Shape, x: str) -> str:
    height, width = shape

    def constant(array: np.ndarray) -> str:
        return graph.constant(np.asarray(array, np.float32))

    def sum_over(name: str, weights: np.ndarray) -> str:
        """Σ over all pixels of the ink times weights, (n, 1)."""
        return graph.add("MatMul", name, constant(weights.reshape(-1, 1)))

    v, u = np.mgrid[:height, :width].astype(np.float64)
    v, u = v - (height - 1) / 2, u - (width - 1) / 2
    ink = graph.add("Flatten", graph.add("Mul", x, x), axis=1)
    mass = graph.add("Max", sum_over(ink, np.ones_like(v)), constant(1e-30))
    right = sum_over(ink, u)
    middle = graph.add("Div", sum_over(ink, v), mass)
    leaning = graph.add("Sub", sum_over(ink, v * u), graph.add("Mul", middle, right))
    tall = graph.add("Sub", sum_over(ink, v * v), graph.add("Mul", middle, sum_over(ink, v)))
    free = graph.add("Div", leaning, graph.add("Add", tall, constant(STEADY)))
    slant = graph.add("Clip", free, constant(-layer.limit), constant(layer.limit))
    # Where each pixel looks, from -1 to 1 across the picture: (n, height, width, 2), column before row.
    step = graph.add("Mul", slant, graph.add("Sub", constant(v[:, 0]), middle))  # (n, height)
    across = graph.add("Mul", graph.add("Unsqueeze", step, graph.constant(np.array([2, 3]))), constant([2 / width, 0]))
    still = np.stack([2 * u / width, 2 * v / height], axis=-1)[np.newaxis]
    grid = graph.add("Add", constant(still), across)
    pictures = graph.add("Unsqueeze", x, graph.constant(np.array([1])))
    seen = graph.add("GridSample", pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=0)
    return graph.add("Squeeze", seen, graph.constant(np.array([1])))


def _conv(graph: _Graph, layer: layers.Conv2D, shape: Shape, x: str) -> str:
    axes = layer.axes(*shape[1:])
    before = [axis.before for axis in axes]
    # What the last output sees beyond the picture's end.
    after = [max((a.outputs - 1) * a.stride + a.kernel - a.before - a.inputs, 0) for a in axes]
    bias = graph.weight(layer, "bias", np.zeros(layer.filters))
    kernel, strides = list(layer.kernel), list(layer.stride)
    weight = graph.weight(layer, "weight")
    return graph.add("Conv", x, weight, bias, kernel_shape=kernel, strides=strides, pads=before + after)


def _pool(operator: str) -> Callable[[_Graph, Any, Shape, str], str]:
    def add(graph: _Graph, layer: Any, shape: Shape, x: str) -> str:
        return graph.add(operator, x, kernel_shape=list(layer.size), strides=list(layer.stride))

    return add


def _batch_norm(graph: _Graph, layer: layers.BatchNorm, shape: Shape, x: str) -> str:
    arrays = [graph.weight(layer, name) for name in ("gamma", "beta", "mean", "variance")]
    return graph.add("BatchNormalization", x, *arrays, epsilon=layer.epsilon)


def _gelu(graph: _Graph, layer: layers.GELU, shape: Shape, x: str) -> str:
    # x·½·(1 + erf(x / √2)): the operator of this name came with opset 20.
    erf = graph.add("Erf", graph.add("Mul", x, graph.constant(np.float32(1 / math.sqrt(2)))))
    above = graph.add("Add", erf, graph.constant(np.float32(1)))
    return graph.add("Mul", graph.add("Mul", above, graph.constant(np.float32(0.5))), x)


def _same(graph: _Graph, layer: Layer, shape: Shape, x: str) -> str:
    return x


def _function(operator: str) -> Callable[[_Graph, Layer, Shape, str], str]:
    return lambda graph, layer, shape, x: graph.add(operator, x)


_LAYERS: dict[type[Layer], Callable[[_Graph, Any, Shape, str], str]] = {
    layers.Flatten: lambda graph, layer, shape, x: graph.add("Flatten", x, axis=1),
    layers.Dense: _dense,
    layers.Deslant: _deslant,
    layers.Conv2D: _conv,
    layers.MaxPool2D: _pool("MaxPool"),
    layers.AveragePool2D: _pool("AveragePool"),
    layers.BatchNorm: _batch_norm,
    layers.Dropout: _same,
    layers.Linear: _same,
    layers.Sigmoid: _function("Sigmoid"),
    layers.ReLU: _function("Relu"),
    layers.Tanh: _function("Tanh"),
    layers.Softplus: _function("Softplus"),
    layers.LeakyReLU: lambda graph, layer, shape, x: graph.add("LeakyRelu", x, alpha=layer.slope),
    layers.GELU: _gelu,
}
