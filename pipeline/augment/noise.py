"""Gaussian noise on pixels. σ is a standard deviation in units of the [0, 1] pixel scale."""

from functools import cache

import numpy as np

from pipeline.augment.pixels import as_floats
from pipeline.errors import number, within
from pipeline.nn.kernels import Array, kernel

SIGMA_LIMIT = 2.0  # at σ = 2 three pixels of five are clipped to black or white: no picture is left


def check_sigma(sigma: float) -> float:
    """σ as a float. Raises UsageError outside [0, 2]."""
    return within("A noise level σ", sigma, 0, SIGMA_LIMIT)


def gaussian(images: np.ndarray, sigma: float, *, rng: np.random.Generator) -> np.ndarray:
    """images + N(0, σ²), clipped to [0, 1]; a new array of the same shape and float dtype.

    images: floats in [0, 1], or uint8 pixels, which give float32. σ = 0 gives the pictures themselves.
    """
    check_sigma(sigma)
    images = as_floats(images)
    if sigma == 0:
        return images.copy()
    noise = rng.standard_normal(images.shape, dtype=images.dtype)
    noise *= images.dtype.type(sigma)
    noise += images
    return np.clip(noise, 0, 1, out=noise)


def _add_noise_arrays(x: Array, quantiles: Array, places: Array, limits: Array) -> None:
    x += np.take(quantiles, places)
    np.clip(x, *limits, out=x)


@kernel(_add_noise_arrays)
def _add_noise(x: Array, quantiles: Array, places: Array, limits: Array) -> None:
    """x (n,) ← x + quantiles[places], held within the two limits."""
    for i in range(x.size):
        x[i] = min(max(x[i] + x.dtype.type(quantiles[places[i]]), limits[0]), limits[1])


class NoiseOnShare:
    """Training noise: fresh Gaussian noise on the first `share` of each batch, the other rows stay clean.

    Batches are drawn in random order, so the first rows are a random choice. Clean rows have to stay:
    clipping at 0 turns a black background into grey haze of mean 0.4·σ, which clean pictures do not have,
    and a net that saw nothing else loses accuracy on them.

    clip: whether noisy pixels are clipped to [0, 1]. Unclipped noise on every row is the training that
    certificates want (Cohen, Rosenfeld, Kolter 2019, §4), whose noise may not be clipped either.
    """

    def __init__(self, sigma: float, *, share: float = 0.5, clip: bool = True) -> None:
        number("The noisy share of a batch", share, above=0, at_most=1)
        self.sigma, self.share, self.clip = check_sigma(sigma), share, clip

    def __call__(self, batch: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        if self.sigma == 0:
            return batch
        noisy = batch[: round(len(batch) * self.share)]
        low, high = (0, 1) if self.clip else (-np.inf, np.inf)
        limits = np.array([low, high], batch.dtype)
        _add_noise(noisy.reshape(-1), _quantiles(self.sigma), _places(noisy.size, rng), limits)
        return batch


def _places(count: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform random places (count,) uint16 in `_quantiles`: normal numbers five times as fast as the exact method.

    The distribution function is met within 1/131,072 everywhere, the standard deviation exactly; beyond
    ±4.2 σ there is nothing; that is one pixel in 48 pictures of 28×28.
    """
    return rng.integers(0, 2**64, -(-count // 4), dtype=np.uint64).view(np.uint16)[:count]


@cache
def _quantiles(sigma: float) -> np.ndarray:
    """σ times the standard normal quantiles at (i + ½) / 65536, rescaled to unit variance; (65536,) float32."""
    from scipy.special import ndtri

    normal = ndtri((np.arange(65536) + 0.5) / 65536)
    return (sigma * normal / normal.std()).astype(np.float32)
