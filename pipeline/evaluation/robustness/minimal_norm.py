"""The distance to the nearest mistake: FMN, an attack that needs no ε.

M. Pintor, F. Roli, W. Brendel and B. Biggio, Fast Minimum-norm Adversarial Attacks through Adaptive Norm
Constraints (2021, algorithm 1): each step goes up inside a ball whose ε shrinks where the picture is misread and
grows where it is not.
"""

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from pipeline.evaluation.robustness.attacks import Ball, Target, check_rows, shortened
from pipeline.nn.network import PREDICT_ROWS, Network

SMALLEST_SHARE = 0.01  # of the first step and of the first change of ε, to which both anneal


def minimal_distances(
    network: Network, images: ndarray, labels: ndarray, norm: str, *, steps: int = 100, rng: Generator
) -> ndarray:
    """(n,) float64: the smallest change, in that norm ("Linf" or "L2"), that was found to make each row misread.

    images (n, side, side) uint8 or floats in [0, 1]; labels (n,) class indices. 0 where a row is misread as it is,
    inf where no mistake was found. An upper bound of the true distance, as every attack's. Their median is one figure
    of a network, without an ε to choose. Two climbs, the second from random places nearby. Raises UsageError.
    """
    pictures, target = check_rows(network, images, labels), Target(network)
    Ball(norm, 0.0)  # refuses other norms
    found = np.empty(len(pictures))
    for start in range(0, len(pictures), PREDICT_ROWS):
        part = slice(start, start + PREDICT_ROWS)
        clean, right = pictures[part], labels[part]
        nearest = _descend(target, clean, clean, right, norm, steps)
        reach = np.where(np.isfinite(nearest), nearest, 0.1).astype(clean.dtype)[:, None, None]
        nearby = np.clip(clean + reach * Ball(norm, 1.0).random(clean, rng=rng), 0, 1)
        found[part] = np.minimum(nearest, _descend(target, nearby, clean, right, norm, steps))
    return found


def sizes(changes: ndarray, norm: str) -> ndarray:
    """(n,) float64: the size of each of changes (n, side, side) in that norm."""
    flat = changes.reshape(len(changes), -1).astype(np.float64)
    return np.abs(flat).max(axis=1) if norm == "Linf" else np.sqrt((flat**2).sum(axis=1))


def _descend(target: Target, start: ndarray, clean: ndarray, labels: ndarray, norm: str, steps: int) -> ndarray:
    nearest = epsilon = np.full(len(clean), np.inf)
    at, rows = start.copy(), np.arange(len(labels))
    for number in range(steps + 1):
        logits = target.logits(at).copy()
        logits[rows, labels] = -np.inf
        towards = logits.argmax(axis=1)
        value, gradient, wrong = target.climb(at, labels, towards)
        size = sizes(at - clean, norm)
        nearest = np.where(wrong & (size < nearest), size, nearest)
        if number == steps:
            break
        share = SMALLEST_SHARE + (1 - SMALLEST_SHARE) * (1 + np.cos(np.pi * number / steps)) / 2
        # The dual norm: for L∞ the sum of the absolute slopes.
        slope = np.abs(gradient).sum(axis=(1, 2), dtype=np.float64) if norm == "Linf" else sizes(gradient, "L2")
        # Until a mistake is found: as far as the boundary lies if the network were linear from here on.
        guess = size + np.maximum(-value, 0) / np.maximum(slope, 1e-30)
        gamma = 0.05 * share
        grown = np.where(np.isfinite(nearest), np.minimum(epsilon * (1 + gamma), nearest), guess * 1.05)
        epsilon = np.where(wrong, np.minimum(epsilon, nearest) * (1 - gamma), grown)
        length = np.sqrt(at[0].size) * 0.1 if norm == "Linf" else 1.0
        step = at.dtype.type(share * length) * Ball("L2", 1.0).steepest(gradient)
        change = shortened(at + step - clean, norm, epsilon.astype(at.dtype)[:, None, None])
        at = np.clip(clean + change, 0, 1)
    return nearest
