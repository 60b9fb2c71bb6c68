"""A model as an ONNX file: from pixels to probabilities.

The graph takes `pixels`, uint8 (n, side, side), and gives `probabilities`, float32 (n, classes): the division
by 255 and the softmax are inside. The classes' names are in the file's metadata, as JSON under `classes`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline import storage
from pipeline.nn.onnx_graph import OPSET, Graph
from pipeline.prediction.model_file import Model

if TYPE_CHECKING:
    import onnx


def export(model: Model, path: Path | str) -> str:
    """Write `model` to `path` as ONNX, weights as float32, and say what the file takes and gives.

    Raises UsageError where the onnx package is missing or a layer has no counterpart, StorageError.
    """
    storage.write_bytes(path, to_onnx(model).SerializeToString(deterministic=True))
    return (
        f"ONNX opset {OPSET}; pixels uint8 (n, {model.side}, {model.side}) → probabilities float32 "
        f"(n, {len(model.classes)}) of the classes {', '.join(str(name) for name in model.classes)}"
    )


def to_onnx(model: Model) -> onnx.ModelProto:
    """The model as the onnx package has it, checked by that package. Raises UsageError."""
    graph = Graph()
    x = graph.add("Mul", graph.cast("pixels", np.float32), graph.constant(np.float32(1 / 255)))
    graph.add("Softmax", graph.add_network(model.network, x), axis=1, output="probabilities")
    return graph.model(
        {"pixels": (np.uint8, ["n", *model.network.input_shape])},
        {"probabilities": (np.float32, ["n", len(model.classes)])},
        {"classes": model.classes.tolist(), "about": dict(model.about)},
    )
