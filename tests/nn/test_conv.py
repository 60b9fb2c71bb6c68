"""Convolution: worked values, a slow oracle and PyTorch, every batch size, threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from gradient_check import TOLERANCE, layer_error
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.errors import UsageError
from pipeline.nn.layers import Conv2D, Dense, Flatten, MaxPool2D, ReLU, winograd
from pipeline.nn.layers.blocks import from_blocks, lanes_for, to_blocks
from pipeline.nn.network import Network
from pipeline.nn.workspace import Pass
from pipeline.training import recipe

sizes = st.integers(1, 4)
pairs = st.tuples(sizes, sizes)


def network_of(layer, shape, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    network = Network([layer], shape, rng=rng, dtype=dtype)
    network.params[...] = rng.normal(size=network.params.size)
    return network


def same_pads(side, kernel, stride):
    """(before, after) as TensorFlow's documentation defines "SAME"."""
    total = max(kernel - stride if side % stride == 0 else kernel - side % stride, 0)
    return total // 2, total - total // 2


def oracle(x, weight, bias, stride, padding):
    """Convolution of (n, channels, height, width) by windows and einsum."""
    if padding == "same":
        pads = [same_pads(side, *one) for side, *one in zip(x.shape[2:], weight.shape[2:], stride, strict=True)]
        x = np.pad(x, [(0, 0), (0, 0), *pads])
    windows = sliding_window_view(x, weight.shape[2:], axis=(2, 3))[:, :, :: stride[0], :: stride[1]]
    return np.einsum("ncijuv,fcuv->nfij", windows, weight) + bias[:, None, None]


def test_two_by_two_kernel_by_hand():
    network = network_of(Conv2D(1, 2), (3, 3))
    network.params[...] = [1, 0, 0, -1, 10]  # the kernel [[1, 0], [0, −1]] and the bias
    x = np.array([[[1.0, 2, 3], [4, 5, 6], [7, 8, 10]]])
    ctx = Pass(wants_input_gradient=True)
    y, backward = network.forward(x, ctx)
    assert y.tolist() == [[[[6, 6], [6, 5]]]]  # 10 + 1 − 5, 10 + 2 − 6, 10 + 4 − 8, 10 + 5 − 10
    dx = backward(np.array([[[[1.0, 2], [0, 3]]]]))
    # weight[u, v] = Σ dy[i, j]·x[i + u, j + v]: 1·1 + 2·2 + 3·5 = 20, then 1·2 + 2·3 + 3·6, …
    assert network.grads.tolist() == [20, 26, 1 * 4 + 2 * 5 + 3 * 8, 1 * 5 + 2 * 6 + 3 * 10, 6]
    assert dx.tolist() == [[[1, 2, 0], [0, 3 - 1, -2], [0, 0, -3]]]


@pytest.mark.parametrize(
    ("stride", "expected"),
    [(1, [[12, 16, 9], [24, 28, 15], [15, 17, 9]]), (2, [[12, 9], [15, 9]])],
)
def test_same_padding_by_hand(stride, expected):
    """Sums over 2×2 windows of 1 … 9: an even kernel has its zeros below and to the right."""
    network = network_of(Conv2D(1, 2, stride=stride, padding="same", bias=False), (3, 3))
    network.params[...] = 1
    y, _ = network.forward(np.arange(1.0, 10).reshape(1, 3, 3), Pass())
    assert y[0, 0].tolist() == expected


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(1, 40),
    channels=st.integers(1, 3),
    sides=st.tuples(st.integers(4, 9), st.integers(4, 9)),
    filters=st.integers(1, 3),
    kernel=pairs,
    stride=pairs,
    padding=st.sampled_from(["valid", "same"]),
)
def test_forward_is_the_oracle(n, channels, sides, filters, kernel, stride, padding):
    layer = Conv2D(filters, kernel, stride=stride, padding=padding)
    network = network_of(layer, (channels, *sides))
    x = np.random.default_rng(1).normal(size=(n, channels, *sides))
    y, _ = network.forward(x, Pass())
    assert y.shape[1:] == network.output_shape
    np.testing.assert_allclose(y, oracle(x, **layer.params, stride=stride, padding=padding), rtol=1e-10, atol=1e-10)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 3), st.integers(4, 6), st.integers(4, 6)),
    kernel=pairs,
    stride=pairs,
    padding=st.sampled_from(["valid", "same"]),
    bias=st.booleans(),
)
def test_gradient(seed, shape, kernel, stride, padding, bias):
    layer = Conv2D(2, kernel, stride=stride, padding=padding, bias=bias)
    assert layer_error(layer, shape, rng=np.random.default_rng(seed)) < TOLERANCE


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(1, 9),
    channels=st.integers(1, 4),
    sides=st.tuples(st.integers(5, 9), st.integers(5, 9)),
    filters=st.integers(1, 4),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=pairs,
    padding=st.sampled_from(["valid", "same"]),
)
def test_agrees_with_pytorch(n, channels, sides, filters, kernel, stride, padding):
    torch = pytest.importorskip("torch")
    layer = Conv2D(filters, kernel, stride=stride, padding=padding)
    network = network_of(layer, (channels, *sides))
    rng = np.random.default_rng(2)
    x = torch.tensor(rng.normal(size=(n, channels, *sides)), requires_grad=True)
    weight, bias = (torch.tensor(array, requires_grad=True) for array in layer.params.values())
    (top, bottom), (left, right) = (
        same_pads(*one) if padding == "same" else (0, 0) for one in zip(sides, kernel, stride, strict=True)
    )
    padded = torch.nn.functional.pad(x, (left, right, top, bottom))
    expected = torch.nn.functional.conv2d(padded, weight, bias, stride)
    c = rng.normal(size=expected.shape)
    expected.backward(torch.tensor(c))

    y, backward = network.forward(x.detach().numpy(), Pass(wants_input_gradient=True))
    dx = backward(c)
    for ours, theirs in [
        (y, expected.detach()),
        (dx, x.grad),
        (layer.grads["weight"], weight.grad),
        (layer.grads["bias"], bias.grad),
    ]:
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("n", "lanes"), [(1, 1), (16, 16), (128, 32), (100, 25), (34, 17), (37, 37), (3, 3), (352, 32)]
)
def test_lanes_divide_the_batch(n, lanes):
    assert lanes_for(n) == lanes


@given(n=st.integers(1, 200), shape=st.tuples(sizes, sizes, sizes))
def test_blocks_and_back(n, shape):
    x = np.arange(n * np.prod(shape)).reshape(n, *shape)
    blocks = to_blocks(x, None, Pass())
    lanes = blocks.shape[-1]
    last = n - 1
    np.testing.assert_array_equal(blocks[last // lanes, :, :, :, last % lanes], x[last].transpose(1, 0, 2))
    np.testing.assert_array_equal(from_blocks(blocks, None, Pass()), x)


def small_net(dtype="float32"):
    layers = [Conv2D(3, 3, padding="same"), ReLU(), MaxPool2D(2, stride=1), Conv2D(4, 2, stride=2), Flatten(), Dense(5)]
    return Network(layers, (9, 9), rng=np.random.default_rng(3), dtype=dtype)


def test_a_pass_used_again_for_another_batch_size_gives_the_same_bytes():
    network = small_net()
    rng = np.random.default_rng(4)
    used = Pass(train=True)
    for n in (32, 7, 48, 32, 1):
        x, d = rng.random((n, 9, 9), np.float32), rng.random((n, 5), np.float32)
        results = []
        for ctx in (used, Pass(train=True)):
            y, backward = network.forward(x, ctx)
            backward(d)
            results.append((y.tobytes(), network.grads.tobytes()))
        assert results[0] == results[1]


def test_results_do_not_depend_on_the_number_of_threads():
    network = small_net()
    rng = np.random.default_rng(5)
    x, d = rng.random((96, 9, 9), np.float32), rng.random((96, 5), np.float32)
    results = set()
    for threads in (1, 2, 3, 50):
        y, backward = network.forward(x, Pass(wants_input_gradient=True, threads=threads))
        results.add((y.tobytes(), backward(d).tobytes(), network.grads.tobytes()))
    assert len(results) == 1


def test_several_threads_predict_with_one_network():
    network = small_net()
    batches = [np.random.default_rng(seed).random((40, 9, 9), np.float32) for seed in range(8)]
    expected = [network.logits(batch).tobytes() for batch in batches]
    together = threading.Barrier(len(batches))

    def ask(number):
        together.wait(timeout=30)
        return all(network.logits(batches[number]).tobytes() == expected[number] for _ in range(10))

    with ThreadPoolExecutor(len(batches)) as pool:
        assert all(pool.map(ask, range(len(batches))))


def test_the_first_layer_goes_no_further_down_than_wanted():
    network = small_net()
    x, d = np.ones((2, 9, 9), np.float32), np.ones((2, 5), np.float32)
    assert network.forward(x, Pass(train=True))[1](d) is None
    without = network.grads.copy()
    assert network.forward(x, Pass(train=True, wants_input_gradient=True))[1](d).shape == (2, 9, 9)
    np.testing.assert_array_equal(network.grads, without)


def test_float32_stays_float32():
    network = small_net()
    y, backward = network.forward(np.ones((2, 9, 9), np.float32), Pass(wants_input_gradient=True))
    assert y.dtype == backward(y.copy()).dtype == np.float32


def test_cnn_small_has_the_parameters_of_its_model():
    # 20·(1·36 + 1) + 20·(20·9 + 1) + 10·(20·36 + 1) + 10·(10·9 + 1) + 30·(10·8·8 + 1) + 10·(30 + 1)
    network = recipe.load("cnn-small").network((28, 28), 10, rng=None)
    assert network.params.size == 740 + 3620 + 7210 + 910 + 19230 + 310 == 32_020


def test_a_spec_builds_the_same_layer():
    layer = Conv2D(3, [2, 1], stride=(1, 2), padding="same", bias=False, init="lecun")
    given = layer.spec()
    assert given.pop("layer") == "Conv2D"
    assert Conv2D(**given).spec() == layer.spec()
    assert layer.describe() == "Conv2D 3@2×1"


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: Conv2D(0, 3), "Conv2D: filters must be a whole number of at least 1, found 0."),
        (lambda: Conv2D(2.0, 3), "Conv2D: filters must be a whole number of at least 1, found 2.0."),
        (
            lambda: Conv2D(1, (3, 0)),
            "Conv2D kernel must be a whole number of at least 1, or two (height, width), found (3, 0).",
        ),
        (
            lambda: Conv2D(1, 3, stride=[1, 1, 1]),
            "Conv2D stride must be a whole number of at least 1, or two (height, width), found [1, 1, 1].",
        ),
        (lambda: Conv2D(1, 3, padding="full"), "There is no padding 'full': choose one of valid, same."),
        (lambda: Conv2D(1, 3, init="zeros"), "There is no initializer 'zeros': choose one of he, "),
        (
            lambda: Network([Flatten(), Conv2D(1, 3)], (8, 8)),
            "Conv2D takes pictures, (height, width) or (channels, height, width), ",
        ),
        (lambda: Network([Conv2D(1, 9)], (8, 28)), "Conv2D 1@9×9 does not fit into a picture of 8×28 pixels: "),
    ],
)
def test_refusals(build, sentence):
    with pytest.raises(UsageError) as caught:
        build()
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("channels", "size", "filters", "rows"), [(16, (12, 12), 24, 64), (17, (8, 14), 16, 5), (16, (4, 4), 16, 1)]
)
def test_winograds_form_does_what_the_direct_form_does(channels, size, filters, rows, dtype, monkeypatch):
    rng = np.random.default_rng(6)
    network = Network([Conv2D(filters, 3)], (channels, *size), rng=rng, dtype=dtype)
    network.params[-filters:] = rng.normal(size=filters)
    x = rng.normal(size=(rows, channels, *size)).astype(dtype)
    # Rounding in float32, with room: see the head of winograd.py.
    tolerance = 5e-6 if dtype == "float32" else 1e-13
    for train in (True, False):
        found = []
        for form in (True, False):
            monkeypatch.setattr(winograd, "pays", lambda *given, form=form: form)
            y, backward = network.forward(x, Pass(train=train, wants_input_gradient=True))
            dx = backward(np.cos(y))
            found.append((y, dx.copy(), network.grads.copy()))
        for tiled, direct in zip(*found, strict=True):
            np.testing.assert_allclose(tiled, direct, rtol=0, atol=tolerance * np.abs(direct).max())


def test_winograds_form_gives_the_same_bytes_on_any_number_of_threads():
    pytest.importorskip("numba")
    network = Network([Conv2D(16, 3), Conv2D(16, 3)], (16, 8, 8), rng=np.random.default_rng(0))
    assert winograd.pays(network.layers[0].params["weight"], (1, 1), (8, 8), (6, 6))
    x = np.random.default_rng(1).random((96, 16, 8, 8), np.float32)
    results = set()
    for threads in (1, 2, 3):
        y, backward = network.forward(x, Pass(train=True, wants_input_gradient=True, threads=threads))
        results.add((y.tobytes(), backward(y).tobytes(), network.grads.tobytes()))
    assert len(results) == 1


@pytest.mark.parametrize(
    ("layer", "channels", "side", "dtype"),
    [
        (Conv2D(16, 3, stride=2), 16, 8, "float32"),
        (Conv2D(16, 5), 16, 8, "float32"),
        (Conv2D(16, 3, padding="same"), 16, 8, "float32"),
        (Conv2D(16, 3), 16, 9, "float32"),
        (Conv2D(16, 3), 8, 8, "float32"),
        (Conv2D(16, 3), 16, 8, "float64"),
    ],
)
def test_where_winograds_form_is_not_taken(layer, channels, side, dtype):
    network = Network([layer], (channels, side, side), dtype=dtype)
    outside = network.output_shape[1:]
    assert not winograd.pays(layer.params["weight"], layer.stride, (side, side), outside)
