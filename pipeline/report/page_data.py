"""What a run's folder holds, read back for the report: of a comparison everything, of the main job what it left."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from pipeline.errors import DataError, UsageError
from pipeline.evaluation.grid import Grid
from pipeline.evaluation.robustness.attack_sanity import Finding
from pipeline.evaluation.robustness.certificates import Certificates
from pipeline.evaluation.statistics import Comparison, Estimate, cell_estimates
from pipeline.prediction import model_file as model
from pipeline.runs.run_folder import HELD_OUT
from pipeline.training.checkpoint import load_checkpoint

EPOCH_FIGURES = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy")


@dataclass(frozen=True)
class Rows:
    """The holdout of a run, and what each way of training said to it as it is.

    images (n, side, side) uint8, labels (n,) indices into classes (k,).
    averaged (T, n, k): probabilities averaged over repeats. first (T, n, k): of the first repeat alone.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: np.ndarray
    averaged: np.ndarray
    first: np.ndarray


@dataclass(frozen=True)
class RunData:
    """A run as the report sees it. cells: T lists of C accuracies with intervals, shares 0 to 1.

    histories: epochs (tables as training wrote them) of each network, by trained row. rows: None where the run no
    longer has its networks. A main job's run has neither findings nor certificates. shown: the trained row that the
    page shows first where it can show only one.
    """

    folder: Path
    record: Mapping[str, Any]
    trained: tuple[str, ...]
    conditions: tuple[str, ...]
    repeats: int
    holdout: int
    cells: list[list[Estimate]]
    comparisons: list[Comparison]
    histories: dict[str, list[list[dict[str, Any]]]]
    attacks: tuple[str, ...] = ()
    grid: Grid | None = None
    rows: Rows | None = None
    findings: dict[str, Sequence[Finding]] = field(default_factory=dict)
    certificates: dict[str, Certificates] = field(default_factory=dict)
    shown: int = 0

    @property
    def is_comparison(self) -> bool:
        return self.grid is not None


def read_run(folder: Path) -> RunData:
    """The run in that folder.

    Raises UsageError where there is no such folder, DataError where the run has not ended or a file is missing
    or damaged.
    """
    if not folder.is_dir():
        raise UsageError(f"There is no run in {folder}: `python main.py runs` lists them.")
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} holds no run.json, so the run in it has not ended: let it end, or take a comparison up again "
            f"with `python main.py compare --resume {folder.name}`."
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / 'run.json'} cannot be read ({error}): run the command again.") from error
    if not isinstance(record, dict):
        raise DataError(f"{folder / 'run.json'} does not hold what a run writes: run the command again.")
    if record.get("kind") == "tune":
        raise UsageError(f"{folder} is a search, which has no page: its figures and trials.csv lie in that folder.")
    if record.get("kind") == "folds":
        raise UsageError(
            f"The run in {folder} is a cross-validation, which has no report: its tables are {folder / 'table.md'} "
            f"and {folder / 'folds.csv'}."
        )
    try:
        return _comparison(folder, record) if record.get("kind") == "compare" else _main_job(folder, record)
    except (OSError, LookupError, ValueError, TypeError, BadZipFile) as error:
        raise DataError(
            f"The run in {folder} is incomplete ({type(error).__name__}: {error}): run its command again, "
            f"{record.get('command', 'python main.py')!r}."
        ) from error


def _comparison(folder: Path, record: dict[str, Any]) -> RunData:
    trained, conditions = tuple(record["trained"]), tuple(record["conditions"])
    results = [load_checkpoint(folder / "fits" / name / "result.safetensors") for name in record["fits"]]
    images, labels, classes = _held_out(folder)
    stacked = np.stack([result.probabilities for result in results])
    by_row = stacked.reshape(record["repeats"], len(trained), *stacked.shape[1:]).swapaxes(0, 1)
    averaged = by_row.mean(axis=1)
    predictions = by_row.argmax(axis=-1).astype(np.int16)
    grid = Grid(trained, conditions, labels, predictions, averaged.argmax(axis=-1).astype(np.int16))
    of_row = {name: results[place :: len(trained)] for place, name in enumerate(trained)}
    asked = record["certify"]
    certificates = {
        name: Certificates(
            found[0].certified.astype(np.int64), found[0].radius, asked["sigma"], 100, asked["samples"], asked["alpha"]
        )
        for name, found in of_row.items()
        if found[0].certified is not None
    }
    return RunData(
        folder,
        record,
        trained,
        conditions,
        record["repeats"],
        grid.rows,
        cell_estimates(grid),
        _comparisons(record),
        {name: [[vars(epoch) for epoch in one.history] for one in found] for name, found in of_row.items()},
        tuple(record["attacks"]),
        grid,
        Rows(images, labels, classes, averaged[:, 0], by_row[:, 0, 0]),
        {name: found[0].findings for name, found in of_row.items() if found[0].findings},
        certificates,
    )


def _main_job(folder: Path, record: dict[str, Any]) -> RunData:
    with (folder / "table.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    trained = tuple(dict.fromkeys(line["train"] for line in lines))
    conditions = tuple(dict.fromkeys(line["test"] for line in lines))
    percent = ("accuracy_percent", "low_percent", "high_percent")
    found = {
        (line["train"], line["test"]): Estimate(*(float(line[name] or "nan") / 100 for name in percent))
        for line in lines
    }
    repeats = int(lines[0]["repeats"])
    stems = {
        name: [f"{name.replace('σ', 'sigma').replace(' ', '-')}-repeat-{repeat + 1}" for repeat in range(repeats)]
        for name in trained
    }
    histories = {name: [_epochs(folder / "history" / f"{stem}.jsonl") for stem in row] for name, row in stems.items()}
    cells = [[found[name, condition] for condition in conditions] for name in trained]
    return RunData(
        folder,
        record,
        trained,
        conditions,
        repeats,
        int(lines[0]["rows"]),
        cells,
        _comparisons(record),
        histories,
        rows=_asked_again(folder, list(stems.values())),
        shown=trained.index(f"σ {record['submitted_level']:g}"),
    )


def _asked_again(folder: Path, stems: list[list[str]]) -> Rows | None:
    """What the main job's networks, by trained row, say to the holdout; None where the folder has them no longer."""
    files = [[folder / "models" / "holdout" / f"{stem}.safetensors" for stem in row] for row in stems]
    if not all(file.exists() for file in [folder / HELD_OUT, *(file for row in files for file in row)]):
        return None
    images, labels, classes = _held_out(folder)
    said = np.stack([[model.load(file).network.probabilities(images) for file in row] for row in files])
    return Rows(images, labels, classes, said.mean(axis=1), said[:, 0])


def _epochs(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _held_out(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with (folder / HELD_OUT).open("rb") as file, np.load(file) as arrays:  # np.load alone leaves a damaged one open
        return arrays["images"], arrays["labels"], arrays["classes"]


def _comparisons(record: dict[str, Any]) -> list[Comparison]:
    return [Comparison(**{**one, "points": Estimate(*one["points"])}) for one in record.get("comparisons", ())]
