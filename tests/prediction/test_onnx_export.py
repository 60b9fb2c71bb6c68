from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.cli.export import command
from pipeline.errors import ModelFileError, UsageError
from pipeline.nn import layers as L
from pipeline.nn.network import Network
from pipeline.nn.onnx_graph import OPSET
from pipeline.prediction.model_file import Model, save
from pipeline.prediction.onnx_export import export, to_onnx

SIDE, CLASSES = 9, 4


def model(layers, *, dtype="float32", side=SIDE) -> Model:
    network = Network([*layers, L.Dense(CLASSES)], (side, side), rng=np.random.default_rng(3), dtype=dtype)
    # Trained networks have biases and moments of all sizes; fresh ones would hide a bias that is lost.
    rng = np.random.default_rng(4)
    for layer in network.layers:
        for name in ("bias", "beta", "mean"):
            for arrays in (layer.params, layer.state):
                if name in arrays:
                    arrays[name][...] = rng.normal(0, 0.3, arrays[name].shape)
        for arrays, name in ((layer.params, "gamma"), (layer.state, "variance")):
            if name in arrays:
                arrays[name][...] = rng.uniform(0.5, 2, arrays[name].shape)
    return Model(network, np.array(["zero", "one", "two", "ü"]), side, {"sigma": 0.1})


NETS = {
    "softmax alone": [L.Flatten()],
    "two hidden layers": [L.Flatten(), L.Dense(20), L.ReLU(), L.Dense(12, bias=False), L.Tanh()],
    "every activation": [
        L.Flatten(),
        *[part for activation in L.ACTIVATIONS for part in (L.Dense(16), activation())],
    ],
    "leaky slope": [L.Flatten(), L.Dense(16), L.LeakyReLU(0.3)],
    "dropout": [L.Flatten(), L.Dropout(0.5), L.Dense(8), L.ReLU(), L.Dropout(0.2)],
    "normalised rows": [L.Flatten(), L.Dense(8), L.BatchNorm(epsilon=0.01), L.ReLU()],
    "valid convolution": [L.Conv2D(3, 3), L.ReLU(), L.Flatten()],
    "same convolution, odd and even kernels": [
        L.Conv2D(3, (3, 2), padding="same"),
        L.BatchNorm(),
        L.ReLU(),
        L.Conv2D(5, (4, 3), padding="same", bias=False),
        L.Flatten(),
    ],
    "strides": [L.Conv2D(3, 4, stride=(2, 3), padding="same"), L.Conv2D(4, 2, stride=2), L.Flatten(), L.Dense(7)],
    "set upright": [L.Deslant(limit=0.5), L.Flatten(), L.Dense(8), L.ReLU()],
    "max pooling": [L.Conv2D(3, 3), L.MaxPool2D(2), L.ReLU(), L.MaxPool2D((2, 1), stride=1), L.Flatten()],
    "average pooling": [L.AveragePool2D(4, stride=1), L.Conv2D(2, 3), L.AveragePool2D((1, 2)), L.Flatten()],
}


@pytest.fixture
def session(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")

    def of(model):
        export(model, tmp_path / "model.onnx")
        return runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])

    return of


@pytest.mark.parametrize("layers", NETS.values(), ids=NETS.keys())
@pytest.mark.parametrize("n", [1, 33])
def test_onnxruntime_gives_the_same_probabilities(session, layers, n):
    one = model(layers)
    pixels = np.random.default_rng(5).integers(0, 256, (n, SIDE, SIDE), dtype=np.uint8)
    found = session(one).run(["probabilities"], {"pixels": pixels})[0]
    expected = one.network.probabilities(pixels)
    assert expected.std() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_float64_network_is_written_as_float32(session):
    one = model([L.Flatten(), L.Dense(30), L.ReLU()], dtype="float64")
    pixels = np.random.default_rng(5).integers(0, 256, (7, SIDE, SIDE), dtype=np.uint8)
    found = session(one).run(None, {"pixels": pixels})[0]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, one.network.probabilities(pixels), atol=1e-5)


def test_a_net_of_the_main_jobs_size_agrees_too(session):
    one = model([L.Flatten(), L.Dense(512), L.ReLU()], side=28)
    pixels = np.random.default_rng(6).integers(0, 256, (50, 28, 28), dtype=np.uint8)
    np.testing.assert_allclose(
        session(one).run(None, {"pixels": pixels})[0], one.network.probabilities(pixels), atol=1e-5
    )


def test_the_file_says_what_it_takes_gives_and_means():
    pytest.importorskip("onnx")
    found = to_onnx(model([L.Flatten()]))
    assert [(o.domain, o.version) for o in found.opset_import] == [("", OPSET)]
    assert [i.name for i in found.graph.input] == ["pixels"]
    assert [o.name for o in found.graph.output] == ["probabilities"]
    properties = {p.key: json.loads(p.value) for p in found.metadata_props}
    assert properties == {"classes": ["zero", "one", "two", "ü"], "about": {"sigma": 0.1}}


def test_the_same_model_gives_the_same_bytes(tmp_path):
    pytest.importorskip("onnx")
    for name in ("a", "b"):
        export(model([L.Conv2D(2, 3), L.Flatten()]), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_layer_without_counterpart_is_named():
    pytest.importorskip("onnx")

    class Unheard(L.Layer):
        pass

    with pytest.raises(UsageError, match="The layer Unheard has no counterpart"):
        to_onnx(model([L.Flatten(), Unheard()]))


def test_without_the_onnx_package_it_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UsageError, match="pip install onnx"):
        export(model([L.Flatten()]), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", [None, "elsewhere/net.onnx"])
def test_the_command_writes_the_file(tmp_path, to):
    onnx = pytest.importorskip("onnx")
    save(model([L.Flatten()]), tmp_path / "m.safetensors")
    given = [] if to is None else ["--to", str(tmp_path / to)]
    result = CliRunner().invoke(command, [str(tmp_path / "m.safetensors"), *given], catch_exceptions=False)
    assert result.exit_code == 0
    path = tmp_path / (to or "m.onnx")
    assert str(path) in result.output
    assert f"opset {OPSET}" in result.output
    onnx.checker.check_model(path)


def test_the_command_refuses_what_is_no_model(tmp_path):
    (tmp_path / "m.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelFileError):
        CliRunner().invoke(command, [str(tmp_path / "m.safetensors")], catch_exceptions=False)
