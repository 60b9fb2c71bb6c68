"""What one pass through a network carries along: its mode, its randomness, its arrays, its threads.

A layer keeps nothing of a pass in itself, so several threads may send rows through one network at the
same time, each with a Pass of its own.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LINE, STEPS = 64, 8  # bytes of a cache line; beginnings that arrays take turns at


def aligned(shape: tuple[int, ...] | int, dtype: np.dtype | str, turn: int = 0) -> np.ndarray:
    """An uninitialised C-contiguous array that begins at a cache line, the `turn`-th eighth into a page of memory.

    Arrays that one loop reads and writes should differ in `turn`: numbers that lie at the same place of their pages
    get into one another's way in a processor's cache, and an optimiser's step over four such arrays takes three
    times as long.
    """
    shape, dtype = (shape,) if isinstance(shape, int) else shape, np.dtype(dtype)
    size, page = math.prod(shape) * dtype.itemsize, LINE * LINE
    room = np.empty(size + 2 * page, np.uint8)
    start = -room.ctypes.data % page + turn % STEPS * (page // STEPS)
    return room[start : start + size].view(dtype).reshape(shape)


@dataclass
class Pass:
    """The circumstances of forward and backward passes; reuse one over batches to reuse its arrays.

    train: dropout drops, batch normalisation uses the batch's own moments.
    wants_input_gradient: backward goes down to the pixels (attacks, saliency); training does without.
    rng: where layers that need randomness take it from; None is fine for those that need none.
    threads: how many share the work on pictures. More than one pays only where the matrix library itself
        is held to one (threadpoolctl); results do not depend on it.
    """

    train: bool = False
    wants_input_gradient: bool = False
    rng: np.random.Generator | None = None
    threads: int = 1
    _arrays: dict[tuple[int, str], np.ndarray] = field(default_factory=dict, repr=False)
    _helpers: ThreadPoolExecutor | None = field(default=None, repr=False)

    def array(self, owner: object, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An uninitialised C-contiguous array of `shape`, the same memory at every call of this owner and name.

        A batch with fewer rows than the largest so far gets a view of the first rows, because a fresh
        array of some hundred kilobytes costs as much as the arithmetic done on it.
        """
        key = (id(owner), name)
        array = self._arrays.get(key)
        if array is None or array.shape[0] < shape[0] or array.shape[1:] != shape[1:] or array.dtype != dtype:
            array = self._arrays[key] = aligned(shape, dtype, len(self._arrays))
        return array[: shape[0]]

    def share(self, blocks: int, work: Callable[[int, int], Any]) -> list[Any]:
        """[work(block, part) for each block 0 … blocks − 1], shared out over `threads` threads.

        Blocks of one part come one after the other, parts run at the same time: an array that `work`
        scribbles in needs the part's number in its name.
        """
        parts = max(1, min(self.threads, blocks))
        bounds = [part * blocks // parts for part in range(parts + 1)]

        def do(part: int) -> list[Any]:
            return [work(block, part) for block in range(bounds[part], bounds[part + 1])]

        if parts > 1 and self._helpers is None:
            self._helpers = ThreadPoolExecutor(self.threads - 1, thread_name_prefix="inkproof-pass")
        others = [self._helpers.submit(do, part) for part in range(1, parts)]
        done = do(0)
        for other in others:
            done += other.result()
        return done
