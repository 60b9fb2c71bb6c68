"""The ledger as rows: filtered, sorted, and written as CSV or JSON."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.errors import COMMAND, UsageError, counted
from pipeline.runs.ledger.database import Run
from pipeline.storage import csv_text

# Column name -> its value in a run. The order is that of the table and of the CSV.
COLUMNS: dict[str, Callable[[Run], Any]] = {
    "id": lambda run: run.id,
    "started": lambda run: run.started,
    "status": lambda run: run.status,
    "recipe": lambda run: run.recipe.get("name"),
    "data": lambda run: run.data_name,
    "rows": lambda run: run.data_rows,
    "competition": lambda run: run.competition,
    "seed": lambda run: run.seed,
    "seconds": lambda run: run.results.get("seconds"),
    "holdout": lambda run: run.accuracy,
    "low": lambda run: run.holdout.get("low"),
    "high": lambda run: run.holdout.get("high"),
    "public": lambda run: run.public_score,
    "commit": lambda run: run.git_commit,
}

HEADINGS = ("id", "recipe", "data", "rows", "status", "holdout", "public")
ID_LENGTH = len("20260131-235959")  # when a run began: enough, unless two began at once


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
    wanted = {name: text for name, text in (("status", status), ("recipe", recipe), ("data", data)) if text is not None}
    chosen = [
        run
        for run in runs
        if all(COLUMNS[name](run) == text for name, text in wanted.items()) and (since is None or run.started >= since)
    ]
    value = COLUMNS[sort]
    known = sorted((run for run in chosen if value(run) is not None), key=value, reverse=not reverse)
    return (known + [run for run in chosen if value(run) is None])[:limit]


def best(runs: Iterable[Run], by: str = "holdout") -> Run:
    """The run with the highest accuracy by 'holdout' or 'public'. Raises UsageError when none has one."""
    value = COLUMNS[by]
    scored = [run for run in runs if value(run) is not None]
    if not scored:
        first = COMMAND if by == "holdout" else f"{COMMAND} submit"
        raise UsageError(f"No run has a {by} score yet: type `{first}` first.")
    return max(scored, key=value)


def table(runs: Sequence[Run], known: Iterable[str]) -> list[tuple[str, ...]]:
    """Rows under HEADINGS for people; an id is cut to a beginning that no other of the `known` ids has."""
    known = list(known)
    return [(_beginning(run.id, known), *_cells(run)) for run in runs]


def _beginning(id: str, known: list[str]) -> str:
    lengths = range(ID_LENGTH, len(id))
    return next((id[:n] for n in lengths if sum(other.startswith(id[:n]) for other in known) == 1), id)


def _cells(run: Run) -> tuple[str, ...]:
    rows = "" if run.data_rows is None else f"{run.data_rows:,}"
    holdout = "" if run.accuracy is None else f"{run.accuracy:.2%}"
    public = "" if run.public_score is None else f"{run.public_score:.5f}"
    return str(run.recipe.get("name") or ""), run.data_name, rows, run.status, holdout, public


def details(run: Run, folder: Path) -> list[tuple[str, str]]:
    """What a person wants to know of a run, as (name, value), with its folder below `folder`."""
    rows = "" if run.data_rows is None else f", {run.data_rows:,} rows"
    ended = f", ended {_moment(run.finished)}" if run.finished else ""
    seconds, dropped = run.results.get("seconds"), run.results.get("dropped")
    lines = [
        ("run", run.id),
        ("status", run.status + (f": {run.reason}" if run.reason else "")),
        ("time", f"began {_moment(run.started)}{ended}" + ("" if seconds is None else f", {seconds:,.1f} s of work")),
        ("command", run.command),
        ("recipe", f"{run.recipe.get('name')}: {run.recipe.get('summary') or 'no summary'}, seed {run.seed}"),
        ("data", f"{run.data_name}{rows}, fingerprint {run.data_fingerprint[:12]}"),
        ("competition", run.competition or "unnamed"),
        *([("left out", f"{counted(dropped['rows'], 'row')} of train.csv")] if dropped else []),
        ("code", run.git_commit or "not known"),
    ]
    if run.accuracy is not None:
        low, high = run.holdout.get("low"), run.holdout.get("high")
        interval = "" if low is None or high is None else f" ({low:.2%} to {high:.2%})"
        of = f", {run.holdout['of']}" if "of" in run.holdout else ""
        lines.append(("holdout", f"{run.accuracy:.2%}{interval} of {run.holdout.get('rows', 0):,} rows{of}"))
    for sent in run.submissions:
        score = "no score" if sent.public_score is None else f"public {sent.public_score:.5f}"
        about = f"{_moment(sent.created)} to {sent.competition}: {sent.status}, {score}, {sent.message!r}"
        lines.append(("submitted", about))
    files = sorted(path.name for path in (folder / run.id).glob("*"))
    return [*lines, ("folder", f"{folder / run.id}: {', '.join(files) or 'nothing in it'}")]


def _moment(text: str) -> str:
    return text[:16].replace("T", " ")


def as_csv(runs: Iterable[Run]) -> str:
    """The columns of `runs`, with a header."""
    return csv_text([list(COLUMNS), *([value(run) for value in COLUMNS.values()] for run in runs)])


def as_json(runs: Iterable[Run]) -> str:
    """Everything that is known of `runs`, as a JSON list."""
    return json.dumps([asdict(run) for run in runs], indent=2, ensure_ascii=False) + "\n"
