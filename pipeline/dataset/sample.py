"""The data that every machine has: scikit-learn's 8×8 digits, written once as Kaggle-format CSV.

Every fifth row of each class is a test row, which leaves 1,442 to train on. The split needs
no random numbers, so the files are the same bytes on every machine.
"""

from pathlib import Path

import numpy as np

from pipeline.storage import write_text

NAME = "sample (scikit-learn 8×8 digits)"
FINGERPRINT = "f67ede7025ff88424526212d2375261079fd19a3cfded627825ba83ae5f4476f"
"""Competition.fingerprint of the sample, by which it is known again wherever it is read from."""

TEST_EVERY = 5  # one row in five goes to test.csv
BRIGHTEST = 16  # load_digits counts the inked ones of 4×4 bits, 0 to 16; Kaggle's pixels run to 255


def write(folder: Path) -> None:
    """Write train.csv, test.csv and sample_submission.csv to `folder`. Raises StorageError."""
    for name, text in _files().items():
        write_text(folder / name, text)


def _files() -> dict[str, str]:
    from sklearn.datasets import load_digits  # takes most of a second, and only the first run needs it

    pixels, labels = load_digits(return_X_y=True)
    pixels = np.rint(pixels * (255 / BRIGHTEST)).astype(np.uint8)
    is_test = np.zeros(len(labels), dtype=bool)
    for digit in range(10):
        is_test[np.flatnonzero(labels == digit)[TEST_EVERY - 1 :: TEST_EVERY]] = True
    names = [f"pixel{i}" for i in range(pixels.shape[1])]
    return {
        "train.csv": _csv(["label", *names], np.column_stack([labels, pixels])[~is_test]),
        "test.csv": _csv(names, pixels[is_test]),
        "sample_submission.csv": _csv(["ImageId", "Label"], [(i + 1, 0) for i in range(is_test.sum())]),
    }


def _csv(header, rows) -> str:
    lines = [",".join(header), *(",".join(map(str, row)) for row in np.asarray(rows).tolist())]
    return "\n".join(lines) + "\n"
