"""What tests send to the API."""

from __future__ import annotations

import json

import numpy as np

BAR = np.zeros((28, 28), np.uint8)
BAR[4:24, 13:16] = 200
NUMBERS = BAR.ravel().tolist()


def post(client, path, value):
    return client.post(path, data=json.dumps(value), content_type="application/json")
