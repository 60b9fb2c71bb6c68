"""First values of weights: f(shape, fan_in, fan_out, *, rng) → float64 array of `shape`.

fan_in and fan_out are the numbers of inputs that one output sums and of outputs that one input feeds.
"""

import numpy as np

Shape = tuple[int, ...]


def he(shape: Shape, fan_in: int, fan_out: int, *, rng: np.random.Generator) -> np.ndarray:
    """N(0, 2 / fan_in): keeps the variance through ReLU (He et al. 2015, eq. 10)."""
    return rng.normal(0.0, np.sqrt(2.0 / fan_in), shape)


def glorot(shape: Shape, fan_in: int, fan_out: int, *, rng: np.random.Generator) -> np.ndarray:
    """U(−a, a) with a = √(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16)."""
    limit = np.sqrt(6.0 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, shape)


def lecun(shape: Shape, fan_in: int, fan_out: int, *, rng: np.random.Generator) -> np.ndarray:
    """N(0, 1 / fan_in): keeps the variance through a linear unit (LeCun et al. 1998, §4.6)."""
    return rng.normal(0.0, np.sqrt(1.0 / fan_in), shape)


def normal(shape: Shape, fan_in: int, fan_out: int, *, rng: np.random.Generator) -> np.ndarray:
    """N(0, 1), whatever the size of the layer."""
    return rng.standard_normal(shape)


def uniform(shape: Shape, fan_in: int, fan_out: int, *, rng: np.random.Generator) -> np.ndarray:
    """U(−0.5, 0.5), whatever the size of the layer."""
    return rng.uniform(-0.5, 0.5, shape)


INITIALIZERS = {"he": he, "glorot": glorot, "lecun": lecun, "normal": normal, "uniform": uniform}
