"""The run folder, runs/<id>/: its name, and what every job writes about itself and its holdout."""

import platform
import secrets
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import pipeline
from pipeline import storage
from pipeline.dataset import Competition, Digits
from pipeline.evaluation.grid import Grid, GridFold
from pipeline.evaluation.statistics import Estimate

RUNS = Path("runs")
HELD_OUT = "held_out.npz"  # the holdout's pictures and labels, for the report
EVALUATION = "evaluation.npz"  # what the networks said to them
PACKAGES = ("numpy", "scipy", "numba", "pandas", "scikit-learn", "matplotlib", "safetensors")


def new_run_id(name: str) -> str:
    """Time, name and a random end: sorted by age, readable, and different for two runs that start at once."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{name}-{secrets.token_hex(2)}"


def versions() -> dict[str, str | None]:
    """Versions that a result can depend on; None for a package that is not installed, as Numba may be."""
    found = {"inkproof": pipeline.__version__, "python": platform.python_version(), "machine": platform.machine()}
    return found | {name: _version(name) for name in PACKAGES}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def git_commit() -> str | None:
    """The commit of the code that runs, with "+" where files differ from it; None outside of git."""
    root = Path(__file__).parent.parent.parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write `folder`/run.json, which says that the run is finished. Raises StorageError."""
    storage.write_json(folder / "run.json", record)


def data_record(competition: Competition) -> dict[str, Any]:
    """Which data a run saw, as run.json keeps it."""
    return {
        "name": competition.name,
        "competition": competition.slug,
        "fingerprint": competition.fingerprint,
        "sample": competition.is_sample,
        "train": competition.train.n,
        "test": competition.test.n,
        "columns": [competition.id_column, competition.label_column],
    }


def rows_record(*arrays: np.ndarray) -> dict[str, Any]:
    """Which rows (n, …) a run took in or left out, as run.json keeps it."""
    return {"rows": len(arrays[0]), "sha256": storage.sha256_bytes(b"".join(array.tobytes() for array in arrays))}


def holdout_record(accuracy: Estimate, rows: int, of: str) -> dict[str, Any]:
    """The figure that a run stands for, a share of 1 with its 95 % interval, as run.json and the ledger keep it."""
    return {"rows": rows, "accuracy": accuracy.value, "low": accuracy.low, "high": accuracy.high, "of": of}


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """The rows that a run was measured on, and what its networks said to them as they are.

    labels (n,) indices into classes (k,). images (p, side, side) uint8: pictures of the rows `pictured` (p,), which
    are all n, or those that a report shows. averaged, first (T, n, k) float32: probabilities of each trained row's
    networks, averaged over repeats, and of the first repeat alone.
    """

    labels: np.ndarray
    classes: np.ndarray
    images: np.ndarray
    pictured: np.ndarray
    averaged: np.ndarray
    first: np.ndarray


def save_held_out(folder: Path, held: HeldOut) -> None:
    """Write the rows to `folder`/held_out.npz and the probabilities to evaluation.npz. Raises StorageError."""
    rows = {name: getattr(held, name) for name in ("images", "labels", "classes", "pictured")}
    save_arrays(folder / HELD_OUT, **rows)
    save_arrays(folder / EVALUATION, averaged=held.averaged, first=held.first)


def load_held_out(folder: Path) -> HeldOut:
    """Read what save_held_out wrote. Raises OSError, ValueError, KeyError or BadZipFile for damaged files."""
    rows = load_arrays(folder / HELD_OUT)
    return HeldOut(**rows, **load_arrays(folder / EVALUATION))


def save_grid(folder: Path, grid: Grid) -> None:
    """Write every network's predictions to `folder`/grid.npz. Raises StorageError."""
    names = {"trained": np.array(grid.trained), "conditions": np.array(grid.conditions)}
    arrays = {name: getattr(grid, name) for name in ("labels", "predictions", "averaged")}
    save_arrays(folder / "grid.npz", **names, **arrays)


def load_grid(folder: Path) -> Grid:
    """Read what save_grid wrote. Raises as load_held_out, and UsageError for arrays that do not fit together."""
    arrays = load_arrays(folder / "grid.npz")
    names = {name: tuple(arrays.pop(name).tolist()) for name in ("trained", "conditions")}
    return Grid(**names, **arrays)


def held_out_of(fold: GridFold, holdout: Digits, classes: np.ndarray) -> HeldOut:
    """What a finished grid knows of the whole holdout."""
    return HeldOut(
        labels=holdout.labels,
        classes=classes,
        images=holdout.images,
        pictured=np.arange(holdout.n),
        averaged=fold.mean(fold.conditions[0]),
        first=fold.first,
    )


def save_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write arrays as a compressed npz file, atomically. Raises StorageError."""
    with storage.atomic_file(path) as file:
        np.savez_compressed(file, **arrays)


def load_arrays(path: Path, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an npz file, or those named."""
    with path.open("rb") as file, np.load(file) as arrays:  # np.load alone leaves a damaged file open
        return {name: arrays[name] for name in names or arrays.files}
