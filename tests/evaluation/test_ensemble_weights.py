"""Weights of a committee, against SciPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from pipeline.evaluation.ensemble_weights import average_views, blended, mixture_weights, nested_out_of_fold, views_help


def answers(seed, members=3, n=200, classes=4):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    logits = rng.normal(size=(members, n, classes)) + 2 * np.eye(classes)[labels] * rng.random((members, 1, 1))
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True), labels


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_weights_are_the_maximum_that_scipy_finds(seed):
    probabilities, labels = answers(seed)
    true = probabilities[:, np.arange(len(labels)), labels]
    found = minimize(
        lambda w: -np.log(w @ true).mean(),
        np.full(3, 1 / 3),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-12},
    )
    ours = mixture_weights(probabilities, labels)
    assert ours.sum() == pytest.approx(1) and ours.min() >= 0
    assert -np.log(ours @ true).mean() <= found.fun + 1e-6


def test_a_member_that_is_always_right_gets_all_the_weight():
    labels = np.array([0, 1, 0, 1])
    right = np.eye(2)[labels] * 0.98 + 0.01
    weights = mixture_weights(np.stack([right, np.full((4, 2), 0.5)]), labels)
    np.testing.assert_allclose(weights, [1, 0], atol=1e-4)


def test_twins_share_the_weight_and_impossible_rows_do_not_end_it():
    labels = np.array([0, 1])
    one = np.array([[0.7, 0.3], [1.0, 0.0]])  # of the second row it says that the truth cannot be
    np.testing.assert_allclose(mixture_weights(np.stack([one, one]), labels), [0.5, 0.5])


def test_blending_by_hand():
    probabilities = np.array([[[0.8, 0.2]], [[0.4, 0.6]]])
    np.testing.assert_allclose(blended(probabilities, np.array([0.25, 0.75])), [[0.5, 0.5]])


# One member, two views, three rows, two classes: as it is, the first row is right; averaged, the first two are.
VIEWS = np.array([[[[0.9, 0.1], [0.6, 0.4], [0.8, 0.2]], [[0.6, 0.4], [0.1, 0.9], [0.6, 0.4]]]])


def test_views_are_averaged_where_more_rows_are_right():
    np.testing.assert_allclose(average_views(VIEWS, True), VIEWS.mean(axis=1))
    assert np.array_equal(average_views(VIEWS, False), VIEWS[:, 0])
    assert views_help(VIEWS, np.array([0, 1, 1]))
    assert not views_help(VIEWS, np.array([0, 0, 1]))
    assert not views_help(VIEWS[:, ::-1], np.array([0, 1, 1]))  # as many are right either way


def test_each_fold_is_answered_by_what_the_others_chose():
    asked = []

    def choose(views, labels):
        asked.append(labels.tolist())
        return len(asked) == 2, np.array([1.0])

    honest = nested_out_of_fold(VIEWS, np.array([5, 6, 7]), np.array([1, 0, 1]), choose)
    assert asked == [[5, 7], [6]]
    np.testing.assert_allclose(honest[1], VIEWS[0, 0, 1])  # fold 0: not averaged
    np.testing.assert_allclose(honest[[0, 2]], VIEWS.mean(axis=1)[0][[0, 2]])
