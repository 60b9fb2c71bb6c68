"""Corruptions: changes of a test picture in five severities, each a published number.

Names and numbers are those of the MNIST-C benchmark (Mu and Gilmer, MNIST-C: A Robustness Benchmark for
Computer Vision, 2019; corruptions.py of github.com/google-research/mnist-c), so that figures can be laid
beside others'; `occlusion` is ours and in no benchmark. MNIST_C names the fifteen that the published files hold, at
the severities that they hold them. What differs from there:

- severity 0 is the picture itself (there it is the strongest); what has no severities there (stripe, dotted_line,
  zigzag, canny_edges) is the same at all five here;
- lengths in pixels are meant for a side of 28 and scaled for other sides;
- blurs blur along both axes (there, newer scikit-image takes a grey picture's columns for colours and
  blurs them apart); glass_blur keeps fractions where they were cut to 8 bits there;
- defocus_blur 4 and 5: up to 3 of 255, for the disc is normalised after its edge is softened, not before;
- elastic_transform 3 to 5: 6 to 8 % less variation, for the affine map and the displacement are one interpolation
  here and two there. Neither of the two is among the fifteen.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage

from pipeline.augment.noise import gaussian
from pipeline.augment.pixels import as_floats
from pipeline.errors import UsageError, one_of, whole_number
from pipeline.evaluation.robustness import overlays, warps

ROWS = 1024  # pictures at once, so that memory does not grow with their number
SIDE = 28  # the side that lengths in pixels are given for


def corrupt(images: np.ndarray, name: str, severity: int, *, rng: np.random.Generator) -> np.ndarray:
    """Corrupted pictures: a new array (n, side, side) of floats in [0, 1], for severity 0 the pictures' own values.

    images: floats in [0, 1], or uint8 pixels, which give float32. name: a key of CORRUPTIONS.
    Raises UsageError for an unknown name, a severity other than 0 … 5, and pictures that are not square.
    """
    check_severity(name, severity)
    if images.ndim != 3 or images.shape[1] != images.shape[2]:
        raise UsageError(f"Corruptions take square pictures (n, side, side), found an array of shape {images.shape}.")
    images = as_floats(images) if images.dtype == np.uint8 else images.copy()
    if severity == 0 or len(images) == 0:
        return images
    function, strengths = CORRUPTIONS[name]
    for start in range(0, len(images), ROWS):
        part = slice(start, start + ROWS)
        images[part] = np.clip(function(images[part], strengths[severity - 1], rng=rng), 0, 1)
    return images


def check_severity(name: str, severity: object) -> None:
    """Raises UsageError for an unknown corruption or a severity other than 0 … 5."""
    one_of("corruption", name, CORRUPTIONS)
    whole_number(f"The severity of {name}", severity, at_least=0, at_most=5)


def _shot_noise(images: np.ndarray, photons: float, *, rng: np.random.Generator) -> np.ndarray:
    return rng.poisson(images * photons) / photons


def _impulse_noise(images: np.ndarray, share: float, *, rng: np.random.Generator) -> np.ndarray:
    luck = rng.random(images.shape, dtype=np.float32)
    images[luck < share / 2] = 0
    images[luck >= 1 - share / 2] = 1
    return images


def _speckle_noise(images: np.ndarray, sigma: float, *, rng: np.random.Generator) -> np.ndarray:
    return images * (1 + sigma * rng.standard_normal(images.shape, dtype=np.float32))


def _gaussian_blur(images: np.ndarray, sigma: float, *, rng: np.random.Generator) -> np.ndarray:
    sigma *= images.shape[1] / SIDE
    return ndimage.gaussian_filter(images, (0, sigma, sigma), mode="nearest")


def _glass_blur(images: np.ndarray, strength: tuple[float, int, int], *, rng: np.random.Generator) -> np.ndarray:
    """Blurred, pixels swapped with near ones as rough glass does, blurred again."""
    sigma, farthest, rounds = strength
    n, side, _ = images.shape
    farthest = max(1, round(farthest * side / SIDE))
    images, every = _gaussian_blur(images, sigma, rng=rng), np.arange(n)
    walk = range(side - farthest, farthest, -1)
    for row, column in [(row, column) for row in walk for column in walk] * rounds:
        # A distance of 0, with no swap, is half of all draws.
        swaps = rng.random(n) < 0.5
        down, right = rng.integers(-farthest, farthest, (2, n)) * swaps
        other = images[every, row + down, column + right]
        images[every, row + down, column + right] = images[:, row, column]
        images[:, row, column] = other
    return _gaussian_blur(images, sigma, rng=rng)


def _defocus_blur(images: np.ndarray, strength: tuple[float, float], *, rng: np.random.Generator) -> np.ndarray:
    """Each pixel spread over a disc, as by a lens out of focus."""
    radius, edge = strength
    taps = 1 if radius <= 8 else 2
    radius = max(1, radius * images.shape[1] / SIDE)
    reach = int(np.ceil(radius)) + taps
    row, column = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = (row**2 + column**2 <= radius**2).astype(np.float64)
    disc = ndimage.gaussian_filter(disc, edge, radius=taps)
    # "mirror" repeats the picture without its border pixel, as OpenCV does.
    return ndimage.convolve(images, disc[None] / disc.sum(), mode="mirror")


def _motion_blur(images: np.ndarray, strength: tuple[float, float], *, rng: np.random.Generator) -> np.ndarray:
    """A tail on one side that fades as a Gaussian (ImageMagick's), at an angle of −45° … 45° to the horizontal."""
    n, side, _ = images.shape
    half, sigma = (length * side / SIDE for length in strength)
    angles = rng.uniform(-np.pi / 4, np.pi / 4, n)
    steps = np.arange(2 * int(np.ceil(half)) + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    every, pixels = np.arange(n)[:, None, None], np.arange(side)
    out = np.zeros_like(images)
    for step, weight in zip(steps, weights / weights.sum(), strict=True):
        down = np.rint(step * np.sin(angles)).astype(np.intp)[:, None]
        right = np.rint(step * np.cos(angles)).astype(np.intp)[:, None]
        rows, columns = np.clip(pixels + down, 0, side - 1), np.clip(pixels + right, 0, side - 1)
        out += images.dtype.type(weight) * images[every, rows[:, :, None], columns[:, None, :]]
    return out


def _brightness(images: np.ndarray, added: float, *, rng: np.random.Generator) -> np.ndarray:
    return images + images.dtype.type(added)


def _contrast(images: np.ndarray, factor: float, *, rng: np.random.Generator) -> np.ndarray:
    means = images.mean(axis=(1, 2), keepdims=True)
    return (images - means) * images.dtype.type(factor) + means


def _occlusion(images: np.ndarray, square: float, *, rng: np.random.Generator) -> np.ndarray:
    """A black square, wholly in the middle 20 of 28 pixels, where the digits are."""
    n, side, _ = images.shape
    square = max(1, round(square * side / SIDE))
    margin = round(4 * side / SIDE)
    first = rng.integers(margin, max(side - margin - square, margin) + 1, (2, n, 1))
    pixels = np.arange(side)
    rows, columns = (pixels >= first) & (pixels < first + square)
    images[rows[:, :, None] & columns[:, None, :]] = 0
    return images


# Of each corruption its function, and the strengths of the five severities.
CORRUPTIONS: dict[str, tuple[Callable[..., np.ndarray], tuple[Any, ...]]] = {
    "gaussian_noise": (gaussian, (0.08, 0.12, 0.18, 0.26, 0.38)),  # σ
    "shot_noise": (_shot_noise, (60, 25, 12, 5, 3)),  # photons that make a white pixel
    "impulse_noise": (_impulse_noise, (0.03, 0.06, 0.09, 0.17, 0.27)),  # share of pixels made black or white
    "speckle_noise": (_speckle_noise, (0.15, 0.2, 0.35, 0.45, 0.6)),  # σ as a share of the pixel's own value
    "gaussian_blur": (_gaussian_blur, (1, 2, 3, 4, 6)),  # σ in pixels
    # σ, farthest swap, rounds
    "glass_blur": (_glass_blur, ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))),
    "defocus_blur": (_defocus_blur, ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))),  # radius, σ of its edge
    "motion_blur": (_motion_blur, ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))),  # half its length, σ
    "brightness": (_brightness, (0.1, 0.2, 0.3, 0.4, 0.5)),  # added
    "contrast": (_contrast, (0.4, 0.3, 0.2, 0.1, 0.05)),  # factor of the distance from the picture's mean
    "rotate": (warps.rotate, (0.2, 0.4, 0.6, 0.8, 1.0)),  # radians
    "scale": (warps.scale, (0.9, 0.8, 0.7, 0.6, 0.5)),  # factor
    "shear": (warps.shear, (0.2, 0.4, 0.6, 0.8, 1.0)),  # radians
    "translate": (warps.translate, (1, 2, 3, 4, 5)),  # pixels along both axes
    # Displacement, its smoothing and the affine part, as shares of the side; 3 is milder than 2, as published.
    "elastic_transform": (
        warps.elastic,
        ((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)),
    ),
    "stripe": (overlays.stripe, (None,) * 5),
    "fog": (overlays.fog, ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4))),  # how much, how smooth
    # Mean and σ of noise, its smoothing, the bound above which it is mud, σ of the mud's edge.
    "spatter": (
        overlays.spatter,
        (
            (0.65, 0.3, 4, 0.69, 0.6), (0.65, 0.3, 3, 0.68, 0.6), (0.65, 0.3, 2, 0.68, 0.5), (0.65, 0.3, 1, 0.65, 1.5),
            (0.67, 0.4, 1, 0.65, 1.5),
        ),
    ),
    "dotted_line": (overlays.dotted_line, (None,) * 5),
    "zigzag": (overlays.zigzag, (None,) * 5),
    "canny_edges": (overlays.canny_edges, (None,) * 5),
    "occlusion": (_occlusion, (4, 6, 8, 10, 12)),  # side of the black square in pixels; ours
}  # fmt: skip

# The fifteen of the benchmark's files, each at the severity that they hold; where it has none, 1.
MNIST_C = {
    "shot_noise": 5, "impulse_noise": 4, "glass_blur": 1, "motion_blur": 1, "shear": 2, "scale": 3, "rotate": 2,
    "brightness": 5, "translate": 3, "stripe": 1, "fog": 5, "spatter": 4, "dotted_line": 1, "zigzag": 1,
    "canny_edges": 1,
}  # fmt: skip
