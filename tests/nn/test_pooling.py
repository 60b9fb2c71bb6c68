"""Pooling: worked values, a slow oracle, ties, and PyTorch."""

import numpy as np
import pytest
from gradient_check import TOLERANCE, layer_error
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.errors import UsageError
from pipeline.nn.layers import AveragePool2D, MaxPool2D
from pipeline.nn.network import Network
from pipeline.nn.workspace import Pass

sizes = st.integers(1, 5)
pairs = st.tuples(sizes, sizes)
pictures = st.tuples(st.integers(1, 20), st.integers(1, 3), st.integers(5, 9), st.integers(5, 9))


def once(layer, x, dy=None):
    """(y, dx) of a layer alone."""
    y, backward = Network([layer], x.shape[1:], dtype=x.dtype).forward(x, Pass(wants_input_gradient=True))
    return y, backward(np.ones_like(y) if dy is None else dy)


def test_max_by_hand():
    x = np.array([[[1.0, 5, 2], [4, 3, 6], [0, 9, 8]]])
    y, dx = once(MaxPool2D(2, stride=1), x, np.array([[[[1.0, 2], [3, 4]]]]))
    assert y.tolist() == [[[[5, 6], [9, 9]]]]
    assert dx.tolist() == [[[0, 1, 0], [0, 0, 2], [0, 7, 0]]]


def test_average_by_hand():
    x = np.array([[[1.0, 5, 2], [4, 2, 6], [0, 10, 8]]])
    y, dx = once(AveragePool2D(2, stride=1), x, np.array([[[[4.0, 8], [12, 16]]]]))
    assert y.tolist() == [[[[3, 3.75], [4, 6.5]]]]
    assert dx.tolist() == [[[1, 3, 2], [4, 10, 6], [3, 7, 4]]]


def test_without_a_stride_windows_stand_side_by_side_and_the_rest_is_left_out():
    x = np.arange(35.0).reshape(1, 5, 7)
    y, dx = once(MaxPool2D((2, 3)), x)
    assert y.tolist() == [[[[9, 12], [23, 26]]]]
    assert np.argwhere(dx[0]).tolist() == [[1, 2], [1, 5], [3, 2], [3, 5]]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_of_equal_numbers_the_first_gets_the_gradient(size):
    _, dx = once(MaxPool2D(size, stride=5), np.ones((1, 5, 5)))
    assert np.argwhere(dx[0]).tolist() == [[0, 0]]


def max_oracle(x, dy_of, size, stride):
    """Window by window: the first largest number, row by row, as the answer and the receiver of its gradient."""
    windows = sliding_window_view(x, size, axis=(2, 3))[:, :, :: stride[0], :: stride[1]]
    y = windows.max(axis=(4, 5))
    dy, dx = dy_of(y), np.zeros_like(x)
    for n, c, i, j in np.ndindex(y.shape):
        u, v = divmod(int(windows[n, c, i, j].argmax()), size[1])
        dx[n, c, i * stride[0] + u, j * stride[1] + v] += dy[n, c, i, j]
    return y, dy, dx


@settings(deadline=None, max_examples=60)
@given(shape=pictures, size=pairs, stride=pairs, seed=st.integers(0, 1000))
def test_max_is_the_oracle_with_many_ties(shape, size, stride, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(3, size=shape).astype(float)
    y, dy, dx = max_oracle(x, lambda y: rng.integers(1, 100, size=y.shape).astype(float), size, stride)
    ours = once(MaxPool2D(size, stride=stride), x, dy)
    np.testing.assert_array_equal(ours[0], y)
    np.testing.assert_array_equal(ours[1], dx)


@settings(deadline=None, max_examples=40)
@given(shape=pictures, size=pairs, stride=pairs, seed=st.integers(0, 1000))
def test_average_is_the_mean_of_the_windows(shape, size, stride, seed):
    x = np.random.default_rng(seed).normal(size=shape)
    windows = sliding_window_view(x, size, axis=(2, 3))[:, :, :: stride[0], :: stride[1]]
    np.testing.assert_allclose(once(AveragePool2D(size, stride=stride), x)[0], windows.mean(axis=(4, 5)), atol=1e-13)
    error = layer_error(AveragePool2D(size, stride=stride), shape[1:], rng=np.random.default_rng(seed))
    assert error < TOLERANCE


@pytest.mark.parametrize("kind", [MaxPool2D, AveragePool2D])
@settings(deadline=None, max_examples=60)
@given(shape=pictures, size=pairs, stride=pairs, tied=st.booleans(), seed=st.integers(0, 1000))
def test_agrees_with_pytorch(kind, shape, size, stride, tied, seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    x = rng.integers(3, size=shape).astype(float) if tied else rng.normal(size=shape)
    theirs = torch.tensor(x, requires_grad=True)
    pool = torch.nn.functional.max_pool2d if kind is MaxPool2D else torch.nn.functional.avg_pool2d
    expected = pool(theirs, size, stride)
    dy = rng.normal(size=expected.shape)
    expected.backward(torch.tensor(dy))
    y, dx = once(kind(size, stride=stride), x, dy)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(dx, theirs.grad.numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", [MaxPool2D, AveragePool2D])
def test_a_picture_that_is_not_square(kind):
    y, dx = once(kind((1, 4), stride=(2, 1)), np.ones((3, 2, 5, 6), np.float32))
    assert y.shape == (3, 2, 3, 3)
    assert dx.shape == (3, 2, 5, 6)
    assert y.dtype == dx.dtype == np.float32


@pytest.mark.parametrize("kind", [MaxPool2D, AveragePool2D])
def test_a_spec_builds_the_same_layer(kind):
    layer = kind([2, 3], stride=1)
    given = layer.spec()
    assert given.pop("layer") == kind.__name__
    assert kind(**given).spec() == layer.spec()


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: MaxPool2D(0), "MaxPool2D size must be a whole number of at least 1, or two .* found 0"),
        (lambda: AveragePool2D(2, stride=0.5), "AveragePool2D stride must be a whole number .* found 0.5"),
        (lambda: Network([MaxPool2D(4)], (3, 8)), "MaxPool2D 4×4 does not fit into a picture of 3×8 pixels"),
        (lambda: Network([MaxPool2D(2)], (9,)), r"MaxPool2D takes pictures, .* found rows of shape \(9,\)"),
    ],
)
def test_refusals(build, sentence):
    with pytest.raises(UsageError, match=sentence):
        build()
