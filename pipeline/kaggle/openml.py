"""MNIST from OpenML in Kaggle's format, for who has no Kaggle account.

It is MNIST's own split (the first 60,000 pictures to train, the last 10,000 to test), not Kaggle's, which
shuffled the same 70,000: figures of the two are comparable, submissions are not.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.dataset.slug import MARK
from pipeline.errors import DataError
from pipeline.kaggle.fetch import OTHER_SPLIT_NOTE, Fetched
from pipeline.storage import atomic_file, write_text

TEST_SHARE = 7  # one picture in seven: the last 10,000 of 70,000
TIME_LIMIT = 60.0
NOTE = (
    "train.csv and test.csv here are MNIST's own split from OpenML, not Kaggle's: predictions of this "
    "test.csv cannot be submitted to Kaggle.\n"
)


def fetch_openml(folder: Path | str, *, force: bool = False, source: Callable[..., Any] | None = None) -> list[Fetched]:
    """Write train.csv, test.csv and sample_submission.csv of MNIST into `folder`.

    source: takes the place of sklearn.datasets.fetch_openml (same arguments, returns .data, .target).
    Raises DataError when the files are there and `force` is not given, or when OpenML cannot be reached.
    """
    folder = Path(folder)
    names = ("train.csv", "test.csv", "sample_submission.csv")
    there = [folder / name for name in names if (folder / name).exists()]
    if there and not force:
        raise DataError(f"{there[0]} is there already: name another --data, or add --force to replace it.")
    images, labels = _load(source)
    split = len(images) - len(images) // TEST_SHARE
    test = images[split:]
    known = {row.tobytes() for row in test}
    # A picture of test.csv with its label in train.csv would make the score a lie.
    kept = [row for row in range(split) if images[row].tobytes() not in known]
    pixels = ",".join(f"pixel{column}" for column in range(images.shape[1]))
    train = np.column_stack([labels[kept], images[kept]])
    sample = np.column_stack([np.arange(1, len(test) + 1), np.zeros(len(test), dtype=np.int64)])
    write_text(folder / OTHER_SPLIT_NOTE, NOTE)
    (folder / MARK).unlink(missing_ok=True)
    headers = (f"label,{pixels}", pixels, "ImageId,Label")
    parts = zip(names, headers, (train, test, sample), strict=True)
    return [_write(folder / name, header, table) for name, header, table in parts]


def _load(source: Callable[..., Any] | None) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 784) uint8 and labels (n,) int64."""
    if source is None:
        from sklearn.datasets import fetch_openml as source
    try:
        with _time_limit(TIME_LIMIT):
            bunch = source("mnist_784", version=1, as_frame=False, parser="auto")
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"MNIST could not be fetched from OpenML ({reason}): check the network, then type the command again."
        ) from error
    return np.asarray(bunch.data).astype(np.uint8), np.asarray(bunch.target).astype(np.int64)


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Silence on a connection ends it: scikit-learn opens its own without a limit."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _write(path: Path, header: str, table: np.ndarray) -> Fetched:
    import pandas as pd

    with atomic_file(path) as file:
        pd.DataFrame(table, columns=header.split(",")).to_csv(file, index=False, lineterminator="\n")
    return Fetched(path, path.stat().st_size, True)
