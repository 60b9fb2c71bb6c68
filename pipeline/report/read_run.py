"""A run folder as the report sees it, whichever version wrote it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.report.older_runs import older_matrix
from pipeline.report.page_data import EARLIER, EVERY_RECORD, RunData, cross_validation, damage_told, new_matrix


def run_data(folder: Path, record: Mapping[str, Any]) -> RunData:
    """What the report shows of the run in `folder`. Raises DataError for a file that is missing or damaged."""
    kind = record.get("kind", "main")
    with damage_told(folder, record):
        for name in EVERY_RECORD:
            _ = record[name]
        if kind == "tune":
            if "table" not in record:
                raise ValueError(EARLIER.format("trials.csv and figures"))
            return RunData(folder=folder, record=record, kind=kind)
        if kind in ("folds", "blend"):
            return cross_validation(folder, record)
        return (new_matrix if "axes" in record else older_matrix)(folder, record)
