"""Drawings for the tests of the preparation: digits of a few strokes, on paper under a lamp, in frames."""

import numpy as np
from PIL import Image, ImageDraw

from pipeline.prediction.picture import prepare

SHAPES = {
    1: [[(0.5, 0), (0.5, 1)]],
    2: [[(0, 0.2), (0.3, 0), (0.6, 0.2), (0, 1), (0.65, 1)]],
    4: [[(0.4, 0), (0, 0.6), (0.7, 0.6)], [(0.5, 0.3), (0.5, 1)]],
    5: [[(0.6, 0), (0.1, 0), (0.05, 0.45), (0.5, 0.5), (0.6, 0.75), (0.3, 1), (0, 0.9)]],
    7: [[(0, 0), (0.6, 0), (0.2, 1)]],
    0: [[(0.3, 0), (0.6, 0.5), (0.3, 1), (0, 0.5), (0.3, 0), (0.6, 0.5)]],
}


def draw(digit=5, *, size=(280, 280), at=(80.0, 60.0), tall=150.0, pen=18.0):
    """A drawing (h, w) float32, 1 ink on 0: strokes with round ends, drawn four times as large."""
    image = Image.new("L", (size[0] * 4, size[1] * 4))
    pencil = ImageDraw.Draw(image)
    for stroke in SHAPES[digit]:
        points = [((at[0] + x * tall) * 4, (at[1] + y * tall) * 4) for x, y in stroke]
        pencil.line(points, fill=255, width=round(pen * 4))
        for x, y in points:
            pencil.ellipse((x - pen * 2, y - pen * 2, x + pen * 2, y + pen * 2), fill=255)
    return np.asarray(image.reduce(4), np.float32) / 255


def difference(first, second):
    """Mean absolute difference of two prepared pictures, in grey levels per grey level of ink."""
    first, second = first.image.astype(float), second.image.astype(float)
    return np.abs(first - second).sum() / first.sum()


def lamp_and_shadow(height, width):
    """Brightness of a page with a lamp at its left and a shadow across its lower right corner."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    shadow = 1 - 0.4 / (1 + np.exp(-(x + y - 0.9 * width) / 8))
    return (1 - 0.35 * x / width) * shadow


def photo(ink, *, paper=0.85, seed=0):
    rng = np.random.default_rng(seed)
    page = paper * lamp_and_shadow(*ink.shape) * (1 - 0.75 * ink)
    return np.clip(page + 0.012 * rng.standard_normal(ink.shape), 0, 1)


def frame(picture, value, inset, thick):
    picture = picture.copy()
    height, width = picture.shape
    edge = np.ones(picture.shape, bool)
    edge[inset + thick : height - inset - thick, inset + thick : width - inset - thick] = False
    edge[:inset] = edge[height - inset :] = edge[:, :inset] = edge[:, width - inset :] = False
    picture[edge] = value
    return picture


WHITE = prepare(1 - draw())  # what all the other drawings of a 5 are to become as well
