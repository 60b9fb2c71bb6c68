"""What one pass through a network carries along: its mode, its randomness, its arrays.

A layer keeps nothing of a pass in itself, so several threads may send rows through one network at the
same time, each with a Pass of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Pass:
    """The circumstances of forward and backward passes; reuse one over batches to reuse its arrays.

    train: dropout drops, batch normalisation uses the batch's own moments.
    wants_input_gradient: backward goes down to the pixels (attacks, saliency); training does without.
    rng: where layers that need randomness take it from; None is fine for those that need none.
    """

    train: bool = False
    wants_input_gradient: bool = False
    rng: np.random.Generator | None = None
    _arrays: dict[tuple[int, str], np.ndarray] = field(default_factory=dict, repr=False)

    def array(self, owner: object, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An uninitialised C-contiguous array of `shape`, the same memory at every call of this owner and name.

        A batch with fewer rows than the largest so far gets a view of the first rows, because a fresh
        array of some hundred kilobytes costs as much as the arithmetic done on it.
        """
        key = (id(owner), name)
        array = self._arrays.get(key)
        if array is None or array.shape[0] < shape[0] or array.shape[1:] != shape[1:] or array.dtype != dtype:
            array = self._arrays[key] = np.empty(shape, dtype)
        return array[: shape[0]]
