"""The report's pictures, as PNGs inside the page: the surest mistakes, and what each test condition looks like."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import InkproofError
from pipeline.evaluation.robustness.attacks import attack
from pipeline.evaluation.robustness.conditions import condition
from pipeline.evaluation.robustness.methods import parse_attack
from pipeline.evaluation.scores import surest_mistakes
from pipeline.prediction import model_file as model
from pipeline.report.contact_sheet import one_of_each
from pipeline.report.page_data import RunData

MISTAKES = 12
STRIP = 10  # pictures for each condition
LARGEST_SIDE = 64  # pixels: larger pictures are made smaller, for the page's sake


def data_uri(picture: np.ndarray) -> str:
    """A grey picture (height, width) uint8 as a PNG inside an address, at most LARGEST_SIDE high."""
    from PIL import Image

    height, width = picture.shape
    image = Image.fromarray(picture)
    if height > LARGEST_SIDE:
        image = image.resize((round(width * LARGEST_SIDE / height), LARGEST_SIDE), Image.Resampling.BOX)
    content = io.BytesIO()
    image.save(content, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def worst_mistakes(run: RunData, trained: int) -> list[dict[str, Any]]:
    """The clean holdout rows that the averaged networks got wrong, those first whose true class seemed least likely.

    Each with its row, the picture as a data URI, its true class, and the three likeliest classes with their shares.
    """
    rows, names = run.rows, [str(name) for name in run.rows.classes]
    pictures = dict(zip(rows.pictured.tolist(), rows.images, strict=True))
    records = []
    for row in surest_mistakes(rows.averaged[trained], rows.labels, MISTAKES).tolist():
        shares = rows.averaged[trained][row]
        likely = [(names[place], float(shares[place])) for place in np.argsort(-shares, kind="stable")[:3]]
        picture, true = data_uri(pictures[row]), names[rows.labels[row]]
        records.append({"row": row, "picture": picture, "true": true, "said": likely[0][0], "likely": likely})
    return records


def strips(run: RunData, names: Sequence[str]) -> dict[str, str]:
    """For each test condition a strip of the same example pictures as the networks saw them, as data URIs.

    Attacks are made against the first row's first network, as long as its model is there.
    """
    rows = run.rows
    seed = int(run.record["seed"])
    chosen = one_of_each(rows.labels, STRIP, rng=np.random.default_rng(seed))
    images, labels = rows.images[chosen], rows.labels[chosen]
    found = {}
    for name in names:
        if name not in run.attacks:
            changed = condition(name, seed=seed).apply(images)
        else:
            try:
                network = model.load(_first_model(run)).network
            except InkproofError:
                continue
            changed = attack(network, images, labels, *parse_attack(name), rng=np.random.default_rng(seed)).pictures
        if changed.dtype != np.uint8:
            changed = np.rint(255 * changed).astype(np.uint8)
        gap = np.full((changed.shape[1], 1), 90, np.uint8)
        found[name] = data_uri(np.hstack([part for picture in changed for part in (picture, gap)][:-1]))
    return found


def _first_model(run: RunData) -> Path:
    """The model file of the first network of a comparison."""
    first = run.record["fits"][0]
    if isinstance(first, str):  # as earlier versions wrote it
        return run.folder / "fits" / first / "model.safetensors"
    return run.folder / "fits" / "models" / f"{first['file']}.safetensors"
