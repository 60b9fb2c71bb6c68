"""The network against its reference implementation: every layer, loss and optimiser, alone and in whole trainings."""

import numpy as np
import pytest
from architectures import CLASSES, networks
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cli.twins import command
from pipeline.errors import InkproofError, UsageError
from pipeline.nn import reference
from pipeline.nn.layers import LAYERS, Dense, ReLU
from pipeline.nn.losses import LOSSES
from pipeline.nn.network import Network
from pipeline.nn.optimizers import OPTIMIZERS
from pipeline.nn.workspace import Pass
from pipeline.training import recipe as recipes
from pipeline.training import twins

CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def test_whatever_the_recipes_name_has_a_reference_implementation():
    assert set(reference.LAYERS) <= set(LAYERS)
    assert set(reference.LOSSES) <= set(LOSSES)
    assert set(reference.OPTIMIZERS) <= set(OPTIMIZERS)
    for name in recipes.names():
        recipe = recipes.load(name)
        assert {spec["layer"] for spec in recipe.content["network"]["layers"]} <= set(reference.LAYERS)
        assert recipe.content["loss"]["name"] in reference.LOSSES
        assert recipe.content["optimizer"]["name"] in reference.OPTIMIZERS


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    data=st.data(),
    loss=st.sampled_from(sorted(reference.LOSSES)),
    rows=st.integers(1, 4),
    train=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_both_give_the_same_outputs_and_gradients(data, loss, rows, train, seed):
    rng = np.random.default_rng(seed)
    network = data.draw(networks(rng))
    twin = twins.twin_of(network)
    x = rng.normal(size=(rows, *network.input_shape))
    labels, weights = rng.integers(CLASSES, size=rows), rng.uniform(0.5, 2, rows)

    def once(network, loss, x, labels, weights):
        ctx = Pass(train=train, wants_input_gradient=True, rng=np.random.default_rng(seed))
        outputs, backward = network.forward(x, ctx)
        value, d = loss(outputs, labels, ctx, weights)
        dx = backward(d)
        return value, np.array(outputs), np.array(dx), np.array(network.grads), np.array(network.values)

    fast = once(network, LOSSES[loss](), x, labels, weights)
    slow = once(twin, reference.LOSSES[loss](), x.tolist(), labels.tolist(), weights.tolist())
    for a, b in zip(fast, slow, strict=True):
        np.testing.assert_allclose(a, b, **CLOSE)


def test_loss_options():
    rng = np.random.default_rng(0)
    z, labels = rng.normal(size=(4, 3)), np.array([0, 1, 2, 1])
    how = {"label_smoothing": 0.2, "class_weight": [1.0, 2.0, 0.5]}
    fast = LOSSES["softmax-cross-entropy"](**how)(z, labels, Pass())
    slow = reference.LOSSES["softmax-cross-entropy"](**how)(z.tolist(), labels.tolist(), Pass())
    assert fast[0] == pytest.approx(slow[0], rel=1e-13)
    np.testing.assert_allclose(fast[1], slow[1], rtol=1e-12)


RUNS = [
    ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("sgd", {"momentum": 0.9, "clip_norm": 0.1}),
    ("rmsprop", {"weight_decay": 0.01}),
    ("adam", {"weight_decay": 0.01, "clip_norm": 0.5}),
    ("adamw", {}),
]


def small_recipe(optimizer: dict, layers: list[dict]) -> recipes.Recipe:
    content = {
        "network": {"layers": layers},
        "loss": {"name": "softmax-cross-entropy", "label_smoothing": 0.1},
        "optimizer": optimizer,
        "schedule": {"name": "one-cycle", "peak": 0.01},
        "training": {"epochs": 3, "batch_size": 8},
    }
    return recipes.check(content, name="small", where="small")


DENSE = [
    {"layer": "Flatten"},
    {"layer": "Dense", "units": 6},
    {"layer": "ReLU"},
    {"layer": "Dropout", "rate": 0.2},
    {"layer": "Dense", "units": "classes"},
]
# Without a bias before BatchNorm: its gradient is 0 but for rounding, which Adam would blow up to whole steps.
PICTURES = [
    {"layer": "Conv2D", "filters": 2, "kernel": 3, "bias": False},
    {"layer": "BatchNorm"},
    {"layer": "Tanh"},
    {"layer": "MaxPool2D", "size": 2, "stride": 1},
    *DENSE,
]


@pytest.mark.parametrize(("name", "arguments"), RUNS)
@pytest.mark.parametrize("layers", [DENSE, PICTURES], ids=["dense", "pictures"])
def test_both_learn_the_same_weights(name, arguments, layers):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(256, size=(20, 6, 6)).astype(np.uint8), rng.integers(3, size=20)
    outcome = twins.train_both(small_recipe({"name": name, **arguments}, layers), images, labels, 3, epochs=3, seed=1)
    assert outcome.difference < 1e-12
    assert outcome.agree
    assert outcome.loops.seconds > 0
    assert outcome.arrays.peak > images.nbytes


def test_the_command(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, ["--rows", "30", "--epochs", "1"], catch_exceptions=False)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].startswith("scratch-16-16 on 30 rows of ")
    assert lines[1].split() == ["seconds", "an", "epoch", "peak", "memory"]
    assert [line.split("  ")[0] for line in lines[2:5]] == [
        "plain loops (pipeline/nn/reference)",
        "whole arrays (pipeline/nn)",
        "loops / arrays",
    ]
    assert lines[5].startswith("The twins agree, largest difference between their weights after training: ")


def test_the_command_fails_when_one_of_the_twins_is_wrong(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    right = reference.layers.Sigmoid.derivative
    monkeypatch.setattr(reference.layers.Sigmoid, "derivative", lambda self, x: right(self, x) * (1 + 1e-6))
    with pytest.raises(InkproofError, match=r"The twins disagree, .* where less than 1e-09 is allowed"):
        CliRunner().invoke(command, ["--rows", "30", "--epochs", "1"], catch_exceptions=False)


def test_a_layer_without_a_twin():
    class Mirror(ReLU):
        pass

    with pytest.raises(UsageError, match="Mirror has no reference implementation"):
        twins.twin_of(Network([Mirror(), Dense(1)], (2,)))
