"""The folder that a run leaves: runs/<id>/, and what every run writes about itself."""

from __future__ import annotations

import platform
import secrets
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import pipeline
from pipeline import storage
from pipeline.dataset import Competition, Digits
from pipeline.evaluation.statistics import Estimate

RUNS = Path("runs")
HELD_OUT = "held_out.npz"  # the holdout's pictures and labels, for the report
PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "matplotlib", "safetensors", "joblib")


def new_run_id(recipe: str) -> str:
    """Time, recipe and a random end: sorted by age, readable, and different for two runs that start at once."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{recipe}-{secrets.token_hex(2)}"


def versions() -> dict[str, str]:
    """Versions that a result can depend on."""
    found = {"inkproof": pipeline.__version__, "python": platform.python_version(), "machine": platform.machine()}
    return found | {name: metadata.version(name) for name in PACKAGES}


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


def data_record(competition: Competition) -> dict[str, Any]:
    """Which data a run saw, as run.json keeps it."""
    return {
        "name": competition.name,
        "fingerprint": competition.fingerprint,
        "sample": competition.is_sample,
        "train": competition.train.n,
        "test": competition.test.n,
    }


def holdout_record(accuracy: Estimate, rows: int, of: str) -> dict[str, Any]:
    """The figure that a run stands for, a share of 1 with its 95 % interval, as run.json and the ledger keep it."""
    return {"rows": rows, "accuracy": accuracy.value, "low": accuracy.low, "high": accuracy.high, "of": of}


def save_held_out(folder: Path, held: Digits, classes: np.ndarray) -> None:
    """Write the holdout's images (n, side, side) uint8, labels (n,) and classes (k,) to `folder`/held_out.npz."""
    with storage.atomic_file(folder / HELD_OUT) as file:
        np.savez_compressed(file, images=held.images, labels=held.labels, classes=classes)
