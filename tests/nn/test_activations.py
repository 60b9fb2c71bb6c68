"""Activations and dropout: worked values, huge inputs, gradients, and faults that the check must see."""

import numpy as np
import pytest
from gradient_check import TOLERANCE, layer_error
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.nn.layers import ACTIVATIONS, GELU, Dropout, Flatten, LeakyReLU, Linear, ReLU, Sigmoid, Softplus, Tanh
from pipeline.nn.layers.activations import sigmoid
from pipeline.nn.workspace import Pass

# Values from tables: σ(2), tanh 1, Φ(1) = 0.841344746…, log(1 + e).
WORKED = [
    (Linear(), [-2.0, 0.0, 3.0], [-2.0, 0.0, 3.0]),
    (Sigmoid(), [-2.0, 0.0, 2.0], [0.11920292202211755, 0.5, 0.8807970779778825]),
    (ReLU(), [-2.0, 0.0, 3.0], [0.0, 0.0, 3.0]),
    (LeakyReLU(0.25), [-2.0, 0.0, 3.0], [-0.5, 0.0, 3.0]),
    (LeakyReLU(), [-100.0], [-1.0]),
    (Tanh(), [0.0, 1.0], [0.0, 0.7615941559557649]),
    (GELU(), [-1.0, 0.0, 1.0], [-0.15865525393145707, 0.0, 0.8413447460685429]),
    (Softplus(), [-1.0, 0.0, 1.0], [0.31326168751822286, 0.6931471805599453, 1.3132616875182228]),
]


@pytest.mark.parametrize(("layer", "x", "y"), WORKED, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_worked_values(layer, x, y, dtype):
    found, _ = layer.forward(np.array([x], dtype), Pass())
    assert found.dtype == dtype
    np.testing.assert_allclose(found, [y], rtol=1e-14 if dtype == "float64" else 1e-6)


@pytest.mark.parametrize("layer", [kind() for kind in ACTIVATIONS], ids=lambda layer: type(layer).__name__)
@settings(deadline=None, derandomize=True, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), shape=st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_gradient(layer, seed, shape):
    assert layer_error(layer, tuple(shape), rng=np.random.default_rng(seed)) < TOLERANCE


@pytest.mark.parametrize("layer", [kind() for kind in ACTIVATIONS], ids=lambda layer: type(layer).__name__)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_huge_inputs_give_their_limits(layer, dtype):
    x = np.array([[-1e4, 1e4]], dtype)
    y, backward = layer.forward(x, Pass(wants_input_gradient=True))
    slopes = backward(np.ones_like(x))
    bounded = {Sigmoid: ([0, 1], [0, 0]), Tanh: ([-1, 1], [0, 0])}
    low = {Linear: -1e4, LeakyReLU: -100.0}.get(type(layer), 0.0)
    left_slope = {Linear: 1.0, LeakyReLU: 0.01}.get(type(layer), 0.0)
    values, expected_slopes = bounded.get(type(layer), ([low, 1e4], [left_slope, 1.0]))
    np.testing.assert_allclose(y, [values], rtol=1e-6)
    np.testing.assert_allclose(slopes, [expected_slopes], rtol=1e-6)


def test_kinks_take_the_slope_of_the_left():
    x = np.zeros((1, 1))
    assert ReLU().forward(x, Pass())[1](np.ones((1, 1))) == 0
    assert LeakyReLU(0.25).forward(x, Pass())[1](np.ones((1, 1))) == 0.25


def test_sigmoid_of_very_negative_numbers_is_small_but_not_zero():
    assert sigmoid(np.array([-700.0]))[0] == pytest.approx(9.85967654375977e-305, rel=1e-12)


@pytest.mark.parametrize("kind", [Sigmoid, Tanh, GELU, Softplus, ReLU, LeakyReLU])
def test_the_check_sees_a_backward_that_is_wrong(kind):
    class Faulty(kind):
        def forward(self, x, ctx):
            y, backward = super().forward(x, ctx)
            return y, lambda dy: backward(dy) * (1 + 1e-5)

    assert layer_error(Faulty(), (4,), rng=np.random.default_rng(0)) > TOLERANCE


def test_flatten():
    x = np.arange(24.0).reshape(2, 3, 4)
    y, backward = Flatten().forward(x, Pass())
    assert y[1].tolist() == list(range(12, 24))
    assert backward(y).shape == (2, 3, 4)
    assert layer_error(Flatten(), (2, 3), rng=np.random.default_rng(0)) < TOLERANCE


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.5, 0.9])
def test_dropout_gradient(rate):
    assert layer_error(Dropout(rate), (6,), rng=np.random.default_rng(1), train=True) < TOLERANCE


def test_dropout_does_nothing_outside_of_training():
    x = np.ones((2, 3))
    assert Dropout(0.5).forward(x, Pass())[0] is x


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_zeroes_its_share_and_scales_the_rest(dtype):
    x = np.full((100, 1000), 3, dtype)
    y, backward = Dropout(0.2).forward(x, Pass(train=True, rng=np.random.default_rng(0)))
    assert np.unique(y).tolist() == [0, 3.75]
    # 100,000 draws: one standard deviation of the share is 0.0013.
    assert (y == 0).mean() == pytest.approx(0.2, abs=0.006)
    np.testing.assert_array_equal(backward(x), y)


def test_dropout_drops_the_same_units_in_both_dtypes():
    drop = Dropout(0.3)
    masks = [
        drop.forward(np.ones((5, 7), dtype), Pass(train=True, rng=np.random.default_rng(4)))[0] > 0
        for dtype in ("float32", "float64")
    ]
    np.testing.assert_array_equal(*masks)


def test_dropout_needs_a_source_of_randomness():
    with pytest.raises(UsageError, match="give the pass an rng"):
        Dropout(0.5).forward(np.ones((1, 1)), Pass(train=True))


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: Dropout(1.0), "Dropout rate must be a number at least 0 and below 1, found 1.0."),
        (lambda: Dropout(float("nan")), "Dropout rate must be a number at least 0 and below 1, found nan."),
        (lambda: Dropout(True), "Dropout rate must be a number at least 0 and below 1, found True."),
        (lambda: LeakyReLU(-0.1), "LeakyReLU slope must be a number at least 0 and below 1, found -0.1."),
        (lambda: LeakyReLU("0.1"), "LeakyReLU slope must be a number at least 0 and below 1, found '0.1'."),
    ],
)
def test_refusals(build, sentence):
    with pytest.raises(UsageError) as caught:
        build()
    assert str(caught.value) == sentence
