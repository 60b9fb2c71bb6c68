"""Losses: values worked by hand, SciPy as an outside oracle, huge logits, gradients, and refusals."""

import numpy as np
import pytest
from gradient_check import TOLERANCE, loss_error
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from pipeline.errors import UsageError
from pipeline.nn.losses import LOSSES, MSE, AbsoluteError, BinaryCrossEntropy, Poisson, SoftmaxCrossEntropy, softmax
from pipeline.nn.workspace import Pass

LOG3 = np.log(3.0)


def test_softmax_by_hand():
    np.testing.assert_allclose(softmax(np.log([[1.0, 2.0, 5.0]])), [[0.125, 0.25, 0.625]], rtol=1e-14)


def test_softmax_of_huge_logits():
    found = softmax(np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]]))
    np.testing.assert_allclose(found, [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]], rtol=1e-15)


def test_cross_entropy_by_hand():
    # Probabilities 1/4, 3/4: the loss of class 0 is log 4, its gradient (1/4 − 1, 3/4).
    value, d = SoftmaxCrossEntropy()(np.array([[0.0, LOG3]]), np.array([0]), Pass())
    assert value == pytest.approx(np.log(4), rel=1e-14)
    np.testing.assert_allclose(d, [[-0.75, 0.75]], rtol=1e-14)


def test_label_smoothing_by_hand():
    # ε = 0.2, two classes: targets 0.9 and 0.1, so 0.9·log 4 + 0.1·log(4/3).
    value, d = SoftmaxCrossEntropy(label_smoothing=0.2)(np.array([[0.0, LOG3]]), np.array([0]), Pass())
    assert value == pytest.approx(0.9 * np.log(4) + 0.1 * np.log(4 / 3), rel=1e-14)
    np.testing.assert_allclose(d, [[0.25 - 0.9, 0.75 - 0.1]], rtol=1e-14)


def test_a_row_that_counts_three_times_is_three_rows():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2, 4))
    labels = np.array([1, 3])
    loss = SoftmaxCrossEntropy(label_smoothing=0.1)
    weighted = loss(z, labels, Pass(), np.array([3.0, 1.0]))
    repeated = loss(z[[0, 0, 0, 1]], labels[[0, 0, 0, 1]], Pass())
    assert weighted[0] == pytest.approx(repeated[0], rel=1e-14)
    np.testing.assert_allclose(weighted[1][0], repeated[1][:3].sum(axis=0), rtol=1e-12)


def test_class_weights_are_weights_of_the_rows_of_a_class():
    z = np.random.default_rng(1).normal(size=(3, 2))
    labels = np.array([0, 1, 1])
    by_class = SoftmaxCrossEntropy(class_weight=[5.0, 2.0])(z, labels, Pass(), np.array([1.0, 1.0, 3.0]))
    by_row = SoftmaxCrossEntropy()(z, labels, Pass(), np.array([5.0, 2.0, 6.0]))
    assert by_class[0] == by_row[0]
    np.testing.assert_array_equal(by_class[1], by_row[1])


def test_mse_by_hand():
    value, d = MSE()(np.array([[1.0, 2.0], [0.0, 4.0]]), np.array([[0.0, 2.0], [2.0, 1.0]]), Pass())
    assert value == (1 + 0 + 4 + 9) / 4
    np.testing.assert_array_equal(d, [[0.5, 0.0], [-1.0, 1.5]])


def test_absolute_error_by_hand():
    value, d = AbsoluteError()(np.array([[1.0, 2.0], [0.0, 4.0]]), np.array([[0.0, 2.0], [2.0, 1.0]]), Pass())
    assert value == (1 + 0 + 2 + 3) / 4
    np.testing.assert_array_equal(d, [[0.25, 0.0], [-0.25, 0.25]])


def test_poisson_by_hand():
    # ŷ = 3 for t = 1: −log 3 − 1 + 3; ŷ = 1 for t = 0: 0·log 0 counts as 0, so 1. Gradients ŷ − t by four.
    value, d = Poisson()(np.array([[LOG3, 0.0], [0.0, LOG3]]), np.array([[1.0, 0.0], [1.0, 3.0]]), Pass())
    assert value == pytest.approx((2 - LOG3 + 1 + 0 + 0) / 4, rel=1e-14)
    np.testing.assert_allclose(d, [[0.5, 0.25], [0, 0]], atol=1e-15)
    with pytest.raises(UsageError, match="targets of at least 0, found -1"):
        Poisson()(np.array([[1.0]]), np.array([[-1.0]]), Pass())


def test_binary_cross_entropy_by_hand():
    # σ(log 3) = 3/4: a yes costs log(4/3), a no costs log 4.
    value, d = BinaryCrossEntropy()(np.array([[LOG3, LOG3]]), np.array([[1.0, 0.0]]), Pass())
    assert value == pytest.approx((np.log(4 / 3) + np.log(4)) / 2, rel=1e-14)
    np.testing.assert_allclose(d, [[-0.125, 0.375]], rtol=1e-14)


@pytest.mark.parametrize("loss", [MSE(), BinaryCrossEntropy()])
def test_class_indices_stand_for_one_hot_targets(loss):
    z = np.random.default_rng(2).normal(size=(3, 4))
    by_index = loss(z, np.array([2, 0, 3]), Pass())
    by_target = loss(z, np.eye(4)[[2, 0, 3]], Pass())
    assert by_index[0] == by_target[0]
    np.testing.assert_array_equal(by_index[1], by_target[1])


@settings(deadline=None, derandomize=True, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 6), k=st.integers(2, 6), scale=st.sampled_from([1, 30, 1e4]))
def test_against_scipy(seed, n, k, scale):
    rng = np.random.default_rng(seed)
    z = rng.uniform(-scale, scale, size=(n, k))
    labels = rng.integers(k, size=n)
    t = rng.integers(2, size=(n, k)).astype(float)
    log_probabilities = special.log_softmax(z, axis=1)
    value, d = SoftmaxCrossEntropy()(z, labels, Pass())
    assert value == pytest.approx(-np.mean(log_probabilities[range(n), labels]), rel=1e-12, abs=1e-300)
    np.testing.assert_allclose(d, (np.exp(log_probabilities) - np.eye(k)[labels]) / n, atol=1e-15)
    value, d = BinaryCrossEntropy()(z, t, Pass())
    assert value == pytest.approx(-np.mean(special.log_expit(np.where(t == 1, z, -z))), rel=1e-12, abs=1e-300)
    np.testing.assert_allclose(d, (special.expit(z) - t) / (n * k), atol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_of_ten_thousand(dtype):
    z = np.array([[1e4, -1e4, 0.0]], dtype)
    for label, expected in ((0, 0.0), (1, 2e4), (2, 1e4)):
        value, d = SoftmaxCrossEntropy()(z, np.array([label]), Pass())
        assert value == expected
        np.testing.assert_array_equal(d, [np.eye(3)[0] - np.eye(3)[label]])
    value, d = BinaryCrossEntropy()(z, np.array([[0.0, 1.0, 1.0]]), Pass())
    assert value == pytest.approx((1e4 + 1e4 + np.log(2)) / 3, rel=1e-6)
    np.testing.assert_allclose(d, [[1 / 3, -1 / 3, -1 / 6]], rtol=1e-6)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 5),
    k=st.integers(2, 5),
    smoothing=st.sampled_from([0.0, 0.1]),
    row_weights=st.booleans(),
    class_weights=st.booleans(),
)
def test_gradients(seed, n, k, smoothing, row_weights, class_weights):
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.5, 3, n) if row_weights else None
    classes = rng.uniform(0.5, 3, k).tolist() if class_weights else None
    z = rng.normal(size=(n, k))
    labels, targets = rng.integers(k, size=n), rng.uniform(size=(n, k))
    for loss, t in (
        (SoftmaxCrossEntropy(label_smoothing=smoothing, class_weight=classes), labels),
        (MSE(), targets),
        (BinaryCrossEntropy(), targets),
        (AbsoluteError(), targets),
        (Poisson(), 3 * targets),
    ):
        assert loss_error(loss, z, t, weights, rng=rng) < TOLERANCE


@pytest.mark.parametrize("kind", LOSSES.values())
def test_the_check_sees_a_gradient_that_is_wrong(kind):
    def faulty(*arguments):
        value, d = kind()(*arguments)
        d[0, 0] += 1e-5
        return value, d

    z = np.random.default_rng(0).normal(size=(3, 4))
    assert loss_error(faulty, z, np.array([0, 1, 2]), rng=np.random.default_rng(0)) > TOLERANCE


@pytest.mark.parametrize("kind", LOSSES.values())
def test_a_batch_in_which_no_row_counts_changes_nothing(kind):
    value, d = kind()(np.ones((2, 3)), np.array([0, 1]), Pass(), np.zeros(2))
    assert value == 0
    assert not d.any()


@pytest.mark.parametrize("kind", LOSSES.values())
def test_float32_stays_float32(kind):
    d = kind()(np.ones((2, 3), np.float32), np.array([0, 1]), Pass(), np.ones(2))[1]
    assert d.dtype == np.float32


Z = np.zeros((2, 3))


@pytest.mark.parametrize(
    ("loss", "outputs", "targets", "weights", "sentence"),
    [
        (SoftmaxCrossEntropy(), Z, np.array([0, 3]), None, "Labels must be 0 to 2 .* of 3 outputs, found 3"),
        (SoftmaxCrossEntropy(), Z, np.array([-1, 0]), None, "found -1"),
        (SoftmaxCrossEntropy(), Z, np.array([0.0, 1.0]), None, "whole numbers, one a row, found float64"),
        (SoftmaxCrossEntropy(), Z, np.array([0]), None, r"Labels must be 2 whole numbers.*shape \(1,\)"),
        (SoftmaxCrossEntropy(), np.zeros((2, 3, 3)), np.array([0, 1]), None, r"outputs of shape \(rows, outputs\)"),
        (SoftmaxCrossEntropy(), Z[:0], np.array([], int), None, "found none"),
        (SoftmaxCrossEntropy(class_weight=[1, 2]), Z, np.array([0, 1]), None, "class_weight has 2 numbers"),
        (SoftmaxCrossEntropy(), Z, np.array([0, 1]), np.ones(3), r"weights of 2 rows must be of shape \(2,\)"),
        (SoftmaxCrossEntropy(), Z, np.array([0, 1]), np.array([1, -1]), "weights of rows must be finite"),
        (SoftmaxCrossEntropy(), Z, np.array([0, 1]), np.array([1, np.nan]), "weights of rows must be finite"),
        (MSE(), Z, np.zeros((2, 2)), None, r"outputs' shape \(2, 3\), found \(2, 2\)"),
        (MSE(), Z, np.array([0.5, 1.0]), None, "Labels must be 2 whole numbers"),
        (MSE(), Z[:, :1], np.array([0.5, 1.0]), None, r"outputs' shape \(2, 1\), found \(2,\)"),
        (MSE(), Z, np.full((2, 3), np.nan), None, "Targets must be finite"),
        (BinaryCrossEntropy(), Z, np.full((2, 3), 1.5), None, "targets from 0 to 1, found 1.5"),
        (BinaryCrossEntropy(), Z, np.full((2, 3), np.nan), None, "Targets must be finite"),
    ],
)
def test_refusals(loss, outputs, targets, weights, sentence):
    with pytest.raises(UsageError, match=sentence):
        loss(outputs, targets, Pass(), weights)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"label_smoothing": 1.0}, "label_smoothing must be a number at least 0 and below 1, found 1.0"),
        ({"label_smoothing": float("nan")}, "found nan"),
        ({"class_weight": [1.0, 0.0]}, "class_weight of each class must be a number above 0, found 0.0"),
        ({"class_weight": [1.0, float("inf")]}, "found inf"),
        ({"class_weight": 2.0}, "a list of one number for each class, found 2.0"),
    ],
)
def test_arguments_that_cannot_be(arguments, sentence):
    with pytest.raises(UsageError, match=sentence):
        SoftmaxCrossEntropy(**arguments)
