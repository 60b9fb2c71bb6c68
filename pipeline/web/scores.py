"""How many of the pictures that visitors put right each loaded network reads rightly."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.evaluation.statistics import wilson_interval
from pipeline.web.corrections import Kept
from pipeline.web.models import Models

LATEST = 12  # corrections that are shown
NOTE = (
    "These are the pictures that you put right, most of them because the network that answered misread them: it looks "
    "worse here than on all drawings, and so do networks like it. Networks trained on them look better than they are."
)


def score(models: Models, kept: Sequence[Kept]) -> dict[str, Any]:
    """For each network how many of the corrections it gets right, as plain JSON values, and the latest of them.

    `right` counts; `share`, `low` and `high` are its part of all and the 95 % Wilson interval of that, None where
    there are no corrections.
    """
    side = models.default.side
    images = np.frombuffer(b"".join(row.pixels for row in kept), np.uint8).reshape(-1, side, side)
    labels = [row.label for row in kept]
    latest = [{"id": row.id, "label": row.label, "pixels": list(row.pixels)} for row in kept[: -LATEST - 1 : -1]]
    scores = []
    for choice in models.by_name.values():
        said = choice.probabilities(images).argmax(axis=1) if labels else []
        right = sum(str(choice.labels[place]) == label for place, label in zip(said, labels, strict=True))
        share, low, high = wilson_interval(right, len(labels)) if labels else (None, None, None)
        interval = {"share": share, "low": low, "high": high}
        scores.append({"model": choice.name, "sigma": choice.sigma, "right": right, **interval})
    return {"count": len(labels), "note": NOTE, "models": scores, "latest": latest}
