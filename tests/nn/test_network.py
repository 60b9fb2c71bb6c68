"""Whole networks: gradients of drawn architectures, planted faults, refusals, and predictions from many threads."""

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from architectures import CLASSES, networks
from gradient_check import TOLERANCE, layer_error, network_error
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.nn.layers import ACTIVATIONS, Dense, Dropout, Flatten, ReLU, Sigmoid
from pipeline.nn.losses import MSE, BinaryCrossEntropy, SoftmaxCrossEntropy
from pipeline.nn.network import PREDICT_ROWS, Network
from pipeline.nn.workspace import Pass

LOSSES = [SoftmaxCrossEntropy(), SoftmaxCrossEntropy(label_smoothing=0.1), MSE(), BinaryCrossEntropy()]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    data=st.data(),
    loss=st.sampled_from(LOSSES),
    rows=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
    weighted=st.booleans(),
    train=st.booleans(),
)
def test_gradients_of_drawn_networks(data, loss, rows, seed, weighted, train):
    rng = np.random.default_rng(seed)
    network = data.draw(networks(rng))
    error = network_error(
        network,
        loss,
        rng.normal(size=(rows, *network.input_shape)),
        rng.integers(CLASSES, size=rows),
        rng=rng,
        weights=rng.uniform(0.5, 2, rows) if weighted else None,
        train=train,
    )
    assert error < TOLERANCE


@pytest.mark.parametrize("bias", [True, False])
def test_dense_gradient(bias):
    assert layer_error(Dense(4, bias=bias), (3,), rng=np.random.default_rng(0)) < TOLERANCE


def forget_the_slope(layer, x, ctx):
    return layer.right_forward(x, ctx)[0], lambda dy: dy


def half_the_bias_gradient(layer, x, ctx):
    y, backward = layer.right_forward(x, ctx)

    def faulty(dy):
        dx = backward(dy)
        layer.grads["bias"] *= 0.5
        return dx

    return y, faulty


def bias_gradients_summed_over_units(layer, x, ctx):
    y, backward = layer.right_forward(x, ctx)

    def faulty(dy):
        dx = backward(dy)
        layer.grads["bias"][:] = dy.sum()
        return dx

    return y, faulty


def first_row_lost(layer, x, ctx):
    y, backward = layer.right_forward(x, ctx)

    def faulty(dy):
        dy = dy.copy()
        dy[0] = 0
        return backward(dy)

    return y, faulty


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (ReLU, forget_the_slope),
        (Sigmoid, forget_the_slope),
        (Dense, half_the_bias_gradient),
        (Dense, bias_gradients_summed_over_units),
        (Dense, first_row_lost),
    ],
)
def test_the_check_sees_planted_faults(monkeypatch, kind, fault):
    def error():
        rng = np.random.default_rng(0)
        network = Network([Dense(5), ReLU(), Dense(4), Sigmoid(), Dense(3)], (6,), rng=rng, dtype="float64")
        return network_error(network, SoftmaxCrossEntropy(), rng.normal(size=(4, 6)), np.array([0, 1, 2, 0]), rng=rng)

    assert error() < TOLERANCE
    monkeypatch.setattr(kind, "right_forward", kind.forward, raising=False)
    monkeypatch.setattr(kind, "forward", fault)
    assert error() > 1000 * TOLERANCE


def test_no_hidden_layer_by_hand():
    network = Network([Dense(2)], (2,), dtype="float64")
    network.params[:] = [1, 2, 3, 4, 10, 20]  # W by rows, then b
    np.testing.assert_array_equal(network.logits(np.array([[1.0, 1.0], [2.0, 0.0]])), [[14, 26], [12, 24]])


def test_layers_see_one_array():
    network = Network([Dense(2), ReLU(), Dense(1)], (3,), rng=np.random.default_rng(0))
    assert network.params.size == 3 * 2 + 2 + 2 * 1 + 1
    for layer in network.layers:
        for views, flat in ((layer.params, network.params), (layer.grads, network.grads)):
            assert all(np.shares_memory(view, flat) for view in views.values())


def test_pixels_are_divided_by_255_and_numbers_are_not():
    network = Network([Flatten()], (1, 2), dtype="float64")
    np.testing.assert_array_equal(network.logits(np.array([[[0, 255]], [[51, 102]]], np.uint8)), [[0, 1], [0.2, 0.4]])
    np.testing.assert_array_equal(network.logits(np.array([[[0.5, 255.0]]])), [[0.5, 255.0]])


def test_more_rows_than_go_in_at_once():
    rng = np.random.default_rng(0)
    network = Network([Dense(3)], (2,), rng=rng, dtype="float64")
    rows = rng.normal(size=(2 * PREDICT_ROWS + 1, 2))
    weight, bias = network.layers[0].params.values()
    np.testing.assert_allclose(network.logits(rows), rows @ weight + bias, rtol=1e-13)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: Network([Dense(2)], (2, 2)), "put Flatten before it"),
        (lambda: Network([Dense(2)], (2,), dtype="float16"), "dtype must be float32 or float64, found float16"),
        (lambda: Network([Dense(10)], (10,), most_params=100), "has 110 parameters, at most 100"),
        (lambda: Network([Dense(2)], (2,)).logits(np.zeros((1, 3))), r"rows of shape \(2,\), found \(3,\)"),
        (lambda: Dense(0), "units must be a whole number of at least 1, found 0"),
        (lambda: Dense(1, init="zeros"), "There is no initializer 'zeros': choose one of he, "),
    ],
)
def test_refusals(build, sentence):
    with pytest.raises(UsageError, match=sentence):
        build()


def test_many_threads_on_one_network_give_the_bytes_of_one():
    rng = np.random.default_rng(0)
    hidden = [layer for kind in ACTIVATIONS for layer in (Dense(32), kind(), Dropout(0.5))]
    network = Network([Flatten(), *hidden, Dense(10)], (8, 8), rng=rng)
    batches = [rng.integers(256, size=(n, 8, 8)).astype(np.uint8) for n in (1, 7, 64, 500, 1500, 3)]
    expected = [network.probabilities(batch).tobytes() for batch in batches]
    threads = 8
    together = threading.Barrier(threads)

    def ask(thread: int) -> list[bool]:
        together.wait(timeout=30)
        order = np.random.default_rng(thread).integers(len(batches), size=12)
        return [network.probabilities(batches[i]).tobytes() == expected[i] for i in order]

    with ThreadPoolExecutor(threads) as pool:
        answers = [right for rights in pool.map(ask, range(threads)) for right in rights]
    assert len(answers) == threads * 12
    assert all(answers)


def test_input_gradient_is_left_out_unless_wanted():
    network = Network([Flatten(), Dense(2)], (1, 2), rng=np.random.default_rng(0))
    x = np.ones((1, 1, 2), np.float32)
    assert network.forward(x, Pass(train=True))[1](np.ones((1, 2), np.float32)) is None
    wanted = network.forward(x, Pass(wants_input_gradient=True))[1](np.ones((1, 2), np.float32))
    np.testing.assert_allclose(wanted[0, 0], network.layers[1].params["weight"].sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_a_copy_is_whole_and_on_its_own(copied):
    rng = np.random.default_rng(0)
    network = Network([Dense(5), ReLU(), Dense(3)], (4,), rng=rng)
    rows = rng.random((6, 4), np.float32)
    before = network.logits(rows)
    twin = copied(network)
    np.testing.assert_array_equal(twin.logits(rows), before)
    twin.params += 1  # the layers' views follow the flat array, and those of the original do not
    assert not np.array_equal(twin.logits(rows), before)
    np.testing.assert_array_equal(network.logits(rows), before)
