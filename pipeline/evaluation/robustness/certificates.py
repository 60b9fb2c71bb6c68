"""Randomised smoothing: a radius around each picture within which the smoothed network's answer provably stays.

The smoothed network answers with the class that the network gives most often to the picture plus Gaussian noise N(0,
σ²) on every pixel (Cohen, Rosenfeld, Kolter, Certified Adversarial Robustness via Randomized Smoothing, 2019). If that
class has a probability of at least p > ½, no change of L2 length below σ·Φ⁻¹(p) moves the answer (their theorem 1). The
certificate is about the smoothed network, not the network alone. Noise is not clipped, which the theorem needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import UsageError, number, whole_number
from pipeline.nn.layers import Dense, Flatten
from pipeline.nn.network import Network
from pipeline.nn.workspace import Pass

ABSTAIN = -1
NOISE_ROWS = 8192  # noise pictures drawn at once: 26 MB of 28×28
TILE_NUMBERS = 64 * 1024  # of one layer's output at once: what the next step needs is then still in the cache


@dataclass(frozen=True)
class Certificates:
    """What `certify` found for n rows.

    classes (n,) int: the certified class index, or ABSTAIN. radius (n,) float64: L2, in units of the [0, 1] pixel
    scale; 0 where it abstains. Each row's claim is wrong with a probability of at most alpha; rows share their
    noise pictures, so that claims of several rows may be wrong together.
    sigma, n0, n, alpha: as they were given.
    """

    classes: np.ndarray
    radius: np.ndarray
    sigma: float
    n0: int
    n: int
    alpha: float

    def accuracy(self, labels: np.ndarray, radii: Sequence[float] | np.ndarray) -> np.ndarray:
        """Certified accuracy at each of radii (r,): share of rows with the right class and at least that radius."""
        radii = np.asarray(radii, dtype=np.float64)
        return (self._right(labels)[:, None] & (self.radius[:, None] >= radii)).mean(axis=0)

    def average_radius(self, labels: np.ndarray) -> float:
        """ACR: the mean over all rows of the radius, 0 where the class is wrong or missing (Zhai et al. 2020)."""
        return float(np.mean(self.radius * self._right(labels)))

    @property
    def largest_radius(self) -> float:
        """The radius of a row whose n samples all agree: further out the curve is 0 for want of samples."""
        return float(_radius(np.array([self.n]), self.n, self.sigma, self.alpha)[0])

    def _right(self, labels: np.ndarray) -> np.ndarray:
        if labels.shape != self.classes.shape:
            raise UsageError(f"Certificates of {len(self.classes)} rows take as many labels, found {labels.shape}.")
        return self.classes == labels


def certify(
    network: Network,
    images: np.ndarray,
    *,
    sigma: float,
    n0: int = 100,
    n: int = 10_000,
    alpha: float = 0.001,
    threads: int = 1,
    rng: np.random.Generator,
) -> Certificates:
    """Class or ABSTAIN, and L2 radius, for each of images (m, side, side), uint8 or floats in [0, 1].

    Algorithm CERTIFY of Cohen et al.: n0 samples choose a class, n others give its exact lower confidence bound
    (Clopper-Pearson, one-sided at 1 − alpha); below ½ it abstains. All rows see the same noise pictures; where the
    network begins with a dense layer these go through it once (the layer is linear), and each row adds its own
    output. Memory does not grow with n. threads: for layers on pictures, see Pass.

    Raises UsageError for σ not above 0, n0 or n below 1, and alpha outside (0, 1).
    """
    number("σ of a certificate", sigma, above=0)
    number("alpha of a certificate", alpha, above=0, below=1)
    for name, count in (("n0", n0), ("n", n)):
        whole_number(f"{name} of a certificate", count)
    sampler = _Sampler(network, images, sigma, threads)
    chosen = sampler.counts(n0, rng=rng).argmax(axis=1)
    votes = sampler.counts(n, rng=rng)[np.arange(len(images)), chosen]
    radius = _radius(votes, n, sigma, alpha)
    return Certificates(np.where(radius > 0, chosen, ABSTAIN), radius, sigma, n0, n, alpha)


def lower_bound(hits: np.ndarray, n: int, alpha: float) -> np.ndarray:
    """Exact one-sided lower bounds (m,) of a probability after hits (m,) of n, at confidence 1 − alpha.

    Clopper and Pearson 1934: the p at which as many hits or more have the probability alpha; 0 without hits.
    """
    from scipy.special import betaincinv

    return np.where(hits > 0, betaincinv(np.maximum(hits, 1.0), n - hits + 1.0, alpha), 0.0)


def _radius(votes: np.ndarray, n: int, sigma: float, alpha: float) -> np.ndarray:
    from scipy.special import ndtri

    return sigma * ndtri(np.maximum(lower_bound(votes, n, alpha), 0.5))


class _Sampler:
    """Counts answers to noisy pictures. With a dense layer first, W·x + b of rows and W·x of noise are apart."""

    def __init__(self, network: Network, images: np.ndarray, sigma: float, threads: int) -> None:
        self.network, self.sigma, self.ctx = network, network.dtype.type(sigma), Pass(threads=threads)
        self.rest, self.weight, self.rows = network.layers, None, network.to_numbers(images)
        start = next((i for i, layer in enumerate(network.layers) if not isinstance(layer, Flatten)), None)
        if start is not None and isinstance(network.layers[start], Dense):
            self.rest, dense = network.layers[start + 1 :], network.layers[start].params
            self.weight = dense["weight"]
            self.rows = self.rows.reshape(len(images), -1) @ self.weight
            if "bias" in dense:
                self.rows += dense["bias"]

    def counts(self, n: int, *, rng: np.random.Generator) -> np.ndarray:
        """(m, classes) int64: how often each row plus one of n fresh noise pictures got each answer."""
        classes = self.network.output_shape[0]
        counts = np.zeros((len(self.rows), classes), dtype=np.int64)
        tile = max(16, TILE_NUMBERS // max(self.rows[:1].size, 1))
        for drawn in range(0, n, NOISE_ROWS):
            shape = (min(NOISE_ROWS, n - drawn), *self.network.input_shape)
            noise = rng.standard_normal(shape, dtype=self.network.dtype)
            noise *= self.sigma
            if self.weight is not None:
                noise = noise.reshape(len(noise), -1) @ self.weight
            for start in range(0, len(noise), tile):
                part = noise[start : start + tile]
                for row, count in zip(self.rows, counts, strict=True):
                    count += np.bincount(self._answers(row, part), minlength=classes)
        return counts

    def _answers(self, row: np.ndarray, noise: np.ndarray) -> np.ndarray:
        x = np.add(noise, row, out=self.ctx.array(self, "noisy", noise.shape, noise.dtype))
        for layer in self.rest:
            x, _ = layer.forward(x, self.ctx)
        return x.argmax(axis=1)
