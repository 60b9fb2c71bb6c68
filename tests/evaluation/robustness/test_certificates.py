"""Certificates against a linear network, whose true radius is known, SciPy's exact bounds, and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from robust_nets import small_net, two_classes
from scipy import stats

from pipeline.errors import UsageError
from pipeline.evaluation.robustness import certificates
from pipeline.evaluation.robustness.certificates import ABSTAIN, Certificates, certify, lower_bound
from pipeline.nn.layers import Conv2D, Dense, Flatten, ReLU
from pipeline.nn.network import Network


def test_bounds_are_the_exact_ones():
    for hits, n in ((1, 10), (7, 10), (990, 1000), (10_000, 10_000)):
        expected = stats.binomtest(hits, n, alternative="greater").proportion_ci(0.999, method="exact").low
        assert lower_bound(np.array([hits]), n, 0.001)[0] == pytest.approx(expected, rel=1e-9)
    assert lower_bound(np.array([0]), 10, 0.001)[0] == 0
    # All of n: pⁿ = α. For n = 100,000 and α = 0.001, 0.9999309 and a radius of 3.81 σ.
    assert lower_bound(np.array([100_000]), 100_000, 0.001)[0] == pytest.approx(0.9999309, abs=1e-7)


@settings(deadline=None, max_examples=50)
@given(p=st.floats(0.01, 0.99), n=st.integers(1, 300), alpha=st.floats(0.0005, 0.5))
def test_bounds_lie_above_the_truth_no_more_often_than_alpha(p, n, alpha):
    hits = np.arange(n + 1)
    too_high = lower_bound(hits, n, alpha) > p * (1 + 1e-9)
    assert stats.binom.pmf(hits, n, p)[too_high].sum() <= alpha * (1 + 1e-6)


def test_radii_on_a_linear_network_are_below_the_true_ones_and_close():
    network, w, images = two_classes()
    bias = float(network.layers[1].params["bias"][1])
    value = images.reshape(400, -1) @ w + bias
    true = np.abs(value) / np.linalg.norm(w)
    found = certify(network, images, sigma=0.25, n=20_000, rng=np.random.default_rng(0))
    # A claim is wrong with probability 0.001; two of 400 would be bad luck indeed.
    assert np.sum(found.radius > true) <= 1
    sure = found.classes != ABSTAIN
    assert np.array_equal(found.classes[sure], (value > 0)[sure])
    assert np.all(true[~sure] < 0.02)
    inside = true < 2 * 0.25  # where 20,000 samples still see the other class
    assert np.all(true[inside] - found.radius[inside] < 0.05)


def test_claims_hold_as_often_as_they_say():
    # 300 fresh certificates of one row at α 0.2: those above its true radius are Binomial(300, at most 0.2).
    network, w, images = two_classes()
    row = images[:1]
    true = abs(float(row.reshape(-1) @ w + network.layers[1].params["bias"][1])) / np.linalg.norm(w)
    rng = np.random.default_rng(1)
    radii = [certify(network, row, sigma=0.5, n0=20, n=200, alpha=0.2, rng=rng).radius[0] for _ in range(300)]
    wrong = int(np.sum(np.array(radii) > true))
    assert wrong <= stats.binom.ppf(0.999, 300, 0.2)
    assert wrong > 10  # or the bounds were not exact, but idle


def slow_counts(network: Network, images: np.ndarray, sigma: float, n: int, rng: np.random.Generator) -> np.ndarray:
    noise = np.float32(sigma) * rng.standard_normal((n, *network.input_shape), dtype=np.float32)
    answers = [network.logits(noise + network.to_numbers(images[i : i + 1])).argmax(axis=1) for i in range(len(images))]
    return np.stack([np.bincount(answer, minlength=network.output_shape[0]) for answer in answers])


@pytest.mark.parametrize("kind", ["dense", "convolutional", "no layer but dense"])
def test_the_fast_path_counts_what_the_slow_one_counts(kind):
    rng = np.random.default_rng(0)
    network = {
        "dense": small_net(),
        "convolutional": Network([Conv2D(4, 3), ReLU(), Flatten(), Dense(3)], (6, 6), rng=rng),
        "no layer but dense": Network([Flatten(), Dense(3, bias=False)], (6, 6), rng=rng),
    }[kind]
    images = np.random.default_rng(2).integers(0, 256, (12, 6, 6), dtype=np.uint8)
    found = certify(network, images, sigma=0.5, n0=50, n=300, alpha=0.01, rng=np.random.default_rng(7))
    twin = np.random.default_rng(7)
    chosen = slow_counts(network, images, 0.5, 50, twin).argmax(axis=1)
    votes = slow_counts(network, images, 0.5, 300, twin)[np.arange(12), chosen]
    bounds = [stats.binomtest(int(v), 300).proportion_ci(0.98, method="exact").low for v in votes]
    radius = 0.5 * stats.norm.ppf(np.maximum(bounds, 0.5))
    np.testing.assert_allclose(found.radius, radius, atol=1e-9)
    assert np.array_equal(found.classes, np.where(radius > 0, chosen, ABSTAIN))
    assert len(set(votes)) > 3 and (found.classes != ABSTAIN).any()


def test_portions_of_noise_change_nothing(monkeypatch):
    network, images = small_net(), np.random.default_rng(2).random((5, 6, 6), dtype=np.float32)
    whole = certify(network, images, sigma=0.3, n=500, rng=np.random.default_rng(0))
    monkeypatch.setattr(certificates, "NOISE_ROWS", 64)
    monkeypatch.setattr(certificates, "TILE_NUMBERS", 700)
    parts = certify(network, images, sigma=0.3, n=500, rng=np.random.default_rng(0))
    assert np.array_equal(whole.radius, parts.radius) and np.array_equal(whole.classes, parts.classes)


@settings(deadline=None, max_examples=20)
@given(sigma=st.floats(0.05, 1), n=st.integers(1, 200), alpha=st.floats(0.001, 0.4), seed=st.integers(0, 100))
def test_no_radius_is_above_what_n_samples_can_show(sigma, n, alpha, seed):
    images = np.random.default_rng(seed).random((4, 6, 6), dtype=np.float32)
    found = certify(small_net(), images, sigma=sigma, n0=5, n=n, alpha=alpha, rng=np.random.default_rng(seed))
    ceiling = sigma * max(stats.norm.ppf(alpha ** (1 / n)), 0)
    assert found.largest_radius == pytest.approx(ceiling, abs=1e-9)
    assert np.all(found.radius <= ceiling + 1e-9) and np.all(found.radius >= 0)
    assert np.array_equal(found.classes == ABSTAIN, found.radius == 0)


def test_accuracy_and_average_radius_by_hand():
    found = Certificates(np.array([0, 1, ABSTAIN, 2]), np.array([0.5, 0.25, 0.0, 0.75]), 0.25, 100, 1000, 0.001)
    labels = np.array([0, 1, 2, 1])
    assert found.accuracy(labels, [0, 0.25, 0.3, 0.5, 0.6]).tolist() == [0.5, 0.5, 0.25, 0.25, 0.0]
    assert found.average_radius(labels) == pytest.approx((0.5 + 0.25) / 4)
    with pytest.raises(UsageError, match="4 rows take as many labels"):
        found.average_radius(labels[:3])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"alpha": 0}, "alpha of a certificate must be a number above 0 and below 1, found 0."),
        ({"alpha": 1}, "alpha of a certificate must be a number above 0 and below 1, found 1."),
        ({"alpha": float("nan")}, "alpha of a certificate must be a number above 0 and below 1, found nan."),
        ({"sigma": 0}, "σ of a certificate must be a number above 0, found 0."),
        ({"n": 0}, "n of a certificate must be a whole number of at least 1, found 0."),
        ({"n0": 2.5}, "n0 of a certificate must be a whole number of at least 1, found 2.5."),
    ],
)
def test_values_out_of_range_are_refused(arguments, words):
    with pytest.raises(UsageError) as caught:
        certify(small_net(), np.zeros((1, 6, 6)), **{"sigma": 0.25, **arguments}, rng=np.random.default_rng(0))
    assert str(caught.value) == words
