"""Predictions as a table, CSV and JSON; and, where the true labels are known, how many were right."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.evaluation.statistics import wilson_interval
from pipeline.report.tables import plain_table

if TYPE_CHECKING:
    from rich.table import Table

Row = Mapping[str, Any]  # the fields that a prediction has, as plain JSON values
MOST_CLASSES = 40  # of a confusion matrix on a terminal


def as_json(rows: Sequence[Row]) -> str:
    """An array of objects, one a prediction."""
    return json.dumps([dict(row) for row in rows], indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_csv(rows: Sequence[Row], fields: Sequence[str]) -> str:
    """A header and a line for each prediction; several warnings are joined by "; "."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(fields)
    for row in rows:
        lines.writerow("; ".join(row[name]) if name == "warnings" else row[name] for name in fields)
    return text.getvalue()


def as_table(rows: Sequence[Row]) -> Table:
    """For the terminal; a picture without an answer (blank, several digits) gets none."""
    from rich.text import Text

    table = plain_table()
    table.add_column("picture", overflow="fold")
    for name, justify in (("class", "right"), ("", "right"), ("second", "right"), ("", "right"), ("verdict", "left")):
        table.add_column(name, justify=justify, no_wrap=True)
    table.add_column("warnings", overflow="fold")
    for row in rows:
        answered = row["verdict"] in ("sure", "not sure")
        cells = [str(row["label"]), percent(row["probability"])]
        cells += [str(row["runner_up"]), percent(row["runner_up_probability"])]
        warnings = [warning for warning in row["warnings"] if warning != row["verdict"]]
        style = "" if row["verdict"] == "sure" else "bold"
        table.add_row(
            Text(_printable(row["path"])),
            *(cells if answered else [""] * 4),
            Text(row["verdict"], style=style),
            ", ".join(warnings),
        )
    return table


def percent(share: float) -> str:
    """A probability in per cent, with a decimal; never rounded up to 100."""
    return f"{min(share * 100, 99.9):.1f} %"


def score_lines(rows: Sequence[Row], truths: Sequence[object], labels: Sequence[object]) -> list[str]:
    """Accuracy over all predictions, folder by folder, among the sure ones, and the confusion matrix.

    truths: the true label of each row, of `labels`. The most probable label counts, whatever the verdict.
    """
    right = np.array([row["label"] == truth for row, truth in zip(rows, truths, strict=True)])
    sure = np.array([row["verdict"] == "sure" for row in rows])
    folders = [str(Path(row["path"]).parent) for row in rows]
    lines = [f"Right: {_share(right)}", f"Sure: {_count(sure)}; of these right: {_share(right[sure])}"]
    if len(set(folders)) > 1:
        for folder in sorted(set(folders)):
            here = np.array([name == folder for name in folders])
            lines.append(f"In {_printable(folder)}: {_share(right[here])}; sure {_count(sure[here])}")
    if len(labels) <= MOST_CLASSES:
        lines += ["", *_confusion(rows, truths, labels)]
    return lines


def _count(mask: np.ndarray) -> str:
    return f"{mask.sum():,} of {mask.size:,}" + (f" ({mask.mean():.1%})" if mask.size else "")


def _share(right: np.ndarray) -> str:
    if not right.size:
        return "none of 0"
    interval = wilson_interval(int(right.sum()), right.size)
    return f"{_count(right)[:-1]}, 95 % interval {interval.low:.1%}–{interval.high:.1%})"


def _confusion(rows: Sequence[Row], truths: Sequence[object], labels: Sequence[object]) -> list[str]:
    """Lines of the matrix: true labels down, predicted ones across, "·" for none."""
    counts = Counter((truth, row["label"]) for row, truth in zip(rows, truths, strict=True))
    cells = [[str(counts[truth, said] or "·") for said in labels] for truth in labels]
    width = 2 + max(len(text) for text in [*map(str, labels), *itertools.chain(*cells)])
    lines = [["", *labels], *([label, *line] for label, line in zip(labels, cells, strict=True))]
    return ["true ↓  read →", *("".join(str(cell).rjust(width) for cell in line) for line in lines)]


def _printable(path: str) -> str:
    """A file's name without what a terminal would obey or cannot show."""
    return "".join(letter if letter.isprintable() else "�" for letter in path)
