"""Guards against fooling oneself: rows that stand on both sides of a split, and scores too good to be true."""

import numpy as np

# Of unseen rows; some digits nobody can read, and the best honest result known for Digit Recognizer is 99.757 %.
SUSPECT = 0.998
FEWEST = 1000  # rows; below, one lucky row is a tenth of a point


def shared_rows(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n,) bool: which of images (n, side, side) stand, pixel for pixel, among others (m, side, side) uint8."""
    known = {row.tobytes() for row in others}
    return np.array([row.tobytes() in known for row in images], bool)


def data_warnings(train: np.ndarray, test: np.ndarray, held: np.ndarray | None = None) -> list[str]:
    """Sentences about pictures that stand twice, none where there is nothing to tell.

    train, test (n, side, side) uint8: the labelled and the unlabelled rows. held (n,): which of the labelled rows
    are held out, or which fold each stands in; rows of one value are together on one side.
    """
    found = []
    twice = int(shared_rows(test, train).sum())
    if twice:
        found.append(
            f"{twice:,} of {len(test):,} test rows stand in the training rows as well, pixel for pixel: their answers "
            "are remembered, not read, and the score says less than it seems to."
        )
    across = 0 if held is None else across_split(train, held)
    if across:
        found.append(
            f"{across:,} held-out rows have the very same picture among the rows trained on: their accuracy flatters."
        )
    return found


def across_split(images: np.ndarray, side: np.ndarray) -> int:
    """How many of images (n, …) stand again, pixel for pixel, on another side of a split; side (n,) says which."""
    sides: dict[bytes, set] = {}
    for row, at in zip(images, side.tolist(), strict=True):
        sides.setdefault(row.tobytes(), set()).add(at)
    return sum(len(sides[row.tobytes()]) > 1 for row in images) if len(sides) < len(images) else 0


def suspicion(accuracy: float, rows: int) -> str | None:
    """Why so high an accuracy (share of 1) on so many unseen rows is suspect; None where it is not."""
    if accuracy <= SUSPECT or rows < FEWEST:
        return None
    return (
        f"{accuracy:.2%} of {rows:,} unseen rows is suspect: the best honest result known for handwritten digits of "
        "this kind is 99.76 %. Look for the held-out pictures among the rows trained on (Kaggle's test rows lie in "
        "the public MNIST set, so a network trained on that has seen them), for choices made on these very rows, "
        "and for labels that can be read off the data's order."
    )
