"""Batch normalisation: worked values, running moments, both gradients, PyTorch, and that models keep the moments."""

import numpy as np
import pytest
from gradient_check import TOLERANCE, layer_error, network_error
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.nn.layers import BatchNorm, Conv2D, Dense, Flatten
from pipeline.nn.losses import SoftmaxCrossEntropy
from pipeline.nn.network import Network
from pipeline.nn.workspace import Pass
from pipeline.prediction import model_file as model

shapes = st.one_of(st.tuples(st.integers(1, 4)), st.tuples(*[st.integers(1, 4)] * 3))


def alone(shape, dtype="float64", **arguments):
    layer = BatchNorm(**arguments)
    return layer, Network([layer], shape, rng=np.random.default_rng(0), dtype=dtype)


def test_two_features_by_hand():
    """Feature 1: 1, 3 → mean 2, variance 1. Feature 2: 0, 8 → mean 4, variance 16."""
    layer, network = alone((2,), epsilon=1e-12)
    layer.params["gamma"][...] = [1, 10]
    layer.params["beta"][...] = [0, 5]
    y, backward = network.forward(np.array([[1.0, 0], [3, 8]]), Pass(train=True))
    np.testing.assert_allclose(y, [[-1, -5], [1, 15]], atol=1e-10)
    backward(np.array([[1.0, 0], [4, 1]]))
    np.testing.assert_allclose(layer.grads["beta"], [5, 1])
    np.testing.assert_allclose(layer.grads["gamma"], [3, 1])


def test_epsilon_is_added_to_the_variance():
    _, network = alone((1,), epsilon=3.0)
    y, _ = network.forward(np.array([[1.0], [3.0]]), Pass(train=True))
    assert y.tolist() == [[-0.5], [0.5]]  # ±1 / √(1 + 3)


def test_running_moments_by_hand():
    """From mean 0 and variance 1, a quarter of the way to mean 2 and unbiased variance 2."""
    layer, network = alone((1,), momentum=0.25, epsilon=0.75)
    x = np.array([[1.0], [3.0]])
    network.forward(x, Pass(train=True))
    assert layer.state["mean"].tolist() == [0.5]
    assert layer.state["variance"].tolist() == [1.25]
    y, _ = network.forward(x, Pass())
    np.testing.assert_allclose(y, (x - 0.5) / np.sqrt(2))
    assert layer.state["mean"].tolist() == [0.5]  # only training moves them


def test_a_channel_is_normalised_over_rows_and_pixels():
    x = np.random.default_rng(1).normal(5, 3, size=(33, 2, 4, 5))
    _, network = alone((2, 4, 5))
    for input_is_in_blocks in (False, True):
        if input_is_in_blocks:  # a convolution that changes nothing turns them into blocks
            network = Network(
                [Conv2D(2, 1, bias=False), BatchNorm()], (2, 4, 5), rng=np.random.default_rng(0), dtype="float64"
            )
            network.layers[0].params["weight"][...] = np.eye(2)[:, :, None, None]
        y, _ = network.forward(x, Pass(train=True))
        np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-12)
        np.testing.assert_allclose(y.var(axis=(0, 2, 3)), 1, atol=1e-5)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), shape=shapes, train=st.booleans(), epsilon=st.sampled_from([1e-5, 0.1]))
def test_gradient(seed, shape, train, epsilon):
    rng = np.random.default_rng(seed)
    assert layer_error(BatchNorm(epsilon=epsilon), shape, rng=rng, train=train) < TOLERANCE


def test_the_check_sees_a_gradient_that_takes_the_moments_for_constants():
    class Faulty(BatchNorm):
        def forward(self, x, ctx):
            y, backward = super().forward(x, ctx)

            def wrong(dy):
                backward(dy)
                return dy * self.params["gamma"] / np.sqrt(x.var(axis=0) + self.epsilon)

            return y, wrong

    assert layer_error(Faulty(), (3,), rng=np.random.default_rng(0), train=True) > TOLERANCE


@settings(deadline=None, max_examples=40)
@given(shape=shapes, n=st.integers(2, 20), seed=st.integers(0, 1000))
def test_agrees_with_pytorch(shape, n, seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    layer, network = alone(shape)
    network.params[...] = rng.normal(size=network.params.size)
    theirs = (torch.nn.BatchNorm1d if len(shape) == 1 else torch.nn.BatchNorm2d)(shape[0]).double()
    for name, parameter in (("gamma", theirs.weight), ("beta", theirs.bias)):
        parameter.data = torch.tensor(layer.params[name].copy())
    for train in (True, True, False):
        theirs.train(train)
        x = torch.tensor(rng.normal(3, 2, size=(n, *shape)), requires_grad=True)
        theirs.zero_grad()
        expected = theirs(x)
        dy = rng.normal(size=expected.shape)
        expected.backward(torch.tensor(dy))
        y, backward = network.forward(x.detach().numpy(), Pass(train=train, wants_input_gradient=True))
        dx = backward(dy)
        for ours, other in [
            (y, expected),
            (dx, x.grad),
            (layer.grads["gamma"], theirs.weight.grad),
            (layer.grads["beta"], theirs.bias.grad),
            (layer.state["mean"], theirs.running_mean),
            (layer.state["variance"], theirs.running_var),
        ]:
            np.testing.assert_allclose(ours, other.detach().numpy(), rtol=1e-10, atol=1e-9)


def test_a_batch_of_one_row_gives_beta():
    layer, network = alone((3,))
    layer.params["beta"][...] = [1, 2, 3]
    y, backward = network.forward(np.array([[5.0, 6, 7]]), Pass(train=True, wants_input_gradient=True))
    assert y.tolist() == [[1, 2, 3]]
    assert backward(np.ones((1, 3))).tolist() == [[0, 0, 0]]
    assert np.isfinite(layer.state["variance"]).all()


def test_float32_with_a_mean_far_from_zero():
    """Σx² − n·mean² would lose every digit here."""
    x = (1000 + np.random.default_rng(0).normal(size=(512, 1))).astype(np.float32)
    _, network = alone((1,), dtype="float32")
    y, _ = network.forward(x, Pass(train=True))
    exact = x.astype(np.float64)
    np.testing.assert_allclose(y, (exact - exact.mean()) / np.sqrt(exact.var() + 1e-5), atol=1e-3)
    assert y.dtype == np.float32


def trained_net():
    layers = [Conv2D(3, 3), BatchNorm(), Flatten(), Dense(4), BatchNorm(), Dense(2)]
    network = Network(layers, (6, 6), rng=np.random.default_rng(1))
    x = np.random.default_rng(2).random((32, 6, 6), np.float32)
    network.forward(x, Pass(train=True))
    return network, x


def test_threads_do_not_change_the_moments():
    rng = np.random.default_rng(3)
    x, d = rng.random((64, 6, 6), np.float32), rng.random((64, 2), np.float32)
    results = set()
    for threads in (1, 2, 3):
        network, _ = trained_net()
        y, backward = network.forward(x, Pass(train=True, threads=threads))
        backward(d)
        results.add((y.tobytes(), network.grads.tobytes(), network.values.tobytes()))
    assert len(results) == 1


def test_values_hold_parameters_and_moments():
    network, x = trained_net()
    assert network.values.size == network.params.size + 2 * 3 + 2 * 4
    copy = Network([type(layer)(**spec_arguments(layer)) for layer in network.layers], (6, 6))
    copy.values[...] = network.values
    np.testing.assert_array_equal(copy.logits(x), network.logits(x))


def spec_arguments(layer):
    return {name: value for name, value in layer.spec().items() if name != "layer"}


def test_a_model_file_keeps_the_moments(tmp_path):
    network, x = trained_net()
    model.save(model.Model(network, np.array([0, 1]), 6, {}), tmp_path / "net.safetensors")
    loaded = model.load(tmp_path / "net.safetensors").network
    assert loaded.layers[1].state["mean"].any()
    np.testing.assert_array_equal(loaded.logits(x), network.logits(x))


def test_a_whole_network_in_training():
    network, _ = trained_net()
    network = Network(network.layers, (6, 6), rng=np.random.default_rng(4), dtype="float64")
    rng = np.random.default_rng(5)
    x, labels = rng.random((20, 6, 6)), rng.integers(2, size=20)
    assert network_error(network, SoftmaxCrossEntropy(), x, labels, rng=rng, train=True) < TOLERANCE


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: BatchNorm(momentum=0), "BatchNorm momentum must be a number above 0 and at most 1, found 0."),
        (lambda: BatchNorm(epsilon=0.0), "BatchNorm epsilon must be a number above 0, found 0.0."),
        (
            lambda: Network([BatchNorm()], (8, 8)),
            "BatchNorm takes rows (features,) or pictures (channels, height, width), ",
        ),
    ],
)
def test_refusals(build, sentence):
    with pytest.raises(UsageError) as caught:
        build()
    assert str(caught.value).startswith(sentence)
