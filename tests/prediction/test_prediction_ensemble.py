"""Networks that answer together in one product, and which pixels spoke for an answer."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.nn.layers import BatchNorm, Dense, Flatten, ReLU, Tanh
from pipeline.nn.network import Network
from pipeline.prediction.ensemble import Ensemble, saliency
from pipeline.prediction.reader import Reader

NETWORKS = {
    "dense": [[Flatten(), Dense(7), ReLU(), Dense(5), Tanh(), Dense(3)] for _ in range(3)],
    "one": [[Flatten(), Dense(3, bias=False)]],
    "of two shapes": [[Flatten(), Dense(4), ReLU(), Dense(3)], [Flatten(), Dense(6), ReLU(), Dense(3)]],
    "with other layers": [[Flatten(), Dense(4), BatchNorm(), ReLU(), Dense(3)] for _ in range(2)],
}


@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS.keys())
def test_together_they_say_what_each_says_alone(layers):
    networks = [Network(each, (4, 4), rng=np.random.default_rng(i)) for i, each in enumerate(layers)]
    images = np.random.default_rng(9).integers(0, 256, (5, 4, 4), dtype=np.uint8)
    logits, _ = Ensemble(networks).forward(images)
    np.testing.assert_allclose(logits, [network.logits(images) for network in networks], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS.keys())
def test_the_gradient_is_the_slope(layers):
    rng = np.random.default_rng(1)
    networks = [Network(each, (4, 4), rng=rng, dtype="float64") for each in layers]
    image, way = rng.random((1, 4, 4)), rng.standard_normal((1, 4, 4))
    ensemble, h = Ensemble(networks), 1e-6
    logits, backward = ensemble.forward(image)
    d = rng.standard_normal(logits.shape)
    gradient = backward(d)
    assert gradient.shape == (len(networks), 1, 4, 4)
    up, down = (ensemble.forward(image + step * way)[0] for step in (h, -h))
    slope = ((up - down) / (2 * h) * d).sum(axis=(1, 2))
    np.testing.assert_allclose((gradient * way).sum(axis=(1, 2, 3)), slope, rtol=1e-5)


def test_saliency_of_a_linear_network_is_its_weights():
    network = Network([Flatten(), Dense(2)], (2, 2))
    network.layers[1].params["weight"][...] = [[4, 0], [0, 8], [1, 1], [2, 0]]
    image = np.array([[1, 0.5], [1, 0]], np.float32)
    # Class 0 against class 1, weight by weight: 4, −8, 0, 2; times the pixels: 4, −4, 0, 0; over the largest.
    logits, backward = Ensemble([network]).forward(image[None])
    np.testing.assert_allclose(saliency(logits, backward, image, 0, 1), [[1, -1], [0, 0]])


def test_a_temperature_divides_the_logits(make_pair):
    hot, plain = make_pair
    image = np.zeros((1, 2, 2), np.uint8)
    # Logits 2 and 0 are the biases: e² / (1 + e²) = 0.880797; at temperature 2 the logits are 1 and 0: 0.731059.
    assert Reader((plain,), "", None, 0.5).probabilities(image)[0, 0] == pytest.approx(0.880797, abs=1e-6)
    assert Reader((hot,), "", None, 0.5).probabilities(image)[0, 0] == pytest.approx(0.731059, abs=1e-6)
    assert Reader((hot, plain), "", None, 0.5).probabilities(image)[0, 0] == pytest.approx(0.805928, abs=1e-6)


@pytest.fixture
def make_pair():
    from pipeline.prediction.model_file import Model

    def model(about):
        network = Network([Flatten(), Dense(2)], (2, 2))
        network.layers[1].params["bias"][...] = [2, 0]
        return Model(network, np.arange(2), 2, about)

    return model({"pictures": {"temperature": 2.0}}), model({})
