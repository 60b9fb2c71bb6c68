"""Arrays to work in that are used again at every batch."""

from __future__ import annotations

import numpy as np


class Scratch:
    """Hands out uninitialised arrays by name; whoever asks again for a name gets the same memory.

    A fresh array of a megabyte costs more than the arithmetic done on it, because the system clears its pages.
    One Scratch serves one thread.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: np.dtype | type = np.float32) -> np.ndarray:
        """A C-contiguous array of `shape` and `dtype`; what stands in it is left over from before."""
        size = int(np.prod(shape))
        held = self._arrays.get(name)
        if held is None or held.size < size or held.dtype != dtype:
            held = self._arrays[name] = np.empty(size, dtype)
        return held[:size].reshape(shape)
