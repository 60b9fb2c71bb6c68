"""Which pixels spoke for an answer."""

from __future__ import annotations

import numpy as np

from pipeline.nn.layers import Dense, Flatten
from pipeline.nn.network import Network
from pipeline.prediction.saliency import saliency


def test_saliency_of_a_linear_network_is_its_weights():
    network = Network([Flatten(), Dense(2)], (2, 2))
    network.layers[1].params["weight"][...] = [[4, 0], [0, 8], [1, 1], [2, 0]]
    image = np.array([[1, 0.5], [1, 0]], np.float32)
    # Class 0 against class 1, weight by weight: 4, −8, 0, 2; times the pixels: 4, −4, 0, 0; over the largest.
    np.testing.assert_allclose(saliency(network, image, 0, 1), [[1, -1], [0, 0]])
