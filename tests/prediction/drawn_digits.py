"""Digits drawn with a few strokes."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw

STROKES = {
    0: [[(0.5, 0), (0.9, 0.5), (0.5, 1), (0.1, 0.5), (0.5, 0)]],
    1: [[(0.5, 0), (0.5, 1)]],
    7: [[(0.1, 0), (0.9, 0), (0.4, 1)]],
}
CLASSES = np.array(list(STROKES))


def draw(*digits, pen=9, jitter=0.0, rng=None):
    """A Pillow picture of digits in a row, dark on white, 120 dots high and 100 wide for each."""
    page = Image.new("L", (100 * max(len(digits), 1), 120), 255)
    pencil = ImageDraw.Draw(page)
    for place, digit in enumerate(digits):
        for stroke in STROKES[digit]:
            points = np.array(stroke) + (rng.normal(0, jitter, (len(stroke), 2)) if jitter else 0)
            pencil.line([(100 * place + 20 + 60 * x, 20 + 80 * y) for x, y in points], fill=20, width=pen)
    return page


def png(*digits):
    """The bytes of such a picture's file."""
    content = io.BytesIO()
    draw(*digits).save(content, format="PNG")
    return content.getvalue()
