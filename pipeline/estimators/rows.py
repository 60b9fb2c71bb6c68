"""Rows on their way into the network: pictures, sparse matrices, weights."""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from pipeline.errors import UsageError
from pipeline.estimators.parameters import Parameters
from pipeline.training import check_weights

ROUNDING = 1e-6  # how far outside of [0, 1] scaling may leave a number: MinMaxScaler gives 1.0000000000000002


def pictures(rows: np.ndarray, image_shape: Sequence[int]) -> np.ndarray:
    """(n, *image_shape) for rows (n, features): whole numbers as uint8 pixels, floats as they are.

    Raises UsageError for rows of another size, pixels outside of 0 … 255 and floats outside of 0 … 1.
    """
    size = math.prod(image_shape)
    if rows.shape[1] != size:
        raise UsageError(f"image_shape {tuple(image_shape)} needs rows of {size} numbers, found {rows.shape[1]}.")
    whole = rows.dtype.kind in "iub"
    low, high = rows.min(), rows.max()
    if low < -ROUNDING or high > (255 if whole else 1 + ROUNDING):
        raise UsageError(
            f"Pictures must be whole numbers from 0 to 255 or floats from 0 to 1, found {rows.dtype} from {low} to "
            f"{high}: divide floats by 255, or give them as whole numbers."
        )
    return rows.astype(np.uint8 if whole else rows.dtype, copy=False).reshape(len(rows), *image_shape)


def check_noise_fits(parameters: Parameters, rows: Any) -> None:
    """Raise UsageError where noise, which is clipped to [0, 1], would cut the rows' own numbers."""
    if parameters.noise and rows.dtype != np.uint8 and (rows.min() < -ROUNDING or rows.max() > 1 + ROUNDING):
        raise UsageError(
            f"noise is for rows in [0, 1], found numbers from {rows.min():g} to {rows.max():g}: scale them, or give "
            "image_shape for pixels."
        )


def row_weights(sample_weight: Any, n: int) -> np.ndarray:
    """sample_weight, one number for all rows or one for each, as floats (n,). Raises UsageError."""
    weights = np.asarray(sample_weight, np.float64)
    if isinstance(sample_weight, Real):
        weights = np.full(n, weights)
    check_weights(weights, n)
    return weights


def dense(rows: Any) -> np.ndarray:
    """A sparse matrix as an array, and an array as it is."""
    return rows.toarray() if hasattr(rows, "toarray") else rows
