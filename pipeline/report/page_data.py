"""What the report shows of a run: its record, and the arrays that the job left in the run folder."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import error as ZlibError

import numpy as np

from pipeline.errors import COMMAND, DataError, InkproofError, StorageError, UsageError
from pipeline.evaluation.grid import Axis, Grid
from pipeline.evaluation.robustness.attack_sanity import Finding
from pipeline.evaluation.robustness.certificates import Certificates
from pipeline.evaluation.robustness.ladder import Ladders
from pipeline.evaluation.scores import EnsembleSummary
from pipeline.evaluation.statistics import Comparison, Estimate, cell_estimates
from pipeline.runs.run_folder import HeldOut, load_arrays, load_grid, load_held_out

FIRST_SAMPLES = 100  # of smoothing: those that choose the class
# What reading raises where files are missing, damaged or of another version.
DAMAGE = (
    OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, ArithmeticError, StopIteration,
    BadZipFile, ZlibError, InkproofError,
)  # fmt: skip
EVERY_RECORD = ("data", "recipe", "seed", "command", "versions")
EARLIER = "it was written by an earlier version, which left {} instead of a report"


@dataclass(frozen=True, kw_only=True, eq=False)
class RunData:
    """A run as the report sees it; what its kind does not have is empty or None.

    kind: as in jobs.PLANS. grid: predictions of a matrix; cells: T lists of C accuracies with
    intervals, shares 0 to 1; axes: of its conditions, by name. rows: the holdout, or the out-of-fold rows. histories:
    epochs (tables as training wrote them) of each network, by trained row. summary: of a cross-validation. shown: the
    trained row that the page shows first where it can show only one.
    """

    folder: Path
    record: Mapping[str, Any]
    kind: str
    trained: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    repeats: int = 1
    holdout: int = 0
    cells: Sequence[Sequence[Estimate]] = ()
    comparisons: Sequence[Comparison] = ()
    histories: Mapping[str, list[list[dict[str, Any]]]] = field(default_factory=dict)
    axes: Mapping[str, Axis] = field(default_factory=dict)
    attacks: tuple[str, ...] = ()
    grid: Grid | None = None
    rows: HeldOut | None = None
    findings: Mapping[str, Sequence[Finding]] = field(default_factory=dict)
    certificates: Mapping[str, Certificates] = field(default_factory=dict)
    ladders: Ladders | None = None
    summary: EnsembleSummary | None = None
    shown: int = 0


def read_record(folder: Path) -> dict[str, Any]:
    """The run.json of the run in that folder.

    Raises UsageError where there is no such folder, DataError where the run has not ended or the file is damaged.
    """
    if not folder.is_dir():
        raise UsageError(f"There is no run in {folder}: `{COMMAND} runs` lists them.")
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        json.dumps(record, allow_nan=False)  # what is no number in JSON is none in a report
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} holds no run.json, so the run in it has not ended: let it end, or go on with it, its command "
            f"with --resume {folder.name}."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{folder / 'run.json'} cannot be read ({error}): run the command again.") from error
    if not isinstance(record, dict):
        raise DataError(f"{folder / 'run.json'} does not hold what a run writes: run the command again.")
    return record


@contextmanager
def damage_told(folder: Path, record: Mapping[str, Any]) -> Iterator[None]:
    """A context in which whatever a missing or damaged file of a run leads to is a DataError."""
    from jinja2 import TemplateError

    try:
        yield
    except (DataError, StorageError):
        raise
    except (*DAMAGE, TemplateError) as error:
        raise DataError(
            f"The run in {folder} is incomplete ({type(error).__name__}: {' '.join(str(error).split())[:200]}): run "
            f"its command again, {str(record.get('command', COMMAND))[:200]!r}."
        ) from error


def matrix_data(folder: Path, record: Mapping[str, Any], grid: Grid, **more: Any) -> RunData:
    """A main job or a comparison, all of it that follows from its grid; `more`: the other fields."""
    return RunData(
        folder=folder,
        record=record,
        kind=record.get("kind", "main"),
        trained=grid.trained,
        conditions=grid.conditions,
        repeats=grid.repeats,
        holdout=grid.rows,
        cells=cell_estimates(grid),
        attacks=tuple(record.get("attacks", ())),
        grid=grid,
        **more,
    )


def new_matrix(folder: Path, record: Mapping[str, Any]) -> RunData:
    grid = load_grid(folder)
    return matrix_data(
        folder,
        record,
        grid,
        comparisons=comparisons_of(record),
        histories=_histories(folder, record),
        axes={name: Axis(**axis) for name, axis in record["axes"].items()},
        rows=load_held_out(folder),
        findings={name: findings_of(kept) for name, kept in record.get("findings", {}).items()},
        certificates=_certificates(folder, record),
        ladders=Ladders(**load_arrays(folder / "ladders.npz")) if record.get("ladders") else None,
        shown=grid.trained_index(record["shown"]) if "shown" in record else 0,
    )


def cross_validation(folder: Path, record: Mapping[str, Any]) -> RunData:
    if "summary" not in record:
        raise ValueError(EARLIER.format("table.md and folds.csv"))
    summary, rows, trained = EnsembleSummary.of(record["summary"]), load_held_out(folder), tuple(record["trained"])
    return RunData(
        folder=folder,
        record=record,
        kind=record["kind"],
        trained=trained,
        conditions=("clean",),
        repeats=record["repeats"],
        holdout=len(rows.labels),
        cells=[[Estimate(score.accuracy, np.nan, np.nan)] for score in summary.scores],
        histories=_histories(folder, record),
        rows=rows,
        summary=summary,
        shown=trained.index(record["shown"]),
    )


def findings_of(kept: Sequence[Mapping[str, Any]]) -> tuple[Finding, ...]:
    return tuple(Finding(**finding) for finding in kept)


def certificates_of(classes: np.ndarray, radius: np.ndarray, settings: Mapping[str, Any]) -> Certificates:
    sigma, samples, alpha = (settings[name] for name in ("sigma", "samples", "alpha"))
    return Certificates(classes.astype(np.int64), radius, sigma, FIRST_SAMPLES, samples, alpha)


def _certificates(folder: Path, record: Mapping[str, Any]) -> dict[str, Certificates]:
    if record.get("certify") is None:
        return {}
    arrays = load_arrays(folder / "certificates.npz", ("trained", "classes", "radius"))
    return {
        name: certificates_of(classes, radius, record["certify"])
        for name, classes, radius in zip(arrays["trained"].tolist(), arrays["classes"], arrays["radius"], strict=True)
    }


def _histories(folder: Path, record: Mapping[str, Any]) -> dict[str, list[list[dict[str, Any]]]]:
    histories: dict[str, list[list[dict[str, Any]]]] = {}
    for fit in record.get("fits", ()):
        epochs = read_epochs(folder / "history" / f"{fit['file']}.jsonl")
        histories.setdefault(fit["trained"], []).append(epochs)
    return histories


def read_epochs(file: Path) -> list[dict[str, Any]]:
    """The epochs of one fit, one JSON line each. Raises OSError or ValueError."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def comparisons_of(record: Mapping[str, Any]) -> list[Comparison]:
    """The verdicts that a record keeps."""
    return [
        Comparison(**{**comparison, "points": Estimate(*comparison["points"])})
        for comparison in record.get("comparisons", ())
    ]
