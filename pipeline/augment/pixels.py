"""Pixels to floats, for whatever changes pictures before they enter a network."""

import numpy as np


def as_floats(images: np.ndarray) -> np.ndarray:
    """uint8 pixels 0 … 255 as float32 in [0, 1], in an array of their own; floats are given back as they are."""
    return images * np.float32(1 / 255) if images.dtype == np.uint8 else images
