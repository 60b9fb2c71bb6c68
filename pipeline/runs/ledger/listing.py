"""The ledger as rows: filtered, sorted, and written as CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.runs.ledger.comparison import flatten
from pipeline.runs.ledger.database import Run

# Column name -> its value in a run. The order is that of the table and of the CSV.
COLUMNS: dict[str, Callable[[Run], Any]] = {
    "id": lambda run: run.id,
    "started": lambda run: run.started,
    "status": lambda run: run.status,
    "recipe": lambda run: run.recipe.get("name"),
    "data": lambda run: run.data_name,
    "seed": lambda run: run.seed,
    "seconds": lambda run: run.results.get("seconds"),
    "holdout": lambda run: run.accuracy,
    "low": lambda run: (run.results.get("holdout") or {}).get("low"),
    "high": lambda run: (run.results.get("holdout") or {}).get("high"),
    "public": lambda run: run.public_score,
    "commit": lambda run: run.git_commit,
}

HEADINGS = [name for name in COLUMNS if name not in ("low", "high")]


def select(
    runs: Iterable[Run],
    *,
    status: str | None = None,
    recipe: str | None = None,
    data: str | None = None,
    since: str | None = None,
    sort: str = "started",
    reverse: bool = False,
    limit: int | None = None,
) -> list[Run]:
    """Runs that match, sorted by a column of COLUMNS, the largest first (`reverse`: the smallest).

    since: a date as 2026-01-31. Runs without a value in the sort column come last.
    Raises UsageError for an unknown column or a text that is no date.
    """
    if sort not in COLUMNS:
        raise UsageError(f"--sort must be one of {', '.join(COLUMNS)}, got {sort!r}.")
    if since is not None:
        try:
            since = datetime.fromisoformat(since).date().isoformat()
        except ValueError as error:
            raise UsageError(f"--since must be a date as 2026-01-31, got {since!r}.") from error
    chosen = [
        run
        for run in runs
        if (status is None or run.status == status)
        and (recipe is None or run.recipe.get("name") == recipe)
        and (data is None or run.data_name == data)
        and (since is None or run.started >= since)
    ]
    value = COLUMNS[sort]
    known = sorted((run for run in chosen if value(run) is not None), key=value, reverse=not reverse)
    return (known + [run for run in chosen if value(run) is None])[:limit]


def best(runs: Iterable[Run], by: str = "holdout") -> Run:
    """The run with the highest accuracy by 'holdout' or 'public'. Raises UsageError when none has one."""
    value = COLUMNS[by]
    scored = [run for run in runs if value(run) is not None]
    if not scored:
        first = "python main.py" if by == "holdout" else "python main.py submit"
        raise UsageError(f"No run has a {by} score yet: type `{first}` first.")
    return max(scored, key=value)


def cells(run: Run) -> list[str]:
    """A run's row in the table for people: the holdout with its interval in one cell."""
    values = {name: value(run) for name, value in COLUMNS.items()}
    if values["holdout"] is not None:
        interval = f" ({_share(values['low'])}–{_share(values['high'])})" if values["low"] is not None else ""
        values["holdout"] = _share(values["holdout"]) + interval
    values["started"] = run.started[:16].replace("T", " ")
    values["seconds"] = None if values["seconds"] is None else f"{values['seconds']:.1f}"
    values["public"] = None if values["public"] is None else f"{values['public']:.5f}"
    values["commit"] = (run.git_commit or "")[:8]
    return ["" if values[name] is None else str(values[name]) for name in HEADINGS]


def details(run: Run, folder: Path) -> list[tuple[str, str]]:
    """Everything about a run as (name, value), with the files in folder/<id>/."""
    fields = asdict(run) | {"results": {}, "recipe": {}, "submissions": {}, "submission_hash": None}
    lines = [(name, str(value)) for name, value in fields.items() if value not in (None, {})]
    lines += [(f"recipe.{name}", str(value)) for name, value in flatten(run.recipe).items()]
    lines += [(f"results.{name}", str(value)) for name, value in flatten(run.results).items()]
    for one in run.submissions:
        score = "no score" if one.public_score is None else f"public {one.public_score:.5f}"
        text = f"{one.id}, {one.created[:16]}, {one.competition}, {one.status}, {score}, {one.message!r}"
        lines.append(("submission", text))
    files = sorted(path for path in (folder / run.id).rglob("*") if path.is_file())
    return lines + [("file", str(path)) for path in files]


def _share(value: float) -> str:
    return f"{value:.4f}"


def as_csv(runs: Iterable[Run]) -> str:
    """The columns of `runs`, with a header."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([value(run) for value in COLUMNS.values()] for run in runs)
    return buffer.getvalue()


def as_json(runs: Iterable[Run]) -> str:
    """Everything that is known of `runs`, as a JSON list."""
    return json.dumps([asdict(run) for run in runs], indent=2, ensure_ascii=False) + "\n"
