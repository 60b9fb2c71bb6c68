"""Skipping the zeros of dark pictures: exact, and a fifth of the first layer's work.

The margin of a digit is black. Sorted by how often they are in use, the columns that a batch does not use at
all come last, and a dense layer can leave them off (layers/dense.py): they add nothing to the outputs, and the
gradients of their weights are exactly zero. This pays for rows that nothing else changes: noise leaves no zeros.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from pipeline.nn.layers import Dense, Flatten
from pipeline.nn.network import Network

# Leaving off fewer columns than this share does not pay for the sorting.
WORTH_SORTING = 0.1


class SortedColumns:
    """rows (n, …) as `rows` (n, columns), the columns in use most often first.

    used (n,): how many leading columns of each row hold all that is not zero in it.
    """

    def __init__(self, network: Network, rows: np.ndarray) -> None:
        flat = rows.reshape(len(rows), -1)
        self.order = np.argsort(-np.count_nonzero(flat, axis=0), kind="stable")
        self.rows = np.ascontiguousarray(flat[:, self.order])
        columns = flat.shape[1]
        backwards = self.rows[:, ::-1] != 0
        self.used = np.where(backwards.any(axis=1), columns - backwards.argmax(axis=1), 1)
        self._weight = _first_dense(network).params["weight"]

    def pays(self) -> bool:
        """Whether a typical batch leaves off enough columns."""
        typical = np.quantile(self.used, 0.99)
        return typical <= (1 - WORTH_SORTING) * self.rows.shape[1]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While the block runs, the first layer's weights stand in the order of the columns."""
        self._weight[...] = self._weight[self.order]
        try:
            yield
        finally:
            back = np.empty_like(self.order)
            back[self.order] = np.arange(len(back))
            self._weight[...] = self._weight[back]


def sorted_columns(network: Network, rows: np.ndarray) -> SortedColumns | None:
    """The rows with sorted columns where that is possible and pays: dense rows before a dense layer."""
    if _first_dense(network) is None or hasattr(rows, "toarray"):
        return None
    columns = SortedColumns(network, rows)
    return columns if columns.pays() else None


def _first_dense(network: Network) -> Dense | None:
    layers = [layer for layer in network.layers[:2] if not isinstance(layer, Flatten)]
    return layers[0] if layers and isinstance(layers[0], Dense) else None
