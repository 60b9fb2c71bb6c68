"""Ensemble weights: what weight each member's probabilities get, chosen on rows that no member was trained on.

The weights are those of a mixture: the rows' likelihood under Σ w·p is concave in w, and expectation-maximisation
(Dempster, Laird and Rubin 1977) climbs to its one maximum without a step size.
"""

from collections.abc import Callable

import numpy as np

STEPS = 500
STILL = 1e-7  # no weight moves by more: the maximum is reached as far as any answer could tell
SMALLEST = 1e-12  # a probability of exactly 0 for the true class would decide alone


def mixture_weights(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Weights (members,), at least 0 and adding up to 1, of the largest likelihood.

    probabilities (members, n, classes), labels (n,) class indices.
    """
    true = np.maximum(probabilities[:, np.arange(len(labels)), labels].astype(np.float64), SMALLEST)
    weights = np.full(len(true), 1.0 / len(true))
    for _ in range(STEPS):
        before = weights
        weights = weights * (true / (weights @ true)).mean(axis=1)
        weights /= weights.sum()
        if np.abs(weights - before).max() < STILL:
            break
    return weights


def blended(probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Σ w·p: (n, classes) from probabilities (members, n, classes) and weights (members,)."""
    return np.tensordot(weights, probabilities, axes=1)


def views_help(views: np.ndarray, labels: np.ndarray) -> bool:
    """Whether averaging over all views gets more rows right than the first view alone.

    views (members, views, n, classes): probabilities; the first view is the picture as it is. The members' plain
    average is what is looked at.
    """
    members = views.mean(axis=0)
    alone = (members[0].argmax(axis=1) == labels).sum()
    return bool((members.mean(axis=0).argmax(axis=1) == labels).sum() > alone)


def nested_out_of_fold(
    views: np.ndarray,
    labels: np.ndarray,
    fold: np.ndarray,
    choose: Callable[[np.ndarray, np.ndarray], tuple[bool, np.ndarray]],
) -> np.ndarray:
    """Honest probabilities (n, classes) of the ensemble: each fold's by what the other folds chose.

    views (members, views, n, classes) out-of-fold probabilities, labels (n,), fold (n,) of each row.
    choose(views, labels) → (whether to average over the views, weights of the members).
    """
    honest = np.empty(views.shape[2:], np.float64)
    for number in np.unique(fold):
        here = fold == number
        averaged, weights = choose(views[:, :, ~here], labels[~here])
        honest[here] = blended(average_views(views[:, :, here], averaged), weights)
    return honest


def average_views(views: np.ndarray, averaged: bool) -> np.ndarray:
    """(members, n, classes): the average of views (members, views, n, classes), or the first of them."""
    return views.mean(axis=1) if averaged else views[:, 0]
