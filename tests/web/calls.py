"""What tests send to the API."""

from __future__ import annotations

import json
import time

import numpy as np

BAR = np.zeros((28, 28), np.uint8)
BAR[4:24, 13:16] = 200
NUMBERS = BAR.ravel().tolist()


def post(client, path, value):
    return client.post(path, data=json.dumps(value), content_type="application/json")


def ended(training) -> int | None:
    """The exit code of a training's process, within 20 s; another thread may learn of it first."""
    for _ in range(400):
        if training.process.exitcode is not None:
            break
        time.sleep(0.05)
    return training.process.exitcode
