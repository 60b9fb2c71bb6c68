"""What the tests fetch and send: a small competition's zip, and a key to look for."""

from __future__ import annotations

import io
import zipfile

import numpy as np

KEY = "0f3b5c7d9e1a2b4c6d8e0f1a3b5c7d9e"
SIDE, TRAIN_ROWS, TEST_ROWS = 8, 60, 30


def archive(**members: str | None) -> bytes:
    """A competition's zip; members replace or add files (None leaves one out)."""
    pixels = ",".join(f"pixel{i}" for i in range(SIDE * SIDE))
    rng = np.random.default_rng(0)
    image = lambda: ",".join(map(str, rng.integers(0, 256, SIDE * SIDE)))  # noqa: E731
    files = {
        "train.csv": f"label,{pixels}\n" + "".join(f"{i % 10},{image()}\n" for i in range(TRAIN_ROWS)),
        "test.csv": f"{pixels}\n" + "".join(f"{image()}\n" for _ in range(TEST_ROWS)),
        "sample_submission.csv": "ImageId,Label\n" + "".join(f"{i + 1},0\n" for i in range(TEST_ROWS)),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, text in {**files, **members}.items():
            if text is not None:
                opened.writestr(name, text)
    return buffer.getvalue()
