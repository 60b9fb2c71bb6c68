"""Accuracy against ε from both sides: what attacks leave right, and what is proven to stay right (both L∞).

The truth lies between the two lines. Above: APGD at each ε, and FMN's distance to the nearest mistake, which needs
no ε. Below: CROWN's certificates. The attacked pictures are shown to the other networks too (transfer).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from pipeline.errors import UsageError, number
from pipeline.evaluation.robustness.apgd import APGD
from pipeline.evaluation.robustness.attacks import Ball, attack, check_rows
from pipeline.evaluation.robustness.bounds import proven
from pipeline.evaluation.robustness.minimal_norm import minimal_distances
from pipeline.nn.network import Network


@dataclass(frozen=True, kw_only=True, eq=False)
class Ladders:
    """T networks on the same n rows at E values of ε, ascending.

    trained (T,) names; epsilons (E,). clean (T, n) bool: read rightly as they are. attacked (T, E, n) bool: still
    right after the attacks of at most that ε. proven (T, E, n) bool: provably right at it; provable (T,) bool: False
    where the network's layers take no proof. distances (T, n): the smallest change that was found to make the row
    misread, 0 for rows misread as they are, inf where none was. transferred (E, T, T), shares: pictures attacked
    against network i (second place) as network j (third) reads them.
    """

    trained: ndarray
    epsilons: ndarray
    clean: ndarray
    attacked: ndarray
    proven: ndarray
    provable: ndarray
    distances: ndarray
    transferred: ndarray

    def left(self, network: int, epsilons: ndarray) -> ndarray:
        """Shares of rows that the attacks leave right at those ε, the upper line; right at ε 0: clean accuracy."""
        return (self.clean[network] & (self.distances[network] > epsilons[:, None])).mean(axis=1)

    def median_distance(self, network: int) -> float:
        """The median over the rows that are read rightly as they are; inf where more than half were not moved."""
        right = self.clean[network]
        return float(np.median(self.distances[network][right])) if right.any() else 0.0


def climb(
    networks: Mapping[str, Network], images: ndarray, labels: ndarray, epsilons: Sequence[float], *, rng: Generator
) -> Ladders:
    """Attack and prove every network on images (n, side, side) uint8 or floats in [0, 1] with labels (n,).

    A row that a smaller ε has broken is not attacked again, one that is not proven at it is not tried at a larger
    one. Raises UsageError for an ε outside of (0, 1] and for rows that do not fit.
    """
    for epsilon in epsilons:
        number("ε", epsilon, above=0, at_most=1)
    steps, every = np.unique(np.asarray(epsilons, np.float64)), list(networks.values())
    shape = (len(every), len(steps), len(labels))
    clean, distances = np.empty(shape[::2], bool), np.empty(shape[::2])
    attacked, certain, provable = np.zeros(shape, bool), np.zeros(shape, bool), np.ones(len(every), bool)
    transferred = np.empty((len(steps), len(every), len(every)))
    for place, network in enumerate(every):
        pictures = check_rows(network, images, labels).copy()
        clean[place] = network.logits(images).argmax(axis=1) == labels
        distances[place] = minimal_distances(network, images, labels, "Linf", rng=rng)
        left = np.flatnonzero(clean[place])
        for step, epsilon in enumerate(steps):
            if left.size:
                found = attack(network, images[left], labels[left], APGD(), Ball("Linf", epsilon), rng=rng)
                pictures[left], broken = found.pictures, left[~found.correct]
                distances[place, broken] = np.minimum(distances[place, broken], epsilon)
                left = left[found.correct]
            attacked[place, step] = clean[place] & (distances[place] > epsilon)
            transferred[step, place] = [(other.logits(pictures).argmax(axis=1) == labels).mean() for other in every]
        tried = np.flatnonzero(clean[place])
        try:
            for step, epsilon in enumerate(steps):
                if tried.size:
                    tried = tried[proven(network, images[tried], labels[tried], epsilon)]
                certain[place, step, tried] = True
        except UsageError:
            provable[place] = False
    return Ladders(
        trained=np.array(list(networks)),
        epsilons=steps,
        clean=clean,
        attacked=attacked,
        proven=certain,
        provable=provable,
        distances=distances,
        transferred=transferred,
    )
