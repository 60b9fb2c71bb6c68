"""Inside a network: sums that add up, units that are the right ones, neighbours that are near."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.nn.layers import Conv2D, Dense, Flatten, MaxPool2D, ReLU
from pipeline.nn.network import Network
from pipeline.prediction.inside import Gallery, hidden_activations, look_inside


def test_by_hand():
    network = Network([Flatten(), Dense(3), ReLU(), Dense(2)], (1, 2))
    first, last = network.layers[1].params, network.layers[3].params
    first["weight"][...] = [[2, -1, 1], [0, 1, 1]]
    first["bias"][...] = [0.5, 0, -4]
    last["weight"][...] = [[3, 0], [-2, 0], [5, 0]]
    last["bias"][...] = [0.25, 0]
    seen = look_inside(network, np.array([[0.25, 0.75]], np.float32), 0)
    # Hidden: 2·0.25 + 0.5 = 1; −0.25 + 0.75 = 0.5; 0.25 + 0.75 − 4 < 0, silent. Logit: 0.25 + 3·1 − 2·0.5 = 2.25.
    assert (seen.logit, seen.bias, seen.hidden) == (2.25, 0.25, 3)
    (speaker,), (opponent,) = seen.spoke_for, seen.against
    assert (speaker.number, speaker.contribution, speaker.bias) == (0, 3, 1.5)
    np.testing.assert_allclose(speaker.ink, [[1.5, 0]])
    assert (opponent.number, opponent.contribution, opponent.bias) == (1, -1, 0)
    np.testing.assert_allclose(opponent.ink, [[0.5, -1.5]])
    assert seen.rest == pytest.approx(0)


NETWORKS = {
    "dense": [Flatten(), Dense(30), ReLU(), Dense(4)],
    "deep": [Flatten(), Dense(20), ReLU(), Dense(12), ReLU(), Dense(4)],
    "convolutional": [Conv2D(5, kernel=3), ReLU(), MaxPool2D(2), Flatten(), Dense(9), ReLU(), Dense(4)],
    "no hidden layer": [Flatten(), Dense(4)],
}


@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS.keys())
@pytest.mark.parametrize("label", [0, 3])
def test_the_parts_add_up_to_the_logit(layers, label):
    network = Network(layers, (8, 8), rng=np.random.default_rng(3))
    image = np.random.default_rng(4).integers(0, 256, (8, 8), dtype=np.uint8)
    seen = look_inside(network, image, label, most=3)
    parts = [unit.contribution for unit in (*seen.spoke_for, *seen.against)]
    assert seen.bias + sum(parts) + seen.rest == pytest.approx(float(network.logits(image[None])[0, label]), abs=1e-4)
    most, least = parts[: len(seen.spoke_for)], parts[len(seen.spoke_for) :]
    assert all(part > 0 for part in most) and most == sorted(most, reverse=True)
    assert all(part < 0 for part in least) and least == sorted(least)
    for unit in seen.spoke_for:  # without biases a ReLU network is its gradient times its input
        assert unit.bias == pytest.approx(0, abs=1e-4)


def test_feature_maps_are_what_the_convolution_gives():
    network = Network([Conv2D(2, kernel=3), ReLU(), Flatten(), Dense(2)], (5, 5))
    kernel = network.layers[0].params["weight"]
    kernel[...] = 0
    image = np.zeros((5, 5), np.float32)
    image[1, 2] = 1
    network.layers[0].params["bias"][...] = [0.5, -1]
    ((name, maps),) = look_inside(network, image, 0).maps
    assert "Conv2D" in name
    np.testing.assert_allclose(maps, np.stack([np.full((3, 3), 0.5), np.zeros((3, 3))]))


def test_a_gallery_finds_what_excites_and_what_is_near():
    network = Network(NETWORKS["dense"], (8, 8), rng=np.random.default_rng(0))
    images = np.random.default_rng(1).integers(0, 256, (300, 8, 8), dtype=np.uint8)
    gallery = Gallery(network, images, np.zeros(300, int))
    hidden = hidden_activations(network, images)
    places = gallery.exciting(7, 5)
    assert hidden[places, 7].min() >= np.delete(hidden[:, 7], places).max()
    changed = images[42].copy()
    changed[0, 0] ^= 8
    distances = np.linalg.norm(hidden - hidden_activations(network, changed[None]), axis=1)
    np.testing.assert_array_equal(gallery.nearest(changed, 4), np.argsort(distances)[:4])
    assert gallery.nearest(changed, 1)[0] == 42
