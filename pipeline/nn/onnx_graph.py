"""A network as an ONNX graph, which runtimes in most languages can use without Inkproof.

Every layer has its counterpart among ONNX's operators here, weights as float32. The onnx package itself is
imported when a graph is made, and by nothing else: the network needs it nowhere.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import pipeline
from pipeline.errors import UsageError
from pipeline.nn import layers
from pipeline.nn.layers import Layer, Shape
from pipeline.nn.layers.deslant import STEADY
from pipeline.nn.network import Network

OPSET = 17
IR_VERSION = 8  # of the file format; the one that came with opset 17
# What goes into a graph or comes out: names, and for each its NumPy type and shape, "n" for the rows.
Ports = Mapping[str, tuple[Any, list[str | int]]]


class Graph:
    """Nodes and constants, named by number as they are added. Raises UsageError where the onnx package is missing."""

    def __init__(self) -> None:
        try:
            import onnx
        except ImportError as error:
            raise UsageError("Writing ONNX files needs the onnx package: `pip install onnx` gets it.") from error
        self.onnx, self.nodes, self.constants = onnx, [], []

    def constant(self, value: np.ndarray | np.generic) -> str:
        name, array = f"constant {len(self.constants)}", np.ascontiguousarray(value).reshape(value.shape)
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node and give the name of its output."""
        output = output or f"{operator} {len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [output], **attributes))
        return output

    def cast(self, x: str, kind: Any, output: str = "") -> str:
        """Add a node that makes `x` numbers of the NumPy type `kind`."""
        return self.add("Cast", x, to=self._type(kind), output=output)

    def weight(self, layer: Layer, name: str, missing: np.ndarray | None = None) -> str:
        """A parameter or state of the layer as a constant; `missing` where the layer goes without."""
        return self.constant({**layer.params, **layer.state}.get(name, missing).astype(np.float32))

    def add_network(self, network: Network, x: str) -> str:
        """Add the nodes of all layers, and give the name of the outputs before softmax, for floats named `x`.

        Raises UsageError where a layer has no counterpart.
        """
        shape = network.input_shape
        for layer in network.layers:
            x = _add_layer(self, layer, shape, x)
            shape = layer.output_shape(shape)
        return x

    def model(self, inputs: Ports, outputs: Ports, about: Mapping[str, Any]) -> Any:
        """The graph as an onnx.ModelProto, checked by that package. about: what goes in as JSON."""
        helper = self.onnx.helper

        def described(ports: Ports) -> list[Any]:
            made = ((name, self._type(kind), shape) for name, (kind, shape) in ports.items())
            return [helper.make_tensor_value_info(*each) for each in made]

        model = helper.make_model(
            helper.make_graph(self.nodes, "inkproof", described(inputs), described(outputs), self.constants),
            producer_name="inkproof",
            producer_version=pipeline.__version__,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        helper.set_model_props(model, {key: json.dumps(value, ensure_ascii=False) for key, value in about.items()})
        self.onnx.checker.check_model(model, full_check=True)
        return model

    def _type(self, kind: Any) -> int:
        return self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind))


def _add_layer(graph: Graph, layer: Layer, shape: Shape, x: str) -> str:
    if isinstance(layer, (layers.Conv2D, layers.MaxPool2D, layers.AveragePool2D)) and len(shape) == 2:
        x = graph.add("Unsqueeze", x, graph.constant(np.array([1])))
        shape = (1, *shape)
    add = _LAYERS.get(type(layer))
    if add is None:
        raise UsageError(f"The layer {layer.describe()} has no counterpart among those that export knows.")
    return add(graph, layer, shape, x)


def _dense(graph: Graph, layer: layers.Dense, shape: Shape, x: str) -> str:
    y = graph.add("MatMul", x, graph.weight(layer, "weight"))
    return graph.add("Add", y, graph.weight(layer, "bias")) if layer.bias else y


def _deslant(graph: Graph, layer: layers.Deslant, shape: Shape, x: str) -> str:
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


def _conv(graph: Graph, layer: layers.Conv2D, shape: Shape, x: str) -> str:
    axes = layer.axes(*shape[1:])
    before = [axis.before for axis in axes]
    # What the last output sees beyond the picture's end.
    after = [max((a.outputs - 1) * a.stride + a.kernel - a.before - a.inputs, 0) for a in axes]
    bias = graph.weight(layer, "bias", np.zeros(layer.filters))
    kernel, strides = list(layer.kernel), list(layer.stride)
    weight = graph.weight(layer, "weight")
    return graph.add("Conv", x, weight, bias, kernel_shape=kernel, strides=strides, pads=before + after)


def _pool(operator: str) -> Callable[[Graph, Any, Shape, str], str]:
    def add(graph: Graph, layer: Any, shape: Shape, x: str) -> str:
        return graph.add(operator, x, kernel_shape=list(layer.size), strides=list(layer.stride))

    return add


def _batch_norm(graph: Graph, layer: layers.BatchNorm, shape: Shape, x: str) -> str:
    arrays = [graph.weight(layer, name) for name in ("gamma", "beta", "mean", "variance")]
    return graph.add("BatchNormalization", x, *arrays, epsilon=layer.epsilon)


def _gelu(graph: Graph, layer: layers.GELU, shape: Shape, x: str) -> str:
    # x·½·(1 + erf(x / √2)): the operator of this name came with opset 20.
    erf = graph.add("Erf", graph.add("Mul", x, graph.constant(np.float32(1 / math.sqrt(2)))))
    above = graph.add("Add", erf, graph.constant(np.float32(1)))
    return graph.add("Mul", graph.add("Mul", above, graph.constant(np.float32(0.5))), x)


def _same(graph: Graph, layer: Layer, shape: Shape, x: str) -> str:
    return x


def _function(operator: str) -> Callable[[Graph, Layer, Shape, str], str]:
    return lambda graph, layer, shape, x: graph.add(operator, x)


_LAYERS: dict[type[Layer], Callable[[Graph, Any, Shape, str], str]] = {
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
