"""What `look` says of the data: for the terminal, and as one self-contained page with pictures."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import counted
from pipeline.evaluation.data_look import Duplicates, OddRows
from pipeline.evaluation.label_errors import LabelErrors
from pipeline.evaluation.statistics import Estimate

if TYPE_CHECKING:
    from pipeline.dataset import Competition

SHOWN = 40  # pictures of a kind
ZOOM = 2
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
figure {{ display: inline-block; margin: .3rem; text-align: center; font-size: .75rem }}
img {{ image-rendering: pixelated; display: block; margin: auto }}</style>
<h1>{title}</h1>
{body}
</html>
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class DataLook:
    """What was found in a competition's data. odd_train, odd_test: of each file; errors: None without a run."""

    data: Competition
    duplicates: Duplicates
    odd_train: OddRows
    odd_test: OddRows
    drift: Estimate
    errors: LabelErrors | None = None


def sentences(look: DataLook) -> list[str]:
    """The findings, one a line. Rows are counted from 1, as they stand in the files."""
    data, double = look.data, look.duplicates
    counts = np.bincount(data.train.labels, minlength=len(data.train.classes))
    names = [str(name) for name in data.train.classes]
    fewest, most = int(counts.argmin()), int(counts.argmax())
    lines = [
        f"{data.name}: {data.train.n:,} labelled and {data.test.n:,} unlabelled pictures of "
        f"{data.train.side}×{data.train.side}, {len(names)} classes.",
        f"Balance: {counts[fewest]:,} ({names[fewest]}) to {counts[most]:,} ({names[most]}) rows a class; always "
        f"answering {names[most]} is right in {counts[most] / data.train.n:.2%}.",
        f"Duplicates: {counted(len(double.train), 'row')} of train, {len(double.test):,} of test like an earlier one; "
        f"{counted(len(double.across), 'test row')} in train as well; {counted(len(double.conflicts), 'row')} of train "
        "elsewhere with another label.",
    ]
    for name, odd in (("train", look.odd_train), ("test", look.odd_test)):
        lines.append(
            f"Odd in {name}: {len(odd.blank):,} blank, {len(odd.inverted):,} inverted, {len(odd.cut_off):,} that reach "
            "the edge and may be cut off."
        )
    area = look.drift
    told = "tells them apart" if area.low > 0.5 else "cannot tell them apart"
    lines.append(
        f"Drift: a classifier {told}, test from train: AUC {area.value:.3f} (95 % interval {area.low:.3f} to "
        f"{area.high:.3f}; 0.5 is chance)."
    )
    if look.errors is not None:
        wrong = counted(len(look.errors.rows), "doubtful label")
        lines.append(f"Labels: {wrong} (confident learning, Northcutt 2021): look at the pictures.")
    return lines


def data_page(look: DataLook) -> str:
    """The page's HTML: the sentences, the classes' mean pictures, and examples of what is odd."""
    data = look.data
    train, labels = data.train, data.train.labels
    parts = [f"<p>{html.escape(line)}</p>" for line in sentences(look)]
    means = [train.images[labels == place].mean(axis=0) for place in range(len(train.classes))]
    counts = np.bincount(labels, minlength=len(means))
    captions = [f"{name}: {count:,}" for name, count in zip(train.classes, counts, strict=True)]
    parts.append(_gallery("Mean pictures, and rows", means, captions))
    double = look.duplicates
    for title, digits, rows in (
        ("Repeated in train", train, double.train),
        ("Two labels for one picture", train, double.conflicts),
        ("Test rows that stand in train", data.test, double.across),
        ("Blank in train", train, look.odd_train.blank),
        ("Inverted in train", train, look.odd_train.inverted),
        ("Perhaps cut off in train", train, look.odd_train.cut_off),
        ("Blank in test", data.test, look.odd_test.blank),
        ("Inverted in test", data.test, look.odd_test.inverted),
        ("Perhaps cut off in test", data.test, look.odd_test.cut_off),
    ):
        captions = [_caption(data, digits.labels, row) for row in rows[:SHOWN]]
        parts.append(_gallery(f"{title}: {len(rows):,}", digits.images[rows[:SHOWN]], captions))
    if look.errors is not None:
        errors = look.errors
        captions = [
            f"row {row + 1:,}: {train.classes[labels[row]]}, rather {train.classes[suggested]}"
            for row, suggested in zip(errors.rows, errors.suggested, strict=True)
        ][: 4 * SHOWN]
        title = f"Probably wrong labels: {len(errors.rows):,}"
        parts.append(_gallery(title, train.images[errors.rows[: 4 * SHOWN]], captions))
    return PAGE.format(title=html.escape(f"A look at {data.name}"), body="\n".join(parts))


def _caption(data: Competition, labels: np.ndarray | None, row: int) -> str:
    return f"row {row + 1:,}" + ("" if labels is None else f": {data.train.classes[labels[row]]}")


def _gallery(title: str, images: Sequence[np.ndarray], captions: Sequence[str]) -> str:
    """A heading and pictures (n, side, side), 0 to 255; nothing where there are none."""
    from PIL import Image

    figures = []
    for pixels, caption in zip(images, captions, strict=True):
        buffer = io.BytesIO()
        Image.fromarray(np.rint(pixels).astype(np.uint8)).save(buffer, "PNG")
        source = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        size = ZOOM * len(pixels)
        text = html.escape(caption)
        figures.append(
            f'<figure><img src="{source}" width="{size}" height="{size}" alt="{text}"><figcaption>{text}</figure>'
        )
    return f"<h2>{html.escape(title)}</h2>\n{''.join(figures)}" if figures else ""
