"""How pictures lie in memory between the layers that know of height and width, and why.

A batch of n pictures travels in *blocks*: one C-contiguous array (blocks, height, channels, width, lanes)
whose row b·lanes + l of the batch is lane l of block b. The shape of one row stays (channels, height,
width). It buys three things, without which NumPy would be several times slower at convolution:

- the innermost `width × lanes` numbers are neighbours, and so are they in every picture shifted sideways:
  slices are long runs, however few the channels;
- rows of pixels y … y + k of a block are neighbours too: without a copy they are one matrix
  (k·channels, width·lanes), which is what a kernel of height k sees (see conv.py);
- a block is small enough to stay in a processor core's own cache while a layer works on it, and blocks
  are independent, so that threads can share them out.
"""

from collections.abc import Callable

import numpy as np

from pipeline.errors import UsageError
from pipeline.nn.layers.base import Shape
from pipeline.nn.workspace import Pass

# More lanes make longer runs, and blocks that no longer fit into a cache; below 4 the runs are too short.
MOST_LANES, FEWEST_LANES = 32, 4


def lanes_for(n: int) -> int:
    """Lanes for n rows: their largest divisor that is no more than MOST_LANES; all in one block if that is tiny."""
    lanes = max(size for size in range(1, MOST_LANES + 1) if n % size == 0) if n else 1
    return lanes if lanes >= FEWEST_LANES else max(n, 1)


def picture_shape(layer: str, shape: Shape) -> Shape:
    """(channels, height, width) of one row; (height, width) has one channel. Raises UsageError for others."""
    if len(shape) == 2:
        return (1, *shape)
    if len(shape) == 3:
        return shape
    raise UsageError(
        f"{layer} takes pictures, (height, width) or (channels, height, width), found rows of shape {shape}: "
        "put it before Flatten."
    )


def pair(name: str, value: object) -> tuple[int, int]:
    """(height, width) from one whole number for both, or from two. Raises UsageError for others or below 1."""
    both = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
    if len(both) != 2 or any(type(size) is not int or size < 1 for size in both):
        raise UsageError(f"{name} must be a whole number of at least 1, or two (height, width), found {value!r}.")
    return both


def to_blocks(x: np.ndarray, owner: object, ctx: Pass) -> np.ndarray:
    """Pictures (n, height, width) or (n, channels, height, width) in blocks; those in blocks already as they are."""
    if x.ndim == 5:
        return x
    n, height, width = x.shape[0], *x.shape[-2:]
    channels, lanes = (1 if x.ndim == 3 else x.shape[1]), lanes_for(n)
    out = ctx.array(owner, "in blocks", (n // lanes, height, channels, width, lanes), x.dtype)
    np.copyto(out, x.reshape(-1, lanes, channels, height, width).transpose(0, 3, 2, 4, 1))
    return out


def from_blocks(x: np.ndarray, owner: object, ctx: Pass) -> np.ndarray:
    """Pictures (n, channels, height, width) for pictures in blocks; anything else as it is."""
    if x.ndim != 5:
        return x
    blocks, height, channels, width, lanes = x.shape
    out = ctx.array(owner, "in rows", (blocks * lanes, channels, height, width), x.dtype)
    np.copyto(out.reshape(blocks, lanes, channels, height, width), x.transpose(0, 4, 2, 1, 3))
    return out


def way_back(x: np.ndarray, owner: object, ctx: Pass) -> Callable[[np.ndarray], np.ndarray]:
    """What takes a gradient in blocks to the form that the layer's input x has."""
    if x.ndim == 5:
        return lambda dx: dx
    return lambda dx: from_blocks(dx, owner, ctx).reshape(x.shape)
